"""What of a home and of the system is hidden from commands: secrets, by an allow-list of what tools need.

Lists of secrets are never complete, so every dot entry of a home is hidden but those that hold toolchains. The
few secrets that lie within an allowed entry are hidden by name.
"""

import os
import pwd
import stat
from collections.abc import Iterable
from pathlib import Path

# Dot entries of a home that hold programs and libraries, not secrets.
_TOOLCHAINS = """
    .asdf .bun .cabal .cargo .conda .deno .dotnet .elan .fnm .gem .ghcup .gitconfig .gitignore .goenv
    .gradle .ivy2 .jenv .juliaup .local .m2 .mamba .nix-defexpr .nix-profile .nodenv .nuget .nvm .opam
    .phpenv .pnpm .pyenv .rbenv .rustup .rvm .rye .sbt .sdkman .stack .tfenv .terminfo .venv .venvs
    .virtualenvs .volta
"""
TOOLCHAINS = frozenset(_TOOLCHAINS.split())
# Hidden again within them.
_SECRETS_WITHIN = """
    .cargo/credentials .cargo/credentials.toml .gem/credentials .gradle/gradle.properties .local/share
    .local/state .m2/settings.xml .m2/settings-security.xml .nuget/NuGet/NuGet.Config .sbt/credentials
"""
SECRETS_WITHIN = tuple(_SECRETS_WITHIN.split())
# Shown again within what is hidden.
_SHOWN_WITHIN = """
    .config/git .cache/ms-playwright .local/share/fnm .local/share/man .local/share/mise .local/share/pipx
    .local/share/pnpm .local/share/uv .local/share/virtualenvs
"""
SHOWN_WITHIN = tuple(_SHOWN_WITHIN.split())
# Files that only root can read: a command of root's would.
_ROOT_ONLY = """
    /etc/shadow /etc/shadow- /etc/gshadow /etc/gshadow- /etc/sudoers /etc/sudoers.d /etc/ssl/private
    /etc/krb5.keytab /root
"""
ROOT_ONLY = tuple(_ROOT_ONLY.split())


# A link such as ~/.x -> /usr must not hide the system.
_NEVER = frozenset(Path(name) for name in ("/", "/home", "/usr", "/etc", "/var", "/opt", "/bin", "/lib", "/nix"))


def hidden(homes: Iterable[Path], *, root: bool) -> tuple[Path, ...]:
    """Existing paths to hide, real ones. `root`: the command runs as uid 0, which no file mode stops."""
    homes = list(homes)
    found = [name for home in homes for name in (*_dot_entries(home), *(f"{home / name}" for name in SECRETS_WITHIN))]
    if root:
        found += [*ROOT_ONLY, *map(str, children(Path("/home")))]
    real = {Path(path) for name in found if (path := _coverable(name))}
    return tuple(sorted(real - {*homes, *_NEVER}))


def shown(homes: Iterable[Path]) -> tuple[Path, ...]:
    """Existing directories below hidden ones that commands need."""
    return tuple(path for home in homes for name in SHOWN_WITHIN if stat.S_ISDIR(mode(path := home / name)))


def places(home: Path) -> tuple[Path, ...]:
    """The directories whose entries decide on what is hidden and shown."""
    homes = {real_path(home), home_of(os.geteuid()) or home}
    within = {home / Path(name).parent for home in homes for name in (*SECRETS_WITHIN, *SHOWN_WITHIN)}
    system = {Path(name).parent for name in ROOT_ONLY if name != "/root"} | {Path("/home")}
    return tuple(path for path in (*homes, *within, *system) if path.is_dir())


def home_of(uid: int) -> Path | None:
    """The real home of a user, None where there is none on this machine."""
    try:
        home = Path(os.path.realpath(pwd.getpwuid(uid).pw_dir))
    except KeyError:
        return None
    return home if home.is_dir() and home != Path("/") else None


def _dot_entries(home: Path) -> list[str]:
    try:
        names = os.listdir(home)  # noqa: PTH208  strings: there may be many
    except OSError:
        return []
    start = f"{home}".rstrip("/")  # a home that is the root, as containers have it: `//.ssh` is another Path
    return [f"{start}/{name}" for name in names if name[0] == "." and name not in TOOLCHAINS]


def children(directory: Path) -> list[Path]:
    """What lies in a directory, sorted; nothing where we may not look."""
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []  # not there, or not ours to read: then not the command's either


def real_path(path: Path) -> Path:
    """`path` with a link in its last part followed; its parents are real already."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def mode(path: Path) -> int:
    """`st_mode` with links followed, 0 where there is nothing or where we may not look."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116  as Path.stat, a third of its time
    except OSError:
        return 0


def _coverable(name: str) -> str:
    """The real path, '' for what is not there or, as a socket or a device, cannot be covered by a file."""
    try:
        kind = os.stat(name).st_mode  # noqa: PTH116
    except OSError:
        return ""
    if not stat.S_ISDIR(kind) and not stat.S_ISREG(kind):
        return ""
    return os.path.realpath(name) if os.path.islink(name) else name  # noqa: PTH114
