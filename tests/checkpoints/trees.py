"""A directory by hash: bytes, mode bits, link targets, empty directories."""

import hashlib
import os
import stat
from pathlib import Path


def picture(root: Path, *, without: tuple[str, ...] = (".git",)) -> dict[str, tuple[str, ...]]:
    """Every name below `root` with what it is; top-level names in `without` left out."""
    found: dict[str, tuple[str, ...]] = {}
    for place, directories, files in os.walk(root):
        if place == str(root):
            directories[:] = [name for name in directories if name not in without]
            files[:] = [name for name in files if name not in without]
        for name in (*directories, *files):
            path = os.path.join(place, name)
            state = os.lstat(path)
            mode = f"{stat.S_IMODE(state.st_mode):04o}"
            key = os.path.relpath(path, root)
            if stat.S_ISLNK(state.st_mode):
                found[key] = ("link", os.readlink(path))
            elif stat.S_ISDIR(state.st_mode):
                found[key] = ("directory", mode)
            else:
                with open(path, "rb") as file:
                    found[key] = ("file", mode, hashlib.sha256(file.read()).hexdigest())
    return found
