"""Places that are special by name: what starts programs later, what holds secrets, devices."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

from harness.paths import within
from harness.permissions.paths import Place, Roots
from harness.permissions.patterns import folded
from harness.permissions.tables import names

# Directories and files that later start programs or change rights (`conventions.md` 2.3, and our own).
PROTECTED_DIRS = names(
    ".git .vscode .idea .husky .cargo .devcontainer .yarn .mvn .claude .harness"
)  # fmt: skip
PROTECTED_FILES = names(
    ".gitconfig .gitmodules .bashrc .bash_profile .bash_login .bash_aliases .bash_logout .zshrc .zprofile .zshenv "
    ".zlogin .zlogout .profile .envrc .npmrc .yarnrc .yarnrc.yml .pnp.cjs .pnp.loader.mjs .pnpmfile.cjs bunfig.toml "
    ".bunfig.toml .bazelrc .bazelversion .bazeliskrc .pre-commit-config.yaml lefthook.yml lefthook.yaml "
    ".lefthook.yml .lefthook.yaml gradle-wrapper.properties maven-wrapper.properties .devcontainer.json .ripgreprc "
    "pyrightconfig.json .mcp.json .claude.json"
)


_PROTECTED = PROTECTED_DIRS | PROTECTED_FILES


def protected(where: Place) -> bool:
    """Whether writing here is never approved by a rule. Names count by component, in any case, missing or not."""
    return any(_protected(path) for path in where.both)


def _protected(path: Path) -> bool:
    # Windows and WSL drop trailing dots and blanks, so `.git.` is `.git` there.
    parts = [folded(part).rstrip(". ") for part in path.parts]
    for index, part in enumerate(parts):
        following = parts[index + 1] if index + 1 < len(parts) else ""
        if part in {".claude", ".harness"} and following == "worktrees":
            continue
        if part in PROTECTED_DIRS or (part == ".config" and following == "git"):
            return True
    return parts[-1] in PROTECTED_FILES


def may_be_protected(pattern: str, *, hidden_only: bool = False) -> bool:
    """Whether a shell glob could expand to a protected name (`hidden_only`: to one that starts with a dot).

    A wildcard does not stand for a leading dot; were `dotglob` set, the sandbox would still protect them.
    """
    globs = [part for part in folded(pattern).split("/") if re.search(r"[*?\[]", part)]
    hidden = any(glob.startswith((".", "[")) and fnmatchcase(name, glob) for glob in globs for name in _PROTECTED)
    visible = [name for name in _PROTECTED if not name.startswith(".") and not hidden_only]
    return hidden or any(fnmatchcase(name, glob) for glob in globs for name in visible)


# Where people keep secrets, below any home (`security.md` 3.1, step 5).
_SENSITIVE_HOME = tuple(
    tuple(name.split("/"))
    for name in names(
        ".ssh .aws .gnupg .azure .config/gcloud .config/gh .config/harness .kube .docker .password-store .mozilla "
        ".config/google-chrome .config/chromium .local/share/keyrings .config/op .terraform.d .oci .claude .codex "
        ".gemini .netrc .git-credentials .npmrc .pypirc .pgpass .my.cnf .vault-token .bash_history .zsh_history "
        ".python_history .psql_history .cargo/credentials.toml .config/pip/pip.conf .gem/credentials "
        ".m2/settings.xml .harness/settings.json"
    )
)
_SENSITIVE = re.compile(
    r"/etc/(g?shadow-?|sudoers(\.d)?|ssl/private|ssh/ssh_host\w*_key)(/|\Z)|/proc/[^/]+/(environ|mem|cmdline)\Z|/root(/|\Z)"
)


def sensitive(where: Place, roots: Roots) -> bool:
    """Whether reading here asks even where reads are free: keys, tokens, histories, other processes."""
    return any(_sensitive(path, roots.home) for path in where.both)


def _sensitive(path: Path, home: Path) -> bool:
    text = folded(str(path))
    if _SENSITIVE.match(text) and not within(path, home):
        return True
    parts = folded(str(path.relative_to(home))).split("/") if within(path, home) else text.strip("/").split("/")[2:]
    return any(tuple(parts[: len(secret)]) == secret for secret in _SENSITIVE_HOME)


_HARMLESS_DEVICES = (Path("/dev/null"), Path("/dev/shm"))  # noqa: S108  names to compare, nothing is opened


def device(path: Path) -> bool:
    """Devices other than the harmless ones: reading `/dev/zero` never ends."""
    below = within(path, Path("/dev")) and path != Path("/dev")
    return below and not any(within(path, each) for each in _HARMLESS_DEVICES)
