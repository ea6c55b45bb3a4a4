"""Command lines run by a real bash in the real sandbox, each watched: what it changed, what it started.

Inside, the project stands in the sandbox's own /tmp, where nothing is protected: what a line would do, it does.
Every program on PATH is a stand-in that writes its name down and becomes the real one.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.permissions.tables import names
from tests.sandbox.room import Room

ROOM = Path("/tmp/room")
PROJECT, HOME = ROOM / "proj", ROOM / "home"
# Beside the programs that may run: some of what must not.
OTHERS = names("""touch rm cp mv mkdir ln tee dd chmod sh bash dash python3 perl awk gawk mawk env tar zip gzip gpg pr less more man ssh
curl make ed vi xxd split base64 truncate shuf csplit watch setsid ionice ps kill ping sudo jq tsort crontab logger rmdir install
cc gcc pager editor sensible-pager nano zstd xz bzip2 lz4 unzip cal nl uptime""")
STAND_IN = '#!/bin/sh\necho "${{0##*/}}" >> /tmp/started\nexec {real} "$@"\n'
# Only the sandbox's own /tmp is looked at: a checkout of ours below it is mounted in, and has its .pyc files written meanwhile.
# git may write down in its index that files are unchanged, so that is done first. A file's change time tells of any write, also of one that restores what was there.
DRIVER = r"""
fresh() { rm -rf /tmp/room; cp -a "$LAB/room" /tmp/room; cd /tmp/room/proj; GIT_OPTIONAL_LOCKS=1 git status >/dev/null; }
look() { find /tmp -xdev \( -path /tmp/started -o -path "$BASE" \) -prune -o -type d -printf '%p %m\n' -o -printf '%p %m %s %C@ %l\n'; }
export HOME=/tmp/room/home GIT_OPTIONAL_LOCKS=0
fresh; before=$(look)
for file in "$LAB"/lines/*; do
  IFS= read -r -d '' text < "$file"
  : > /tmp/started; cd /tmp/room/proj
  PATH="$LAB/bin" /usr/bin/timeout -k 1 2 /bin/bash -c "$text" </dev/null >/dev/null 2>&1
  now=$(look)
  if [ "$now" != "$before" ]; then
    changed=$(diff <(echo "$before") <(echo "$now") | grep '^[<>]' | head -n 4 | tr '\n' ' ')
    rm -rf /tmp/made /tmp/.[a-z]*; fresh; before=$(look)
  else changed=; fi
  printf '%s\t%s\t%s\n' "${file##*/}" "$(sort -u /tmp/started | tr '\n' ' ')" "$changed"
done
"""


@dataclass(frozen=True, slots=True)
class Watched:
    line: str
    started: frozenset[str]
    changed: str


def furnish(room: Room, programs: Iterable[str]) -> Path:
    """The project to copy, and the stand-ins for `programs` and others."""
    lab = room.base / "lab"
    project, bin_ = lab / "room/proj", lab / "bin"
    (project / "src").mkdir(parents=True)
    (lab / "room/home").mkdir()
    (lab / "room/home/.profile").write_text("x=1\n")
    (project / "src/a.py").write_text("def a():\n    return 1\n")
    (project / "src/b.txt").write_text("touch made\n")
    (project / "data.csv").write_text("a,1\nb,2\n" * 9)
    (project / "README.md").write_text("# readme\na b\n")
    (project / "with space.txt").write_text("touch made\n")
    for name in ("-i", "-omade", "--output=made", "--in-place", "-delete"):  # a glob may become an option
        (project / name).write_text("")
    (project / "link").symlink_to("src/a.py")
    _history(room, project)
    bin_.mkdir()
    search = f"{os.environ['PATH']}:{Path(sys.executable).parent}"
    for name in {*programs, *OTHERS}:
        real = shutil.which(name, path=search) or "/nonexistent"
        (bin_ / name).write_text(STAND_IN.format(real=real))
        (bin_ / name).chmod(0o755)
    return lab


def _history(room: Room, project: Path) -> None:
    room.git("init", "-q", cwd=project)
    room.git("add", "-A", cwd=project)
    room.git("commit", "-qm", "one", cwd=project)
    room.git("tag", "v1", cwd=project)
    room.git("branch", "side", cwd=project)
    (project / "README.md").write_text("# readme\nstashed\n")
    room.git("stash", cwd=project)
    (project / "README.md").write_text("# readme\na b c\n")
    room.git("commit", "-qam", "two", cwd=project)
    commit = room.git("cat-file", "commit", "HEAD", cwd=project)
    head, _, message = commit.partition("\n\n")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----"
    (room.base / "signed").write_text(f"{head}\n{signature}\n\n{message}\n")
    name = room.git("hash-object", "-t", "commit", "-w", str(room.base / "signed"), cwd=project)
    room.git("update-ref", "refs/heads/signed", name, cwd=project)
    (project / "README.md").write_text("# readme\nnot committed\n")


async def watch(room: Room, lab: Path, lines: Sequence[str]) -> list[Watched]:
    """Run lines one after the other in one sandbox; after one that changed something, the project is copied anew."""
    shutil.rmtree(lab / "lines", ignore_errors=True)
    (lab / "lines").mkdir()
    for number, line in enumerate(lines):
        (lab / "lines" / f"{number:05}").write_text(line, "utf-8", "surrogatepass")
    (lab / "driver").write_text(DRIVER)
    done = await room.run(f"BASE={room.base} LAB={lab} exec bash {lab}/driver > {lab}/said", timeout=900, write=(lab,))
    said = (lab / "said").read_text("utf-8", "replace").splitlines()
    assert len(said) == len(lines), (done, said[-3:])
    found = []
    for line, record in zip(lines, said, strict=True):
        _, started, changed = record.split("\t", 2)
        found.append(Watched(line, frozenset(started.split()), changed))
    return found
