"""The conversation with one program: turns from a queue, questions, control requests at any time, and how it ends."""

import signal
import sys
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Any
from uuid import uuid4

import anyio

from harness import answers, slash
from harness.errors import EXIT_OK, EXIT_TERMINATED, HarnessError
from harness.events import Event, Notice, PermissionRequest, Result, SubagentEvent, UserMessage
from harness.lines import StreamLines
from harness.messages import ToolResult
from harness.mux import Mux, Source
from harness.options import SessionOptions
from harness.providers.port import Model
from harness.sdk import control, questions
from harness.sdk.argv import Asked
from harness.sdk.mirror import Mirror
from harness.sdk.prompts import Prompt, prompt
from harness.sdk.wire import Eof, Json, Refused, Wire
from harness.session import Session, open_session
from harness.start import Start
from harness.turn import Turn

# The line types that SDKs know; our others say nothing that they could use.
TOLD = frozenset({"system", "assistant", "user", "result", "stream_event", "tool_progress"})
JOBS = 5.0  # seconds for background jobs to end by themselves, once nothing more is said
CLEAR = frozenset({"/clear", "/reset", "/new"})


class _TurnEnd:
    """A turn is over: the next prompt may begin."""


class _Clear:
    """A new conversation is wanted in place of this one."""


class _Nothing:
    """What a source that only works says: never."""


Item = Event | Json | str | Eof | _TurnEnd | _Clear | _Nothing


class Host:
    """Turns for one program. `queue` holds prompts that wait; each of them gets its own result."""

    def __init__(
        self, session: Session, wire: Wire, asked: Asked, options: SessionOptions, *, forward: bool = False
    ) -> None:
        self.wire, self._asked, self._options, self._forward = wire, asked, options, forward
        self.queue: deque[Prompt] = deque()
        self._sessions = AsyncExitStack()  # those that began after the first
        self._enter(session)
        self._seen: set[str] = set()
        self._current: Prompt | None = None
        self._result: Result | None = None
        self._asking: dict[str, Source] = {}
        self._input: Source | None = None
        self._terminated = self._silent = False
        self._left: anyio.CancelScope | None = None  # the wait for what runs in the background

    def _enter(self, session: Session) -> None:
        """Speak for this session from now on."""
        flags, self.session = self._asked.flags, session
        self._lines = StreamLines(
            session.id, partial=flags.partial_messages, hooks=flags.hook_events, subagent_text=self._forward
        )
        self._mirror = Mirror(session.origin.file) if self._asked.mirror and session.origin.journal else None

    @property
    def busy(self) -> bool:
        return self._current is not None

    @property
    def _over(self) -> bool:
        """Nothing is said any more, or listened to, and nothing is to be answered."""
        return not self.busy and (self._terminated or (self._silent and not self.queue))

    async def run(self, lines: AsyncGenerator[Any, None], early: Sequence[Json | str | Eof]) -> int:
        """Until there is no more input and no prompt waits; the exit code."""
        self._watch_signals()
        async with self._sessions, Mux[Item](self.session.tasks) as mux:
            for line in early:
                await self._take(line, mux)
            if not self._silent:
                self._input = mux.add(lines, paced=False)
            self._begin(mux)
            mux.add(self.session.background.watch())
            if self._over:
                self.session.background.unwatch()
            async for item in mux:
                match item:
                    case dict() | str() | Eof():
                        await self._take(item, mux)
                    case _TurnEnd():
                        self._current = None
                    case _Clear():
                        await self._clear(mux)
                    case _Nothing():
                        pass
                    case _:
                        await self._show(item, mux)
                self._begin(mux)
                if self._over:
                    self.session.background.unwatch()
            await self._leave(mux)
        if self._terminated:
            return EXIT_TERMINATED
        return self._result.exit_code if self._result and self._result.is_error else EXIT_OK

    async def _leave(self, mux: Mux[Item]) -> None:
        """What runs in the background has a little time; every job that was told of is told to its end."""
        with anyio.CancelScope() as self._left:
            await self.session.background.leave(0 if self._terminated else JOBS)
        await self.session.background.leave()
        for event in self.session.background.news():
            if not (self._result and self._result.is_error):  # an error result must be the last word
                await self._show(event, mux)

    def _begin(self, mux: Mux[Item]) -> None:
        if self._current is None and self.queue and not self._terminated:
            self._current = self.queue.popleft()
            self.session.clerk.prompt = self._current.uuid
            if self.session.checkpoints:
                self.session.checkpoints.message = self._current.uuid
            mux.add(self._turn(self._current))

    async def _take(self, line: Json | str | Eof, mux: Mux[Item]) -> None:
        """Something that the program said."""
        if isinstance(line, Eof):
            self._silent = True
            if not self._seen and self.session.waits:
                self.queue.append(Prompt(""))  # resumed without a word: the call that waits is what there is to do
        if isinstance(line, str):
            _tell(f"Warning: {line}")
        if not isinstance(line, dict):
            return
        match line:
            case {"type": "user"}:
                await self._queue(line)
            case {"type": "control_response", "response": dict(response)}:
                self.wire.answered(response)
            case {"type": "control_request", "request": dict(request)}:
                if request.get("subtype") in control.BESIDE:
                    mux.add(self._control(line))
                else:
                    await self.wire.send(await control.answered(self, line))

    async def _control(self, line: Json) -> AsyncGenerator[Item, None]:
        await self.wire.send(await control.answered(self, line))
        yield _Nothing()

    async def _queue(self, line: Json) -> None:
        try:
            given = prompt(line)
        except ValueError as error:
            _tell(f"Warning: {error}; the line is passed over.")
            return
        if given.uuid in self._seen:
            return
        self._seen.add(given.uuid)
        self.queue.append(given)

    async def _turn(self, given: Prompt) -> AsyncGenerator[Item, None]:
        """One turn, and exactly one result, whatever happens."""
        done = False
        if given.text.strip() in CLEAR and not given.verbatim:
            yield _Clear()
            yield _TurnEnd()
            return
        try:
            if given.verbatim or given.more:
                answering = self.session.prompt(given.text, given.more)
            else:
                answering = slash.turn(given.text, self.session)
            async with aclosing(answering) as events:
                async for event in events:
                    done |= isinstance(event, Result)
                    yield event
        except HarnessError as error:
            if done:
                raise
            turn = Turn()
            turn.end("internal_error", str(error))
            yield turn.result(Model(self.session.model, ""))
        yield _TurnEnd()

    async def _clear(self, mux: Mux[Item]) -> None:
        """A new session takes this one's place; the old one lives on until the end, with what it had started."""
        fresh, old = str(uuid4()), self.session
        async for event in old.aside():
            await self._show(event, mux)
        ended = list(old.answered(""))
        reset = {"type": "conversation_reset", "new_conversation_id": fresh, "session_id": old.id, "uuid": str(uuid4())}
        await self.wire.send(reset)
        for event in ended:
            await self._show(event, mux)
        agent = old.origin.options.agent  # that the session was resumed as, too: it forbids
        options = replace(self._options, start=Start(session_id=fresh), mode=old.mode, agent=agent)
        try:
            session = await self._sessions.enter_async_context(open_session(options))
        except HarnessError as error:
            _tell(f"Error: no new conversation could begin: {error}")
            return
        old.background.unwatch()
        self._enter(session)
        mux.add(session.background.watch())

    async def _show(self, event: Event, mux: Mux[Item]) -> None:
        if isinstance(event, PermissionRequest):
            if self._options.prompt_tool is None:  # else a server's tool answers it
                self._asking[event.id] = mux.add(self._ask(event))
            return
        if isinstance(event, Notice):
            self.wire.note(f"{event.level}: {event.text}")
        self._close_question(event)
        if isinstance(event, UserMessage) and event.source == "prompt" and self._asked.flags.replay and self._current:
            await self.wire.send(self._echo(self._current))
        for frame in self._mirror.frames() if self._mirror and isinstance(event, Result | UserMessage) else ():
            await self.wire.send(frame)
        for line in self._lines.of(event):
            if line["type"] in TOLD:
                await self.wire.send(self._marked(line) if isinstance(event, Result) else line)
        if isinstance(event, Result):
            self._result = event

    def _close_question(self, event: Event) -> None:
        """A call that has its result asks no more: it was answered, or interrupted."""
        match event:
            case UserMessage(message=ToolResult(call_id)):
                name = call_id
            case SubagentEvent(agent_id=agent, event=UserMessage(message=ToolResult(call_id))):
                name = f"{agent}:{call_id}"
            case _:
                return
        if asking := self._asking.pop(name, None):
            asking.drop()

    def _marked(self, line: Json) -> Json:
        """The result with what it answers."""
        if self._current is None:
            return line
        line["user_message_uuid"] = self._current.uuid
        line["user_message_uuids"] = [self._current.uuid]
        return line | ({"origin": self._current.origin} if self._current.origin else {})

    def _echo(self, given: Prompt) -> Json:
        return {
            "type": "user",
            "message": given.line.get("message"),
            "parent_tool_use_id": None,
            "session_id": self.session.id,
            "uuid": given.uuid,
            "isReplay": True,
        }

    async def _ask(self, event: PermissionRequest) -> AsyncGenerator[Item, None]:
        """Put a question to the program. Where it goes out before the answer, the program is told."""
        try:
            said = answers.read(await self.wire.request(questions.question(event)))
        except Refused as error:
            said = questions.refused(str(error))
        self.session.answer(event.id, said)
        yield _Nothing()

    def _watch_signals(self) -> None:
        import asyncio  # noqa: PLC0415  loaded by anyio already; signals have no portable form there

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        loop.add_signal_handler(signal.SIGINT, lambda: self.session.interrupt())  # noqa: PLW0108  the one of that moment

    def _terminate(self) -> None:
        self._terminated = True
        self.session.interrupt()
        if self._left:
            self._left.cancel()
        if self._over:
            self.session.background.unwatch()
        if self._input:
            self._input.drop()


def _tell(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201
