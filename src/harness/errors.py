"""What can go wrong, in the words a person needs: what is wrong, and how to mend it."""

from dataclasses import dataclass
from typing import Literal

EXIT_OK = 0
EXIT_ERROR = 1  # the result is an error
EXIT_USAGE = 2
EXIT_TRY_LATER = 75  # sysexits' EX_TEMPFAIL: overloaded, rate limited, endpoint down
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143

ProviderErrorKind = Literal[
    "network",  # no answer: nothing listens, connection broken, time-out
    "auth",
    "not_found",
    "rate_limit",
    "overloaded",
    "quota",
    "overflow",
    "content_filter",
    "bad_request",
    "protocol",  # an answer that is not the protocol: HTML, a stream that ended early
]

# The same in the words of SDKs (`conventions.md` 1.5), which have none for a network that failed.
CATEGORIES: dict[str, str] = {
    "auth": "authentication_failed",
    "not_found": "model_not_found",
    "rate_limit": "rate_limit",
    "overloaded": "overloaded",
    "quota": "billing_error",
    "overflow": "invalid_request",
    "content_filter": "invalid_request",
    "bad_request": "invalid_request",
    "protocol": "server_error",
}


class HarnessError(Exception):
    """An error to show a person: `what` happened, and the `mend` (a command, a flag, or a step).

    `exit_code` is what a headless run ends with.
    """

    exit_code = EXIT_ERROR

    def __init__(self, what: str, mend: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.what}\n{self.mend}" if self.mend else self.what


class UsageError(HarnessError):
    """A flag, a setting or an environment variable that cannot be used."""

    exit_code = EXIT_USAGE


class SandboxUnavailable(HarnessError):
    """No sandbox at the level asked for can be had here."""


@dataclass(frozen=True, slots=True)
class Retry:
    """When a failed request may be tried again: `after` is in seconds, None where the server did not say."""

    after: float | None = None


class ProviderError(HarnessError):
    """The model's server failed, or refused. `retry` is None where asking again cannot help."""

    def __init__(
        self,
        kind: ProviderErrorKind,
        what: str,
        mend: str = "",
        *,
        status: int | None = None,
        retry: Retry | None = None,
    ) -> None:
        super().__init__(what, mend)
        self.kind: ProviderErrorKind = kind
        self.status = status
        self.retry = retry
        self.exit_code = EXIT_TRY_LATER if kind in {"network", "rate_limit", "overloaded"} else EXIT_ERROR


class ToolError(HarnessError):
    """A tool's failure that the model can mend: it becomes the call's error result, `what` and `mend` both."""
