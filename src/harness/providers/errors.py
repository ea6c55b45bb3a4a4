"""What a server's refusal means: kind, whether waiting helps, the limit it names, and what would mend it.

The class of an HTTP status is not the class of the error: llama.cpp answers 500 to many mistakes of the
client, Z.ai 429 to an empty balance. So the text is read first, by an ordered table.
"""

import email.utils
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import ProviderError, ProviderErrorKind, Retry
from harness.providers.overflow import Overflow, read_overflow
from harness.providers.patterns import Lazy, words


class ServerError(ProviderError):
    """A refusal, read. Token counts are None where the server told none; `fix` names a known remedy."""

    def __init__(
        self, kind: ProviderErrorKind, what: str, *, status: int | None, retry: Retry | None, reading: "Reading"
    ) -> None:
        super().__init__(kind, what, _MENDS.get(reading.fix) or _MENDS.get(kind, ""), status=status, retry=retry)
        self.limit_tokens = reading.limit
        self.used_tokens = reading.used
        self.reduce = reading.reduce
        self.fix = reading.fix
        self.hint = reading.hint


@dataclass(frozen=True, slots=True)
class Reading:
    kind: ProviderErrorKind
    retry: bool = False
    limit: int | None = None
    used: int | None = None
    reduce: str = ""  # what has to shrink: max_tokens or input
    fix: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int | None
    message: str  # for people
    text: str  # to be matched
    error: Mapping[str, Any]


def classify(status: int | None, headers: Mapping[str, str], body: str) -> ServerError:
    """Read a refusal: HTTP status, headers, body. `status` None: no answer, and `body` says why."""
    return no_answer(body) if status is None else _classified(_answer(status, body), headers)


def classify_event(error: Any) -> ServerError:
    """Read an error that came inside a stream: the `error` value itself, of whatever type."""
    answer = _answer(None, json.dumps({"error": error}, default=str))
    return _classified(answer, {})


def no_answer(text: str) -> ServerError:
    """There was no HTTP answer: `text` is what the network said."""
    return _error(Reading("network", retry=not words("CERTIFICATE|SSL").search(text)), None, text, None)


def _classified(answer: _Answer, headers: Mapping[str, str]) -> ServerError:
    reading = next(found for rule in _RULES if (found := rule(answer)))
    after = retry_after(headers, answer.text) if reading.retry else None
    return _error(reading, answer.status, answer.message, after)


def _error(reading: Reading, status: int | None, message: str, after: float | None) -> ServerError:
    shown = " ".join(message.split())[:500] or "no reason given"
    what = f"{_TITLES[reading.kind]}{f' (HTTP {status})' if status else ''}: {shown}"
    return ServerError(
        reading.kind, what, status=status, retry=Retry(after) if reading.retry else None, reading=reading
    )


def _answer(status: int | None, body: str) -> _Answer:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, list) and value:
        value = value[0]  # Gemini's compatible endpoint wraps it
    if not isinstance(value, dict):
        return _Answer(status, _title(body), body[:20_000], {})
    inner = value.get("error")
    error: Mapping[str, Any] = inner if isinstance(inner, dict) else value
    said = inner if isinstance(inner, str) else error.get("message") or value.get("message") or value.get("detail")
    message = said if isinstance(said, str) else json.dumps(said or inner or value, ensure_ascii=False)
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    words = [message, raw, error.get("type"), error.get("code"), value.get("error_type")]
    if status is None and str(error.get("code")).isdecimal() and 400 <= int(error["code"]) < 600:
        status = int(error["code"])
    return _Answer(status, message, " ".join(str(word) for word in words if word), error)


def _title(page: str) -> str:
    match = re.search(r"<title[^>]*>(.*?)</title", page[:20_000], re.IGNORECASE | re.DOTALL)
    return match[1].strip() if match else page.strip()[:300]


def retry_after(headers: Mapping[str, str], text: str = "") -> float | None:
    """Seconds to wait, as the server says in `Retry-After` (seconds or a date), reset headers, or words."""
    given = {name.lower(): value.strip() for name, value in headers.items()}
    if (value := given.get("retry-after-ms", "")).isdecimal():
        return int(value) / 1000
    if value := given.get("retry-after", ""):
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return float(value)
        try:
            return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
        except ValueError:
            pass  # neither a number nor a date: as if it were not there
    for name in ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"):
        if (seconds := _duration(given.get(name, ""))) is not None:
            return seconds
    match = _TRY_AGAIN.search(text)
    return float(match[1]) * _UNITS[match[2] or "s"] if match else None


def _duration(text: str) -> float | None:
    """`6s`, `1m30s`, `120ms`."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    return sum(float(n) * _UNITS[unit] for n, unit in parts) if parts else None


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_TRY_AGAIN = words(r"try again (?:in|after) (\d+(?:\.\d+)?) ?(ms|s|m|h)?")


_QUOTA = words(
    r"insufficient[_ ](quota|balance|funds)|exceeded_current_quota|exceeded your current quota|in arrears"
    r"|requires more credits|billing details|\b1113\b"
)
_FILTER = words(
    r"content[_ ]?(policy|filter)|content management policy|safety system|Content Exists Risk"
    r"|sensitive content|was flagged|ResponsibleAI"
)
_TOO_LARGE = words(r"Request too large.*?Limit (\d+), Requested")
_OVERLOADED = words(r"engine_overloaded|overloaded_error|Model is overloaded")
_RATE = words(r"rate[\s_-]*limit|capacity exceeded|High concurrency")
_AUTH = words(r"no_db_connection|invalid_api_key|Authentication Fails|No connected db")
_MISSING = words(r"does not exist|Invalid model name|pinned to|model_not_found|model .{1,200} not found")
_FINAL_500 = words(
    r"json\.exception|Failed to parse|not supported|must be |is required|requires more system memory"
    r"|Unable to generate parser|requires --jinja"
)
_MODEL_WROTE_BADLY = words(
    r"could not parse region as JSON|failed to parse tool call|parse tool call arguments|tool_use_failed"
)

# What a 400 asks for, in the order in which the patterns are tried.
_FIXES: tuple[tuple[str, Lazy], ...] = (
    ("resend_with_reasoning", words(r"reasoning_content.{0,80}(missing|passed back)|Missing .reasoning_content")),
    ("insert_assistant_bridge", words(r"Unexpected role '(user|system)' after role 'tool'|expected.*after tool")),
    ("nine_char_ids", words(r"length (?:of )?9|9 alphanumeric")),
    ("merge_roles", words(r"roles must alternate|must alternate between|consecutive .{0,40}(roles|messages)")),
    ("max_completion_tokens", words(r"max_tokens.{0,60}not supported.{0,120}max_completion_tokens")),
    (
        "text_tools",
        words(
            r"tool choice requires|does not support tools|tools? (use )?(is|are) not supported"
            r"|does not support (tool|function) (use|call)|support tool use|tool-call-parser|requires --jinja"
        ),
    ),
    ("drop_thinking", words(r"does not support thinking|(thinking|reasoning).{0,40}not support|reasoning_effort")),
    ("drop_images", words(r"image.{0,40}not support|does not support (image|vision)|not a multimodal model|mmproj")),
    ("content_empty", words(r"content.{0,60}(None|null|NoneType)|expected.{0,30}string.{0,30}(null|None)")),
    ("sanitize_schema", words(r"JSON schema error|unrecognized type|invalid (json )?schema|schema.{0,40}not support")),
)
_DROPPED = words(
    r"(?:Unknown|Unrecognized|Unsupported|Unexpected) (?:request )?(?:parameter|argument|field)s?"
    r"(?: supplied)?:? *['\"`]?(\w+)|property '(\w+)' is (?:unsupported|not supported)"
)


def _fix(answer: _Answer) -> str:
    detail = re.search(r'"extra_forbidden".*?"loc": *\[([^\]]*)\]', answer.text, re.DOTALL)
    if detail and (names := re.findall(r'"(\w+)"', detail[1])):
        return f"drop_param:{names[-1]}"
    for name, pattern in _FIXES:
        if pattern.search(answer.text):
            return name
    match = _DROPPED.search(answer.text)
    return f"drop_param:{match[1] or match[2]}" if match else ""


def _quota(a: _Answer) -> Reading | None:
    if a.status == 402 or _QUOTA.search(a.text):
        return Reading("quota", reduce="max_tokens" if "fewer max_tokens" in a.text else "")
    return None


def _too_large(a: _Answer) -> Reading | None:
    match = _TOO_LARGE.search(a.text)
    return Reading("rate_limit", limit=int(match[1]), reduce="input") if match else None


def _overflow(a: _Answer) -> Reading | None:
    if a.status == 429 and _RATE.search(a.text):
        return None
    found = read_overflow(a.text, a.error)
    if found is None and a.status == 413:
        found = Overflow()
    return Reading("overflow", limit=found.limit, used=found.used, reduce=found.reduce) if found else None


def _not_found(a: _Answer) -> Reading | None:
    if a.status != 404 and not _MISSING.search(a.text):
        return None
    if (fix := _fix(a)) == "text_tools":  # OpenRouter: no provider of this model knows tools
        return Reading("bad_request", fix=fix)
    nothing_there = re.fullmatch(r"(404 )?(file |page )?not found(_error)?( 404)?", a.text.strip(), re.IGNORECASE)
    wrong_path = a.status == 404 and (nothing_there or not words("model").search(a.text))
    return Reading("not_found", hint="base_url" if wrong_path else "")


def _bad_request(a: _Answer) -> Reading | None:
    if _MODEL_WROTE_BADLY.search(a.text):
        return Reading("bad_request", retry=True)  # the model's slip, not ours: ask once more
    final = a.status is not None and 400 <= a.status < 500 and a.status not in {408, 409, 425}
    return Reading("bad_request", fix=_fix(a)) if final or _FINAL_500.search(a.text) else None


_RULES = (
    _quota,
    lambda a: Reading("content_filter") if _FILTER.search(a.text) else None,
    _too_large,
    _overflow,
    lambda a: Reading("overloaded", retry=True) if _OVERLOADED.search(a.text) else None,
    lambda a: Reading("rate_limit", retry=True) if a.status == 429 or _RATE.search(a.text) else None,
    lambda a: Reading("auth") if a.status in {401, 403} or _AUTH.search(a.text) else None,
    _not_found,
    _bad_request,
    lambda a: Reading("overloaded", retry=True),
)

_TITLES: Mapping[str, str] = {
    "network": "No answer from the model's server",
    "auth": "The server refused the key",
    "not_found": "The server does not have this",
    "rate_limit": "Rate limit reached",
    "overloaded": "The server is overloaded or failed",
    "quota": "The account's quota or balance is used up",
    "overflow": "The conversation is longer than the model's context window",
    "content_filter": "The provider's content filter refused",
    "bad_request": "The server refused the request",
    "protocol": "The answer is not the chat-completions protocol",
}

_MENDS: Mapping[str, str] = {
    "network": "Check that the server runs, and OPENAI_BASE_URL.",
    "auth": "Set OPENAI_API_KEY to a valid key for this server.",
    "rate_limit": "Wait, or use another model or endpoint.",
    "overloaded": "Try again later, or use another model.",
    "quota": "Add credit to the account, or use another endpoint.",
    "overflow": "Compact or clear the conversation, or load the model with a larger window.",
    "content_filter": "Say it differently, or use another model.",
    "protocol": "Check the base URL: it should end where /chat/completions follows, mostly in /v1.",
}
