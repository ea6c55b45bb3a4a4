"""The last word of a request that failed: what the person can do at this endpoint."""

from collections.abc import Awaitable, Callable

from harness.errors import ProviderError
from harness.providers.options import Options
from harness.providers.port import Model


async def explained(
    failure: ProviderError, options: Options, model: Model, models: Callable[[], Awaitable[list[str]]]
) -> ProviderError:
    """The failure with the mend that fits this endpoint. `models` asks it what it serves."""
    at, name = model.endpoint, options.key_name
    if failure.kind == "auth":
        mend = f"{name} holds a key that it does not take" if options.api_key else f"no {name} is set"
        return ProviderError(
            "auth", f"{failure.what} ({at})", f"{mend}: set it to a key for {at}.", status=failure.status
        )
    if failure.kind != "not_found":
        return failure
    try:
        served = await models()
    except ProviderError:
        served = []
    if not served:
        mend = f"Check the base URL {at}: most end in /v1."
        return ProviderError("not_found", f"{failure.what} ({at})", mend, status=failure.status)
    return ProviderError(
        "not_found",
        f"The server at {at} has no model {model.id!r}.",
        f"It has: {', '.join(served[:30])}. Choose with --model NAME or OPENAI_MODEL.",
        status=failure.status,
    )
