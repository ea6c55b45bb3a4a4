import os
import socket
import stat
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.files import FileError, Files, digest
from harness.files.beneath import Opener, openat2, walk


@pytest.fixture(params=[openat2, walk], ids=["openat2", "walk"])
def files(request, tmp_path):
    opener: Opener = request.param
    project = tmp_path / "project"
    project.mkdir()
    files = Files((project,), opener)
    yield files
    files.close()


def refused(kind: str, call, *args, **named) -> FileError:
    with pytest.raises(FileError) as caught:
        call(*args, **named)
    assert caught.value.kind == kind
    return caught.value


def test_write_makes_parents_and_read_gives_the_bytes(files):
    path = files.roots[0] / "a/b/c.txt"
    files.write(path, b"one\n", expect=None)
    assert files.read(path) == b"one\n"
    assert files.names(files.roots[0]) == ["a/"]


def test_replacing_keeps_mode_and_leaves_nothing_else(files):
    path = files.roots[0] / "run.sh"
    path.write_bytes(b"old")
    path.chmod(0o751)
    files.write(path, b"new", expect=digest(b"old"))
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o751)
    assert os.listdir(files.roots[0]) == ["run.sh"]


def test_new_file_honours_the_umask_and_a_mode(files):
    old = os.umask(0o027)
    try:
        files.write(files.roots[0] / "plain", b"", expect=None)
        files.write(files.roots[0] / "secret", b"", expect=None, mode=0o600)
    finally:
        os.umask(old)
    modes = [stat.S_IMODE((files.roots[0] / name).stat().st_mode) for name in ("plain", "secret")]
    assert modes == [0o640, 0o600]


def test_what_is_expected_is_checked(files):
    path = files.roots[0] / "f"
    refused("changed", files.write, path, b"x", expect=digest(b"gone"))
    path.write_bytes(b"theirs")
    refused("exists", files.write, path, b"x", expect=None)
    refused("changed", files.write, path, b"x", expect=digest(b"ours"))
    assert path.read_bytes() == b"theirs"


def test_read_only_and_linked_files_are_not_replaced(files):
    path = files.roots[0] / "f"
    path.write_bytes(b"x")
    path.chmod(0o444)
    refused("read-only", files.write, path, b"y", expect=digest(b"x"))
    path.chmod(0o644)
    os.link(path, files.roots[0] / "other")
    assert "mv" in refused("linked", files.write, path, b"y", expect=digest(b"x")).mend
    assert path.read_bytes() == b"x"


def test_only_regular_files_are_opened(files):
    root = files.roots[0]
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "sock"))
    refused("special", files.read, root / "fifo")
    refused("special", files.read, root / "sock")
    refused("special", files.write, root / "fifo", b"", expect=digest(b""))
    refused("directory", files.read, root)
    refused("missing", files.read, root / "none/f")
    refused("special", files.read, Path("/dev/zero"), Path("/dev/zero"))


def test_a_parent_that_is_a_file(files):
    (files.roots[0] / "f").write_bytes(b"")
    refused("missing", files.read, files.roots[0] / "f/g")
    refused("missing", files.write, files.roots[0] / "f/g", b"", expect=None)


def test_outside_needs_a_decision(files, tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_bytes(b"out")
    refused("outside", files.read, outside)
    assert files.read(outside, files.real(outside)) == b"out"


def test_a_name_that_only_begins_like_the_root_is_outside(files, tmp_path):
    evil = tmp_path / "project-evil"
    evil.mkdir()
    (evil / "f").write_bytes(b"x")
    refused("outside", files.read, evil / "f")


def test_a_link_is_followed_once_decided_and_written_at_its_target(files, tmp_path):
    target = tmp_path / "target.txt"
    target.write_bytes(b"old")
    link = files.roots[0] / "link"
    link.symlink_to(target)
    refused("outside", files.read, link)
    files.write(link, b"new", files.real(link), expect=digest(b"old"))
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_link_that_turns_after_the_decision_is_refused(files, tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    link = files.roots[0] / "link"
    link.symlink_to(tmp_path / "a")
    decided = files.real(link)
    link.unlink()
    link.symlink_to(tmp_path / "b")
    refused("moved", files.read, link, decided)
    refused("moved", files.write, link, b"x", decided, expect=digest(b"b"))
    assert (tmp_path / "b").read_bytes() == b"b"


def test_a_link_loop(files):
    link = files.roots[0] / "loop"
    link.symlink_to("loop")
    refused("moved", files.read, link)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_our_own_process_is_not_shown(files):
    path = Path("/proc/self/environ")
    refused("process", files.read, path, files.real(path))


def test_unreadable(files):
    path = files.roots[0] / "f"
    path.write_bytes(b"x")
    path.chmod(0)
    if os.geteuid() == 0:
        assert files.read(path) == b"x"
    else:
        refused("denied", files.read, path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_as_root_the_owner_stays_the_owner(files):
    root = files.roots[0]
    os.chown(root, 4711, 4712)
    files.write(root / "new/f", b"1", expect=None)
    files.write(root / "new/f", b"2", expect=digest(b"1"))
    assert {(at.stat().st_uid, at.stat().st_gid) for at in (root / "new", root / "new/f")} == {(4711, 4712)}


def test_a_root_that_is_missing(tmp_path):
    with pytest.raises(HarnessError, match="cannot be worked in"):
        Files((tmp_path / "none",))


def test_a_directory_moved_away_after_the_session_began(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    files = Files((project,))
    project.rename(tmp_path / "moved")
    project.mkdir()
    refused("moved", files.write, project / "f", b"x", expect=None)
    assert os.listdir(project) == os.listdir(tmp_path / "moved") == []
    files.close()
