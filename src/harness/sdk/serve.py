"""One process for one program: first `initialize`, then turns from a queue, with control requests at any time."""

import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import replace
from functools import partial
from typing import TextIO
from uuid import uuid4

import anyio

from harness.errors import EXIT_ERROR, HarnessError, ProviderError, UsageError
from harness.lines import StreamLines
from harness.mcp.remote import ServerFailed
from harness.options import SessionOptions
from harness.providers.port import Model
from harness.sdk import control
from harness.sdk.argv import Asked, parse
from harness.sdk.host import Host
from harness.sdk.welcome import Brought, brought, payload
from harness.sdk.wire import Eof, Json, Refused, Wire
from harness.session import open_session
from harness.turn import Turn


def main(words: Sequence[str]) -> int:
    """Serve the program that started us; the exit code tells how the last turn ended."""
    try:
        asked = parse(words)
        options = _options(asked)
    except UsageError as error:
        _tell(f"Error: {error}")
        return EXIT_ERROR
    for warning in asked.warnings:
        _tell(warning)
    with ExitStack() as stack:
        log = _log(asked, stack)
        return anyio.run(_serve, asked, options, Wire(sys.stdin.fileno(), sys.stdout.fileno(), log))


def _options(asked: Asked) -> SessionOptions:
    options = SessionOptions.from_flags(asked.flags, interactive=asked.flags.prompt_tool == "stdio")
    return replace(options, apart=asked.flags.partial_messages, served=True, defers=True)


def _log(asked: Asked, stack: ExitStack) -> Callable[[str], None]:
    if asked.debug_file is None:
        return lambda _: None
    try:
        file: TextIO = stack.enter_context(asked.debug_file.open("a", encoding="utf-8"))
    except OSError as error:
        _tell(f"Warning: --debug-file {asked.debug_file} cannot be written: {error.strerror}.")
        return lambda _: None
    return lambda line: print(line, file=file, flush=True)


async def _serve(asked: Asked, options: SessionOptions, wire: Wire) -> int:
    lines = wire.lines()
    given, early = await _welcomed(lines, wire, options)
    agents, send = (*options.agents, *given.agents), partial(_to_server, wire)
    options = replace(options, hooks=given.hooks, agents=agents, mcp_send=send, skills=given.skills)
    ran = False
    try:
        async with open_session(options) as session, aclosing(lines):
            ran = True
            host = Host(session, wire, asked, options, forward=given.forward_subagent_text)
            return await host.run(lines, early)
    except HarnessError as error:
        if ran:
            raise
        await wire.send(_stillborn(error, options))
        return EXIT_ERROR


async def _to_server(wire: Wire, server: str, message: Json) -> Json:
    """A message to an MCP server that lives in the program, and its answer."""
    try:
        said = await wire.request({"subtype": "mcp_message", "server_name": server, "message": message})
    except Refused as error:
        raise ServerFailed(str(error)) from error
    answer = said.get("mcp_response")
    return answer if isinstance(answer, dict) else {}


async def _welcomed(
    lines: AsyncGenerator[Json | str | Eof, None], wire: Wire, options: SessionOptions
) -> tuple[Brought, list[Json | str | Eof]]:
    """Answer `initialize`; what else was said before it waits. A program may also begin with a prompt."""
    early: list[Json | str | Eof] = []
    async for line in lines:
        request = line.get("request") if isinstance(line, dict) and line.get("type") == "control_request" else None
        if isinstance(line, dict) and isinstance(request, dict) and request.get("subtype") == "initialize":
            try:
                given = brought(request, wire)
            except ValueError as error:
                await wire.send(control.failure(line.get("request_id"), str(error)))
                continue
            info = payload(replace(options, agents=(*options.agents, *given.agents)))
            await wire.send(control.success(line.get("request_id"), info))
            return given, early
        early.append(line)
        if isinstance(line, Eof) or (isinstance(line, dict) and line.get("type") == "user"):
            break
    return Brought(), early


def _stillborn(error: HarnessError, options: SessionOptions) -> Json:
    """The one result where no session could begin."""
    turn = Turn()
    if isinstance(error, ProviderError):
        turn.fail(error)
        turn.ended = "turn_setup_failed"
    else:
        turn.end("turn_setup_failed", str(error))
    (line,) = StreamLines(str(uuid4())).of(turn.result(Model(options.model or "", "")))
    return line


def _tell(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201
