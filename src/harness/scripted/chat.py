"""A chat-completions request as a script sees it, and whether a strict server would take it at all."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_ROLES = ("system", "developer", "user", "assistant", "tool")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Malformed(ValueError):
    """A request that strict servers refuse; the text says why."""


@dataclass(frozen=True, slots=True)
class Result:
    """A tool's result with the name of the tool that was called."""

    tool: str
    text: str


class Chat:
    """A well-formed request: `fresh` are the results since the model last spoke, `results` are all.

    Raises:
        Malformed: it is not one.
    """

    def __init__(self, raw: bytes, headers: Mapping[str, str]) -> None:
        self.raw, self.headers = raw, headers
        self.body = _object(raw)
        self.messages: list[dict[str, Any]] = _messages(self.body)
        self.offered = _offered(self.body.get("tools"))
        self.results: list[Result] = []
        self.fresh: list[Result] = []
        self._follow()

    @cached_property
    def texts(self) -> list[str]:
        return [content_text(message.get("content")) for message in self.messages]

    @property
    def last_role(self) -> str:
        return str(self.messages[-1]["role"])

    def text_of(self, *roles: str) -> str:
        """The text of the last message in one of `roles`; empty where there is none."""
        return next(iter(self.all_of(*roles)), "")

    def all_of(self, *roles: str) -> list[str]:
        """The texts of all messages in one of `roles`, the newest first."""
        pairs = zip(reversed(self.messages), reversed(self.texts), strict=True)
        return [text for message, text in pairs if message["role"] in roles]

    def _follow(self) -> None:
        """Walk the conversation: each call is answered once, in order, before anything else is said."""
        waiting: dict[str, str] = {}
        for number, (message, text) in enumerate(zip(self.messages, self.texts, strict=True)):
            role, where = message["role"], f"messages[{number}]"
            if role == "tool":
                self._take_result(message, text, where, waiting)
                continue
            if waiting:
                raise Malformed(f"{where}: calls {', '.join(waiting)} have no result before this {role} message")
            if role == "assistant":
                waiting = _calls(message, where)
                self.fresh = []
                if not waiting and not text:
                    raise Malformed(f"{where}: an assistant message with neither content nor tool_calls")
            elif role == "user":
                self.fresh = []
            elif number:
                raise Malformed(f"{where}: a {role} message must be the first")
        if waiting:
            raise Malformed(f"calls {', '.join(waiting)} have no result")
        if self.last_role not in {"user", "tool"}:
            raise Malformed(f"the last message is the {self.last_role}'s: nothing is asked")

    def _take_result(self, message: dict[str, Any], text: str, where: str, waiting: dict[str, str]) -> None:
        call_id = message.get("tool_call_id")
        if not isinstance(call_id, str) or call_id not in waiting:
            raise Malformed(f"{where}: tool_call_id {call_id!r} answers no call of the message before it")
        if call_id != next(iter(waiting)):
            raise Malformed(f"{where}: results must come in the order of the calls; {next(iter(waiting))} is next")
        self.fresh.append(Result(waiting.pop(call_id), text))
        self.results.append(self.fresh[-1])


def content_text(content: Any) -> str:
    """A message's text: a string as it is, of parts the texts joined."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part["type"] == "text")
    return content or ""


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise Malformed("the body is not a JSON object")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Malformed("model: missing, or not a string")
    return body


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Malformed("messages: missing, empty, or not a list")
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        role = message.get("role") if isinstance(message, dict) else message
        if not isinstance(message, dict) or role not in _ROLES:
            raise Malformed(f"{where}: unknown role {role!r}; there are: {', '.join(_ROLES)}")
        _check_content(message, where)
    return messages


def _check_content(message: dict[str, Any], where: str) -> None:
    content = message.get("content")
    if content is None and message["role"] == "assistant":
        return
    if not isinstance(content, str | list) or content == []:
        raise Malformed(f"{where}: content must be a string or a list of parts, not {content!r:.60}")
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise Malformed(f"{where}: a part of the content has no type")
        if part["type"] == "text" and not isinstance(part.get("text"), str):
            raise Malformed(f"{where}: a text part has no text")


def _calls(message: dict[str, Any], where: str) -> dict[str, str]:
    """The calls of an assistant message: id -> tool name, in order."""
    calls = message.get("tool_calls")
    if calls is None:
        return {}
    if not isinstance(calls, list) or not calls:
        raise Malformed(f"{where}: tool_calls must be a list that is not empty")
    named: dict[str, str] = {}
    for index, call in enumerate(calls):
        here = f"{where}.tool_calls[{index}]"
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or call.get("type") != "function":
            raise Malformed(f'{here}: needs type "function" and a function')
        if not isinstance(call.get("id"), str) or not call["id"] or call["id"] in named:
            raise Malformed(f"{here}: id {call.get('id')!r} is missing, empty, or used twice")
        if not isinstance(function.get("name"), str) or not _NAME.fullmatch(function["name"]):
            raise Malformed(f"{here}: name {function.get('name')!r} does not match {_NAME.pattern}")
        _check_arguments(function.get("arguments"), here)
        named[call["id"]] = function["name"]
    return named


def _check_arguments(arguments: Any, where: str) -> None:
    try:
        valid = isinstance(arguments, str) and isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        valid = False
    if not valid:
        raise Malformed(f"{where}: arguments must be the JSON text of an object, not {arguments!r:.80}")


def _offered(tools: Any) -> list[str]:
    """The names of the tools that the request offers."""
    if tools is not None and not isinstance(tools, list):
        raise Malformed(f"tools: must be a list, not {tools!r:.80}")
    names = []
    for tool in tools or []:
        function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
        if not isinstance(function, dict) or not _NAME.fullmatch(str(function.get("name", ""))):
            raise Malformed(f'tools: needs type "function" and a function with a name, not {tool!r:.80}')
        if not isinstance(function.get("parameters", {}), dict):
            raise Malformed(f"tools: the parameters of {function['name']} are no JSON schema object")
        names.append(str(function["name"]))
    return names
