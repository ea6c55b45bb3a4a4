"""Find and kill the processes of a command, whether or not they still belong to its group."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

MARK = "HARNESS_COMMAND"  # environment variable by which strays are found


def kill(leader: int, mark: str = "") -> None:
    """SIGKILL to the process group that `leader` began, and to every process that carries `mark`.

    A pid namespace dies with its first process, so in the sandbox the group is enough. Outside, children that
    began a session of their own are found by their environment; one that has cleared that too gets away.
    """
    _kill_children(leader)
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass  # all gone
    except PermissionError:
        pass  # macOS says so of a group of zombies
    kill_marked(mark)


def _kill_children(leader: int) -> None:
    """SIGKILL to what it has started, before it dies itself.

    bwrap's inner process leaves the group (--new-session) a moment before it asks to die with its parent: were the
    parent killed just then, the sandbox would live on. The parent is stopped meanwhile: it starts no other, and a
    shell does not go on to its next command because this one has died.
    """
    try:
        os.kill(leader, signal.SIGSTOP)
    except OSError:
        return  # it is over
    for pid in _started_by(leader):
        try:
            number = os.pidfd_open(pid)
        except OSError:
            continue  # it has ended
        try:
            if pid in _started_by(leader):  # the descriptor is of this process, and no later one of its number
                signal.pidfd_send_signal(number, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            os.close(number)


def _started_by(leader: int) -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/{leader}/task/{leader}/children").read_text().split()]
    except OSError:
        return []  # no Linux, or it is over


def kill_marked(mark: str) -> None:
    """SIGKILL to every process that carries `mark`; an empty one is nobody's."""
    if mark:
        for pid in _marked(f"{MARK}={mark}".encode()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # gone meanwhile


def running(leader: int) -> tuple[str, ...]:
    """The command lines of the leaves of a process tree: what a time-out found at work. Linux only."""
    found = []
    for pid in _leaves(leader):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        except OSError:
            continue  # ended meanwhile
        line = b" ".join(words).decode(errors="replace")
        own = words[1:2] == [b"-c"] or words[0].endswith(b"/bwrap")  # the shell with it all, our wall
        if line and pid != leader and not own:
            found.append(line if len(line) <= 100 else line[:99] + "…")
    return tuple(found[:5])


def _leaves(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    if not children:
        yield pid
    for child in children:
        yield from _leaves(int(child))


def _marked(mark: bytes) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)
        except OSError:
            continue  # another user's, or ended
