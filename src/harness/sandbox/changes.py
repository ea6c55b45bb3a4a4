"""Whether anything appeared or went where the sandbox looks, told by the kernel (inotify) instead of by looking again.

Only to spare work: a sandbox that waits is looked over in full (`Made.unchanged`) unless everything that decides on
it was watched since before it was made, and nothing happened. What another machine does to a network file system is
not told; the mounts are checked in any case.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from harness import inotify
from harness.sandbox import masks
from harness.sandbox.policy import Policy
from harness.sandbox.protect import ALWAYS, scanned

MOST = 5000  # directories; adding one takes a few microseconds
_NAMES = inotify.MOVED | inotify.CREATE | inotify.DELETE | inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.ONLYDIR
_WRITTEN = inotify.MODIFY | inotify.CLOSE_WRITE


class Changes:
    """`quiet` is False as soon as something may have changed, for good."""

    def __init__(self, policy: Policy) -> None:
        self._inotify = inotify.Inotify()
        self._quiet = self._inotify.works
        self._places: dict[int, str] = {}
        if self._quiet:
            self._watch_all(policy)

    def quiet(self) -> bool:
        self.settle(())
        return self._quiet

    def settle(self, own: Iterable[Path]) -> None:
        """Take note of what happened; `own` are entries that we made ourselves."""
        ours = {str(path) for path in own}
        for number, _, name in self._inotify.happened() if self._quiet else ():
            if f"{self._places.get(number)}/{name}" not in ours:
                self._quiet = False

    def close(self) -> None:
        self._quiet = False
        self._inotify.close()

    def _watch_all(self, policy: Policy) -> None:
        for root in (policy.project, *policy.write):
            directories, gits = scanned(root)
            # Worktrees and submodules keep their configuration elsewhere: too rare to follow.
            if len(directories) > MOST or any(not git.is_dir() or (git / "modules").exists() for git in gits):
                self._quiet = False
                return
            for directory in (*directories, *(str(root / name) for name in (*ALWAYS, ".config"))):
                self._watch(directory, _NAMES)
            for git in gits:
                for inside in (str(git), str(git / "info")):
                    self._watch(inside, _NAMES | _WRITTEN)
        for place in masks.places(policy.home):
            self._watch(str(place), _NAMES)

    def _watch(self, directory: str, mask: int) -> None:
        number = self._inotify.add(directory, mask)
        if number >= 0:
            self._places[number] = directory
        elif os.path.isdir(directory):  # noqa: PTH112  the user's watches are used up, or it cannot be read
            self._quiet = False
