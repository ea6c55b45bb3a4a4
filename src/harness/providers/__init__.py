"""Model servers. `connect` is the door: nothing else here need be known outside, but the port's types.

Importing this loads no httpx; connecting does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.providers.options import Options, normal_base_url, shown_url
from harness.providers.port import Told

if TYPE_CHECKING:
    from harness.providers.chat import ChatProvider
    from harness.providers.profiler import Aside

__all__ = ["ALIASES", "ModelChoice", "Options", "connect"]

# Names of models that people's scripts and agents know; each is mapped by settings, or means the default.
ALIASES = frozenset({"default", "sonnet", "opus", "haiku", "fable", "best", "opusplan", "inherit"})


class ModelChoice(UsageError):
    """A model has to be chosen. `models` is what the server has, for asking the person."""

    def __init__(self, what: str, mend: str, models: Sequence[str]) -> None:
        super().__init__(what, mend)
        self.models = tuple(models)


async def connect(options: Options, tell: Callable[[Told], None], aside: "Aside | None" = None) -> "ChatProvider":
    """A provider for these options. Where base URL, model and profile are known, nothing is asked of the server yet.

    `tell` gets what people should know: a server found, an alias that is not mapped. `aside` starts work that
    nobody waits for: finding out what the server is, while the first request is made.

    Raises:
        UsageError: options that cannot be used; `NoServer` and `ModelChoice` where the person has to choose.
        ProviderError: the list of models was needed and could not be had.
    """
    if options.base_url:
        base_url = normal_base_url(options.base_url)
    else:
        from harness.providers.discover import find_servers, only_one  # noqa: PLC0415  only where needed

        server = only_one(await find_servers())
        base_url = server.base_url
        options = replace(options, api_key=None)  # a key is for the server that it was set with
        tell(Told("server_found", f"Found {server.name} at {base_url}; no key is sent to it."))
    from harness.providers.chat import ChatProvider  # noqa: PLC0415  the door to httpx

    model = chosen_model(options, tell)
    if not model:
        provider = ChatProvider(options, base_url, "")
        try:
            served = await provider.models()
        finally:
            await provider.aclose()
        model = _only_one(served, shown_url(base_url))
    provider = ChatProvider(options, base_url, model)
    provider.use_profile(aside)
    return provider


def chosen_model(options: Options, tell: Callable[[Told], None]) -> str | None:
    """The model that options name, aliases resolved; None where they name none."""
    wanted = _resolved(options.model or options.default_model, options.aliases)
    if wanted not in ALIASES:
        return wanted
    default = _resolved(options.default_model, options.aliases)
    default = None if default in ALIASES else default
    meant = default or "the only model served"
    tell(Told("alias", f"The model alias {wanted!r} is not mapped; using {meant}.", "Map it in settings."))
    return default


def _resolved(name: str | None, aliases: Mapping[str, str]) -> str | None:
    for _ in range(5):  # an alias may lead to another, but not for ever
        name = aliases.get(name or "") or name
    return name or None


def _only_one(served: Sequence[str], endpoint: str) -> str:
    if len(served) == 1:
        return served[0]
    if not served:
        raise ModelChoice(
            f"The server at {endpoint} has no model loaded.", "Load one, or name one with --model.", served
        )
    raise ModelChoice(
        f"The server at {endpoint} has several models: {', '.join(served[:50])}.",
        f"Choose one: --model {served[0]}, or OPENAI_MODEL={served[0]}, for example.",
        served,
    )
