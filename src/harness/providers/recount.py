"""An exact count where the estimate is not good enough: by the server's tokenizer, else by a vocabulary on disk.

Nothing here is ever downloaded, and no server is waited for longer than `WAIT`.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio
import anyio.to_thread

from harness.providers.body import read_json
from harness.providers.counting import whole
from harness.providers.http import httpx
from harness.providers.port import Request
from harness.providers.profile import Profile

if TYPE_CHECKING:
    import tiktoken

WAIT = 1.0  # seconds

# Vocabularies of tiktoken: the name of the file in its cache (SHA-1 of the address it came from) and its SHA-256.
# Source: tiktoken_ext/openai_public.py.
_ON_DISK = {
    "o200k_base": (
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
    "cl100k_base": (
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
}


async def recounted(
    client: httpx.AsyncClient, base_url: str, profile: Profile | None, request: Request, body: bytes
) -> int | None:
    """Tokens of a request, of which `body` is what will be sent; None where only an estimate is to be had."""
    route = profile.tokenizer if profile else ""
    count = await by_server(client, base_url.removesuffix("/v1"), route, json.loads(body)) if route else None
    return count or await anyio.to_thread.run_sync(by_vocabulary, request)


async def by_server(
    client: httpx.AsyncClient, root: str, route: Literal["", "vllm", "llama.cpp"], body: Mapping[str, Any]
) -> int | None:
    """What the server's tokenizer makes of a chat request's body; None where it has no such door or is slow."""
    ask = {name: body[name] for name in ("model", "messages", "tools") if name in body}
    with anyio.move_on_after(WAIT):
        if route == "vllm":
            answer = await _post(client, f"{root}/tokenize", {**ask, "add_generation_prompt": True})
            return _positive(answer.get("count"))
        if route == "llama.cpp":
            prompt = (await _post(client, f"{root}/apply-template", ask)).get("prompt")
            if isinstance(prompt, str):
                found = (await _post(client, f"{root}/tokenize", {"content": prompt, "add_special": True})).get(
                    "tokens"
                )
                return _positive(len(found) if isinstance(found, list) else 0)
    return None


async def _post(client: httpx.AsyncClient, url: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        response = await client.post(url, json=body)
    except (httpx.HTTPError, httpx.InvalidURL):
        return {}
    answer = read_json(response.text) if response.status_code == 200 else None
    return answer if isinstance(answer, dict) else {}


def _positive(count: Any) -> int | None:
    """No count of a prompt is 0: llama.cpp says so to a question that it did not understand."""
    return count if isinstance(count, int) and count > 0 else None


def by_vocabulary(request: Request) -> int | None:
    """The count by tiktoken, where a vocabulary is whole on this disk."""
    encoding = cached_encoding()
    if encoding is None:
        return None
    return round(whole(request, lambda text: len(encoding.encode_ordinary(text))))


def cached_encoding() -> "tiktoken.Encoding | None":
    """The newest encoding that tiktoken would find without asking the network."""
    named = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    directory = Path(named or Path(tempfile.gettempdir(), "data-gym-cache"))
    for name, (file, digest) in _ON_DISK.items():
        # tiktoken would fetch one that is damaged
        if (path := directory / file).is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            import tiktoken  # noqa: PLC0415  half a second, where it is of use

            return tiktoken.get_encoding(name)
    return None
