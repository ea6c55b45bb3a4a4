"""The list of models that a server has."""

from typing import Any

import anyio

from harness.errors import ProviderError
from harness.providers.attempt import no_answer
from harness.providers.body import read_json
from harness.providers.errors import classify
from harness.providers.http import httpx
from harness.providers.options import shown_url

_LIMIT = 10.0  # seconds


async def list_models(client: httpx.AsyncClient, base_url: str) -> list[str]:
    """The ids behind GET /models, in the server's order.

    Raises:
        ProviderError: no answer, a refusal, or an answer of another kind.
    """
    try:
        with anyio.fail_after(_LIMIT):
            response = await client.get(f"{base_url}/models")
    except TimeoutError as error:
        raise ProviderError(
            "network", f"{shown_url(base_url)} sent no list of models within {_LIMIT:g} s.", "Look into its log."
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise no_answer(error, shown_url(base_url), _LIMIT) from error
    if response.status_code != 200:
        raise classify(response.status_code, response.headers, response.text)
    ids = read_ids(read_json(response.text))
    if ids is None:
        raise ProviderError("protocol", f"{shown_url(base_url)}/models is no list of models.", "Check the base URL.")
    return ids


def read_ids(value: Any) -> list[str] | None:
    """The ids in a decoded answer; None where it is no list of models."""
    entries = value.get("data") if isinstance(value, dict) else value
    if not isinstance(entries, list):
        return None
    return [entry["id"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
