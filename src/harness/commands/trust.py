"""`harness trust [DIR]`: let a project's own settings count until they change; `--revoke` takes it back."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from harness import paths
from harness.errors import EXIT_OK, HarnessError, UsageError
from harness.render import safe
from harness.settings import trust


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"harness trust: {message}.", "Try: harness trust, or harness trust DIR --revoke")


def main(argv: Sequence[str]) -> int:
    """Record or revoke trust, and say in what; returns the exit code.

    Raises:
        HarnessError: no such directory, content that cannot be read, or a record that cannot be written.
    """
    p = _Parser(prog="harness trust", description="Let a project's own settings count, until they change.")
    p.add_argument("directory", nargs="?", default=".", metavar="DIR", help="the project (default: this directory)")
    p.add_argument("--revoke", action="store_true", help="trust it no longer")
    given = p.parse_args(argv)
    project = paths.resolve(given.directory, Path.cwd()).resolve()
    if not project.is_dir():
        raise UsageError(f"harness trust: {given.directory} is no directory.", "Name a project's directory.")
    home = paths.config_home()
    try:
        text = _revoked(home, project) if given.revoke else _granted(home, project)
    except OSError as error:
        raise HarnessError(
            f"Trust cannot be recorded in {home}: {error.strerror}.", "Mend that directory's permissions."
        ) from None
    print(safe(text))  # noqa: T201
    return EXIT_OK


def _granted(home: Path, project: Path) -> str:
    content = trust.inventory(project)
    if not content:
        return f"{project} brings no settings, hooks or servers: there is nothing to trust."
    trust.grant(home, project, trust.digest(content))
    return "\n".join([f"Trusted until one of these changes, in {project}:", *(f"  {name}" for name in sorted(content))])


def _revoked(home: Path, project: Path) -> str:
    return f"{project} is trusted no longer." if trust.revoke(home, project) else f"{project} was not trusted."
