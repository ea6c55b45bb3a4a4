"""Settings files read, limited to what counts from each, and made one."""

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from harness import paths
from harness.errors import UsageError
from harness.messages import MODES, Mode
from harness.settings import trust
from harness.settings.endpoints import endpoints
from harness.settings.keys import REPOSITORY
from harness.settings.layer import Layer, limited, parsed, read
from harness.settings.merge import effective
from harness.settings.places import Place, file_or_json
from harness.settings.values import Asked, AutoMode, Settings, Status

_VENDOR_MODEL = re.compile(r"(claude-.*|default|sonnet|opus|haiku|fable|best|opusplan|inherit)(\[\w+\])?\Z")
# Keys and endpoints: for no command to see.
_SECRET = ("OPENAI_*", "ANTHROPIC_*", "HARNESS_*", "CLAUDE_*", "*_API_KEY", "*_TOKEN", "*SECRET*", "*PASSWORD*")
# What chooses the programs that a command line starts: not for a repository to set, whoever trusts it.
_STARTERS = (
    "PATH", "HOME", "SHELL", "ENV", "BASH*", "IFS", "PS?", "PROMPT_COMMAND", "LD_*", "DYLD_*", "GIT_*", "SSH_*",
    "PYTHON*", "NODE_OPTIONS", "PERL*", "RUBY*", "JAVA_TOOL_OPTIONS", "*PAGER", "*EDITOR", "*_PROXY", "*_proxy",
    "TMPDIR",
)  # fmt: skip
_ORDER = ("user", "project", "local", "file", "flag", "managed")


def combined(cwd: Path, home: Path, places: Iterable[Place], asked: Asked) -> Settings:
    """What the files at these places, and `--settings`, come to in a session in `cwd`.

    Raises:
        UsageError: `--settings` cannot be used: who gives it is there to mend it.
    """
    found = list(_read(places))
    project = [layer for layer in found if layer.source in REPOSITORY]
    person = [limited(layer, True) for layer in found if layer.source not in REPOSITORY]
    person += [_given(asked.given, cwd)] if asked.given else []
    brings = project or os.path.lexists(cwd / ".mcp.json")
    status, problems = _status(home, cwd, person, project, asked) if brings else (Status(cwd), [])
    judged = [limited(layer, status.trusted) for layer in project]
    if status.trusted:
        person_only = [layer for layer in judged if layer.ignored]
        problems += [f"{x.name}: only your own settings may set {', '.join(x.ignored)}." for x in person_only]
    else:
        status = replace(status, ignored=tuple(_ignored(layer, cwd) for layer in judged if layer.ignored))
    layers = sorted((*person, *judged), key=lambda layer: _ORDER.index(layer.source))  # stable: as read
    told = (*(problem for layer in layers for problem in layer.problems), *problems)
    return _settings(tuple(layers), told, status)


def _read(places: Iterable[Place]) -> Iterator[Layer]:
    for place in places:
        if layer := read(place.path, place.source, place.base):
            yield replace(layer, vendor=place.vendor)


def _given(value: str, cwd: Path) -> Layer:
    """`--settings`: rules of a file start where it is, those of JSON itself where the session does."""
    raw, path = file_or_json("--settings", value, cwd)
    layer = parsed(Layer("file", str(path), path.parent) if path else Layer("flag", "--settings", cwd), raw)
    if layer.problems:
        raise UsageError(" ".join(layer.problems), "Correct what --settings gives.")
    return limited(layer, True)


def _status(
    home: Path, cwd: Path, person: Collection[Layer], project: Sequence[Layer], asked: Asked
) -> tuple[Status, list[str]]:
    if asked.trust_project:
        return Status(cwd, "trusted"), []
    places = [path for layer in person for path in layer.get("trustedPaths") or ()]
    listed = any(paths.within(cwd, paths.resolve(path, cwd)) for path in places)
    known = {Path(layer.name): layer.raw for layer in project}
    try:
        return Status(cwd, trust.state(home, cwd, known, listed=listed)), []
    except UsageError as error:
        return Status(cwd), [str(error).replace("\n", " ")]
    except OSError as error:
        return Status(cwd), [f"Trust cannot be recorded in {home}: {error.strerror}."]


def _ignored(layer: Layer, cwd: Path) -> str:
    return f"{paths.shown(Path(layer.name), cwd)} ({', '.join(layer.ignored)})"


def _settings(layers: tuple[Layer, ...], problems: tuple[str, ...], status: Status) -> Settings:
    """The settings that these layers, the lowest first and limited to what counts, come to."""
    all_ = Layer("flag", "", Path(), effective(layers))
    get = all_.get
    enabled, auto_allow = get("sandbox.enabled"), get("sandbox.autoAllowBashIfSandboxed")
    forbidden: set[Mode] = set()
    if get("permissions.disableBypassPermissionsMode") == "disable":
        forbidden.add("bypassPermissions")
    if "disable" in (get("permissions.disableAutoMode"), get("disableAutoMode")):
        forbidden.add("auto")
    aliases = get("modelAliases") or {}
    fallback = get("fallbackModel") or ()
    return Settings(
        layers=layers,
        problems=problems,
        trust=status,
        model=_model(layers, aliases),
        base_url=get("endpoint.baseUrl"),
        ca_file=get("endpoint.caFile"),
        aliases=aliases,
        endpoint=get("endpoint.name"),
        endpoints=endpoints(get("endpoints") or {}),
        context_window=get("endpoint.contextWindow"),
        max_output=get("endpoint.maxOutput"),
        prices=get("prices") or {},
        effort=get("effortLevel"),
        fallback_models=tuple(fallback.split(",") if isinstance(fallback, str) else fallback),
        mode=_mode(get("permissions.defaultMode")),
        output_style=get("outputStyle") or "default",
        forbidden_modes=frozenset(forbidden),
        directories=tuple(get("permissions.additionalDirectories") or ()),
        sandbox=enabled is not False,
        sandbox_level=get("sandbox.mode") or "full",
        sandbox_needed=get("sandbox.failIfUnavailable") is True,
        # `sandbox.enabled: true` keeps the meaning that people's settings were written for
        auto_allow=True if enabled and auto_allow is None else auto_allow,
        unsandboxed=get("sandbox.allowUnsandboxedCommands") is not False,
        excluded=tuple(get("sandbox.excludedCommands") or ()),
        ignored=_untold(get("sandbox.ignoreViolations")),
        auto_mode=_auto_mode(get),
        deny_read=tuple(get("sandbox.filesystem.denyRead") or ()),
        deny_write=tuple(get("sandbox.filesystem.denyWrite") or ()),
        allow_read=tuple(get("sandbox.filesystem.allowRead") or ()),
        allow_write=tuple(get("sandbox.filesystem.allowWrite") or ()),
        compact_at=get("autoCompactPercent") or 80,
        compact_window=int(get("autoCompactWindow") or 0) or None,
        auto_compact=get("autoCompactEnabled") is not False,
        memory_excluded=tuple(get("claudeMdExcludes") or ()),
        memory_of_owner=get("claudeMd") or "",
        auto_memory=get("autoMemoryEnabled"),
        auto_memory_directory=get("autoMemoryDirectory"),
        allow_domains=tuple(get("sandbox.network.allowedDomains") or ()),
        deny_domains=tuple(get("sandbox.network.deniedDomains") or ()),
        only_listed_domains=get("sandbox.network.strictAllowlist") is True,
        retention=30 if get("cleanupPeriodDays") is None else max(0, get("cleanupPeriodDays")),
        checkpoints=get("fileCheckpointingEnabled") is not False,
        environment=_environment(layers),
        project_environment=_environment(layers, repository=True),
        own_environment={k: v for layer in layers if layer.source not in REPOSITORY for k, v in _env(layer)},
    )


def _auto_mode(get: Callable[[str], Any]) -> AutoMode:
    timeout = get("autoMode.timeout") or 0
    return AutoMode(
        environment=tuple(get("autoMode.environment") or ()),
        allow=tuple(get("autoMode.allow") or ()),
        deny=(*(get("autoMode.deny") or ()), *(get("autoMode.soft_deny") or ())),
        all_shell=bool(get("autoMode.classifyAllShell")),
        model=get("autoMode.model"),
        endpoint=get("autoMode.endpoint"),
        timeout=timeout if timeout > 0 else AutoMode().timeout,
    )


def _mode(text: str | None) -> Mode | None:
    return next((mode for mode in MODES if mode == ("default" if text == "manual" else text)), None)


def _model(layers: tuple[Layer, ...], aliases: Mapping[str, str]) -> str | None:
    """The highest model, but a vendor's own name in a file for its program only where the person has mapped it."""
    for layer in reversed(layers):
        model = layer.get("model")
        if model and (model in aliases or not (layer.vendor and _VENDOR_MODEL.match(model))):
            return str(model)
    return None


def _env(layer: Layer) -> Iterator[tuple[str, str]]:
    yield from (layer.get("env") or {}).items()


def _untold(written: Any) -> dict[str, list[str]]:
    listed = written.items() if isinstance(written, dict) else ()
    return {name: [str(path) for path in places] for name, places in listed if isinstance(places, list)}


def _environment(layers: tuple[Layer, ...], *, repository: bool = False) -> dict[str, str]:
    """The variables of the person's layers; `repository`: those whose last word is a repository's."""
    found: dict[str, str] = {}
    for layer in layers:
        theirs = layer.source in REPOSITORY
        barred = (*_SECRET, *_STARTERS) if theirs else _SECRET
        for name, value in _env(layer):
            if theirs == repository and not any(fnmatchcase(name, pattern) for pattern in barred):
                found[name] = value
            elif repository:
                found.pop(name, None)  # a higher layer of the person's says otherwise
    return found
