"""Servers that answer like each kind of server: on real sockets, with the bodies that their APIs give."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tests.providers.server import HELLO, RawServer, Say, answer, serving

Door = Any  # what a path answers: a JSON value, a function of the body that was asked, or a `Say`


def doors(paths: Mapping[str, Door]) -> Say:
    """Answers by path; what is not there is 404, as a page."""

    async def say(asked: Any, writer: Any) -> None:
        door = paths.get(asked.path)
        if callable(door) and asked.body and not asked.path.endswith("/chat/completions"):
            door = door(asked.json)
        done = door if callable(door) else answer("<html>", 404) if door is None else answer(json.dumps(door))
        await done(asked, writer)

    return say


@asynccontextmanager
async def kind(paths: Mapping[str, Door], chat: Say = HELLO) -> AsyncIterator[RawServer]:
    async with serving(doors({"/v1/chat/completions": chat, **paths})) as server:
        yield server


def listed(**entry: Any) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": "m", "object": "model", **entry}]}


VLLM = {"/v1/models": listed(owned_by="vllm", max_model_len=40960), "/version": {"version": "0.33.0"}}
SGLANG = {"/v1/models": listed(owned_by="sglang", max_model_len=65536)}
LLAMA = {
    "/v1/models": listed(owned_by="llamacpp", meta={"n_ctx": 8192, "n_ctx_train": 131072}),
    "/props": {
        "default_generation_settings": {"n_ctx": 2048},
        "build_info": "b1-0c1e570",
        "chat_template": "{% if enable_thinking %}",
        "chat_template_caps": {"supports_tools": True},
        "modalities": {"vision": False},
    },
}
LM_STUDIO_OLD = {
    "/v1/models": listed(owned_by="organization_owner"),
    "/api/v0/models": {
        "data": [
            {"id": "m", "type": "vlm", "state": "loaded", "max_context_length": 131072, "loaded_context_length": 4096}
        ]
    },
}
LM_STUDIO = {
    "/v1/models": listed(owned_by="organization_owner"),
    "/api/v1/models": {
        "models": [
            {
                "key": "m",
                "max_context_length": 262144,
                "capabilities": {"vision": False, "trained_for_tool_use": True},
                "loaded_instances": [{"id": "m", "config": {"context_length": 8192}}],
            }
        ]
    },
}
OPENROUTER = {
    "/v1/models": listed(
        context_length=262144,
        top_provider={"context_length": 131072, "max_completion_tokens": 65536},
        supported_parameters=["tools", "max_tokens"],
        architecture={"input_modalities": ["text"]},
        pricing={"prompt": "0.0000004", "completion": "0.0000016", "input_cache_read": "0.0000001"},
    )
}
LITELLM = {
    "/v1/models": listed(owned_by="openai"),
    "/model/info": {
        "data": [
            {
                "model_name": "m",
                "model_info": {
                    "max_input_tokens": 200000,
                    "max_output_tokens": 8192,
                    "supports_function_calling": True,
                    "input_cost_per_token": 1e-06,
                    "output_cost_per_token": 2e-06,
                },
            }
        ]
    },
}
TGI = {
    "/v1/models": listed(owned_by="org"),
    "/info": {"model_id": "org/m", "version": "3.3.0", "max_total_tokens": 16384, "max_input_tokens": 16000},
}
PLAIN = {"/v1/models": listed(owned_by="somebody")}


def ollama(window: int = 4096, loaded: Callable[[], bool] = lambda: True) -> dict[str, Door]:
    """Of a model that could hold 128K; `loaded` says whether it is in memory yet."""

    async def ps(asked: Any, writer: Any) -> None:
        running = [{"name": "m:latest", "model": "m:latest", "context_length": window}] if loaded() else []
        await answer(json.dumps({"models": running}))(asked, writer)

    show = {
        "capabilities": ["completion", "tools", "thinking"],
        "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 131072},
        "parameters": "stop                           <|im_end|>\ntemperature                    0.7",
    }
    return {"/v1/models": listed(owned_by="library"), "/api/ps": ps, "/api/show": lambda _body: show}
