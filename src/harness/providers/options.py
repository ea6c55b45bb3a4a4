"""What a connection is made from: base URL, key, model, time-outs. Read from settings, flags, environment."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from harness.errors import UsageError
from harness.providers.profile import Price

MAX_RETRIES = 15
FIRST_BYTE = 600.0  # seconds; loading a model and reading a long prompt take minutes
IDLE = 300.0  # seconds without a byte in the middle of an answer


@dataclass(frozen=True, slots=True)
class Options:
    """Times are in seconds. `key_name` is the variable or setting that a wrong key is to be mended in.

    `base_url` None: look for a server on this machine. `model` None: the default, else the only one served.
    """

    base_url: str | None = None
    api_key: str | None = None
    key_name: str = "OPENAI_API_KEY"
    model: str | None = None
    default_model: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    fallback_models: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None
    proxy: str | None = None  # instead of those of the environment
    effort: str | None = None
    context_window: int | None = None  # in tokens, as is max_output: the person knows better than any server
    max_output: int | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)  # by model
    connect_timeout: float = 10.0
    first_byte_timeout: float = FIRST_BYTE
    idle_timeout: float = IDLE
    max_retries: int = 10
    learnt_file: Path | None = None  # where what servers teach is remembered
    server: str = ""  # its kind, where nobody asks it
    apart: bool = False  # deltas one by one, as the server cut them, and not as the network brought them
    record: Path | None = None  # a directory for every request and answer

    @classmethod
    def from_environment(cls, env: Mapping[str, str], **settings: object) -> "Options":
        """Options out of `env`; `settings` (those that are not None) win over it,
        but OPENAI_MODEL over a default model.

        Raises:
            UsageError: a variable holds no number, or a key that no header can hold.
        """
        found: dict[str, object] = {
            "base_url": env.get("OPENAI_BASE_URL") or None,
            "api_key": (env.get("OPENAI_API_KEY") or "").strip() or None,
            "ca_file": env.get("HARNESS_CA_FILE") or None,
            "first_byte_timeout": _milliseconds(env, "API_TIMEOUT_MS", FIRST_BYTE),
            "idle_timeout": _milliseconds(env, "CLAUDE_STREAM_IDLE_TIMEOUT_MS", IDLE),
            "learnt_file": _cache_home(env) / "harness" / "learnt.json",
            "max_retries": min(_number(env, "CLAUDE_CODE_MAX_RETRIES", 10), MAX_RETRIES),
        }
        found.update({name: value for name, value in settings.items() if value is not None})
        found["default_model"] = env.get("OPENAI_MODEL") or settings.get("default_model")
        return cls(**found)  # type: ignore[arg-type]  # names and types are those of the fields


def _cache_home(env: Mapping[str, str]) -> Path:
    """The platform's cache directory, by its own rules; a library for this would cost start-up 10 ms."""
    home = Path(env.get("HOME") or Path.home())
    usual = home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache"
    return Path(env.get("XDG_CACHE_HOME") or usual)


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal():
        raise UsageError(f"{name}={text!r} is not a number.", f"Set {name} to a whole number, or unset it.")
    return int(text)


def _milliseconds(env: Mapping[str, str], name: str, default: float) -> float:
    return _number(env, name, int(default * 1000)) / 1000


def normal_base_url(text: str) -> str:
    """A base URL as it is used: with scheme, without the last `/` or `/chat/completions`, `/v1` if bare.

    Raises:
        UsageError: no HTTP address.
    """
    text = text.strip()
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port out of range
        usable = False
    if not usable:
        raise UsageError(
            f"The base URL {text!r} is no HTTP address.", "Set OPENAI_BASE_URL like http://localhost:8000/v1"
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def shown_url(base_url: str) -> str:
    """The base URL without user and password."""
    parts = urlsplit(base_url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def checked_key(options: Options) -> str | None:
    """The key, fit for a header.

    Raises:
        UsageError: it holds something that no header can.
    """
    key = options.api_key
    if key and not (key.isascii() and key.isprintable()):
        raise UsageError(
            f"{options.key_name} holds characters that no key has (a line break, perhaps).",
            f"Set {options.key_name} again, without quotes or line breaks.",
        )
    return key
