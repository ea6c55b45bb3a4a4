"""git as we ourselves run it on a project: always in the sandbox.

A repository's own configuration names programs that git starts, and of a nested repository neither `-c` options nor
attributes reach it. So the whole project is read-only for our git, there is no network, and only `store`, a directory
of ours, can be written. Where the user commits and branches is Bash's business, not this module's.
"""

import dataclasses
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, SandboxUnavailable
from harness.sandbox import probe, programs
from harness.sandbox.launch import Bwrap, Launch
from harness.sandbox.policy import Policy
from harness.sandbox.protect import linked_worktree

PATIENCE = 60.0  # seconds for one git
_SAFE = (
    *("core.fsmonitor=false", "core.hooksPath=/dev/null", "core.pager=cat", "core.askPass=", "core.sshCommand=false"),
    *("credential.helper=", "diff.external=", "log.showSignature=false", "submodule.recurse=false"),
    *("safe.bareRepository=explicit", "protocol.ext.allow=never", "gc.auto=0", "maintenance.auto=false"),
)
_OPTIONS = tuple(word for setting in _SAFE for word in ("-c", setting))
_QUIET = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_PAGER": "cat"}
_DIFFS = frozenset({"diff", "diff-files", "diff-index", "diff-tree", "log", "show"})

Done = subprocess.CompletedProcess[bytes]


@contextmanager
def opened(
    project: Path,
    words: Sequence[str],
    *,
    store: Path | None = None,
    read: Sequence[Path] = (),
    env: Mapping[str, str] | None = None,
) -> Iterator[Launch]:
    """One git made ready to be started, for callers that talk to it while it runs (`cat-file --batch`):
    `subprocess.Popen(launch.argv, **launch.start)`.

    `words` begin with the subcommand; what keeps it from running other programs is added here. `store` is the one
    directory that it may write (give it only where git must write: a filter of the project's own configuration runs
    in there too). `read`: directories that the sandbox would hide. `env`: `GIT_DIR`, `GIT_WORK_TREE` and the like.
    As root on a project of another owner it runs as that owner, who must then be able to reach `store`.
    Paths are real ones. Raises SandboxUnavailable.
    """
    shared = linked_worktree(project / ".git") if (project / ".git").is_file() else None
    policy = Policy(
        project=project,
        home=Path.home(),
        keep=(store,) if store else (),
        read=(*read, *(shared[:1] if shared else ())),
        env={"PATH": ":".join(programs.SYSTEM), **_QUIET, **(env or {})},
        project_readonly=True,
    )
    try:
        launcher = probe.launcher(policy)
    except SandboxUnavailable:  # nobody's word is needed for what is ours: the degraded level, or none at all
        launcher = probe.launcher(dataclasses.replace(policy, level="degraded"))
    if isinstance(launcher, Bwrap):
        launcher = dataclasses.replace(launcher, overlay=False)
    program = programs.find("git", (project, *policy.keep))
    with launcher.open(policy, [str(program), *_OPTIONS, *_guarded(words)], project) as launch:
        yield launch


def run(
    project: Path,
    words: Sequence[str],
    *,
    store: Path | None = None,
    stdin: bytes = b"",
    read: Sequence[Path] = (),
    env: Mapping[str, str] | None = None,
    timeout: float = PATIENCE,
) -> Done:
    """Run git to its end; see `opened`. Its exit status is the caller's to judge.

    Raises SandboxUnavailable, and HarnessError after `timeout` seconds.
    """
    with opened(project, words, store=store, read=read, env=env) as launch:
        start: dict[str, Any] = {"input": stdin, "timeout": timeout, **launch.start}
        try:
            return _set_up(subprocess.run(launch.argv, capture_output=True, check=False, **start))
        except subprocess.TimeoutExpired:
            raise _too_long(words, timeout) from None


def _guarded(words: Sequence[str]) -> list[str]:
    name, *rest = words
    guards = ["--ignore-submodules=all"] if name in _DIFFS or name == "status" else []
    guards += ["--no-ext-diff", "--no-textconv"] if name in _DIFFS - {"diff-files", "diff-index", "diff-tree"} else []
    return [name, *guards, *rest]


def _set_up(done: Done) -> Done:
    if done.returncode and done.stderr.startswith(b"bwrap: "):
        raise SandboxUnavailable(
            f"The sandbox for git could not be set up: {done.stderr.decode(errors='replace').strip()}",
            "`harness doctor` checks the sandbox.",
        )
    return done


def _too_long(words: Sequence[str], timeout: float) -> HarnessError:
    return HarnessError(f"git {words[0]} took longer than {timeout:g} s.", "Is the project on a slow disk?")
