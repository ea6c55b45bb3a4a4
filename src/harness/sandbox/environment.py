"""The environment of a command: an allow-list, so that no key and no handle to a desktop session gets in."""

import fnmatch
import os
from collections.abc import Mapping
from pathlib import Path

from harness.sandbox.policy import Policy

_ALLOWED = """
    PATH LANG LANGUAGE TERM COLORTERM USER LOGNAME SHELL TZ NO_COLOR FORCE_COLOR CI VIRTUAL_ENV PYTHONPATH
    PYTHONHASHSEED PYTHONUTF8 PYENV_ROOT PYENV_VERSION CONDA_PREFIX CONDA_DEFAULT_ENV NVM_DIR NVM_BIN
    NODE_PATH NODE_ENV JAVA_HOME M2_HOME GRADLE_HOME GOROOT GOPATH GOFLAGS CARGO_HOME RUSTUP_HOME SDKMAN_DIR
    ANDROID_HOME GEM_HOME GEM_PATH RBENV_ROOT DOTNET_ROOT LD_LIBRARY_PATH LIBRARY_PATH CPATH PKG_CONFIG_PATH
    MANPATH CC CXX CFLAGS CXXFLAGS LDFLAGS MAKEFLAGS NIX_PATH NIX_PROFILES LOCALE_ARCHIVE SOURCE_DATE_EPOCH
"""
ALLOWED = frozenset(_ALLOWED.split())
SECRETS = ("OPENAI_*", "ANTHROPIC_*", "HARNESS_*", "*_API_KEY", "*_AUTH_TOKEN")

# Nothing may wait for a person: no pager, no editor, no password question.
QUIET = {
    "TERM": "dumb",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "MANPAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "DEBIAN_FRONTEND": "noninteractive",
}
PROGRAMS = Path("/run/harness")  # programs of ours that a command may use: a directory of the sandbox's own
_TEMPORARY = Path("/tmp")  # noqa: S108  private: a tmpfs of the sandbox


def private(temporary: Path) -> dict[str, str]:
    """What sends temporary files and caches to a directory that ends with the command."""
    return {
        "TMPDIR": str(temporary),
        "XDG_CACHE_HOME": f"{temporary}/.cache",
        "npm_config_cache": f"{temporary}/.npm",
        "PIP_CACHE_DIR": f"{temporary}/.pip",
    }


def sandboxed(policy: Policy, home: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a command in the sandbox sees. `policy.env` is added last and may replace anything."""
    kept = {name: value for name, value in environ.items() if name in ALLOWED or name.startswith("LC_")}
    kept.setdefault("PATH", os.defpath)
    kept["PATH"] += f"{os.pathsep}{PROGRAMS}"
    kept |= {**QUIET, **private(_TEMPORARY), "HOME": str(home), "HARNESS_SANDBOX": "1"}
    if policy.project_readonly:
        kept["PYTHONDONTWRITEBYTECODE"] = "1"
    return kept | dict(policy.env) | dict(policy.inside)


def unsandboxed(
    policy: Policy, secret: tuple[str, ...] = (), environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """What a command outside the sandbox sees: the user's environment without keys, and nothing of a repository's,
    whose variables may choose what programs load. `secret`: more names."""
    patterns = (*SECRETS, *secret)
    kept = {
        name: value
        for name, value in environ.items()
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }
    return kept | QUIET | dict(policy.env)
