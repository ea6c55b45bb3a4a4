"""A session's checkpoints: before a call with effects its files are kept, and that is said before the call begins.

The look after one call is what is known before the next. It is taken in a thread while the model answers; before a
call only watches are asked (`watch`), or all is compared again where they cannot tell.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

from harness.errors import HarnessError
from harness.events import Event, Notice, Stopped, System

if TYPE_CHECKING:  # loaded in the thread: the first request is not to wait for them
    from harness.checkpoints.back import Rewound
    from harness.checkpoints.scan import Scanner
    from harness.checkpoints.store import Store
    from harness.checkpoints.watch import Watch
    from harness.effects import Effect

POLITE = 0.05  # seconds that a look in the background leaves to the request which is just being sent
T = TypeVar("T")
_OFF = frozenset({"1", "true", "yes", "on"})


def unwanted(cwd: Path, env: Mapping[str, str], *, setting: bool, persist: bool) -> str:
    """Why this session has no checkpoints; '' where it has."""
    if not persist:
        return "this session is not kept on disk (--no-session-persistence)"
    if not setting:
        return "fileCheckpointingEnabled is false in the settings"
    if env.get("CLAUDE_CODE_DISABLE_FILE_CHECKPOINTING", "").lower() in _OFF:
        return "CLAUDE_CODE_DISABLE_FILE_CHECKPOINTING is set"
    asked = env.get("CLAUDE_CODE_ENABLE_SDK_FILE_CHECKPOINTING", "").lower() in _OFF
    if env.get("CLAUDE_CODE_ENTRYPOINT", "").startswith("sdk-") and not asked:
        return "an SDK must ask for file checkpointing (enable_file_checkpointing)"
    home = Path(env.get("HOME") or Path.home())
    if cwd == home or cwd in home.parents:
        return f"{cwd} holds whole homes: start in a project's directory"
    return ""


class Checkpoints:
    """`start` begins something that nobody waits for. `roots` are the working directories, `home` our state's.

    Nothing here raises but `rewind`: what goes wrong is told once as a notice, and there are no further checkpoints.
    """

    def __init__(
        self,
        roots: tuple[Path, ...],
        home: Path,
        session_id: str,
        days: float,
        start: Callable[[Callable[[], Coroutine[Any, Any, None]]], None],
    ) -> None:
        self._roots, self._home, self._session, self._days, self._start = roots, home, session_id, days, start
        self._store: Store | None = None
        self._scanner: Scanner | None = None
        self._watch: Watch | None = None
        self._running: anyio.Event | None = None
        self._hurry = anyio.Event()
        self._closing = False
        self._problem: HarnessError | None = None
        self._silent = False  # the problem has been told
        self._snapshot = ""  # of the last look; '' where nothing is known
        self._told = ""  # the snapshot that the current prompt's last checkpoint line names
        self._prompt = 0
        self.message = ""  # the id that a program gave the current prompt

    async def turn(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The events of a turn: its files are looked at while the model answers."""
        self.begin()
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Stopped) and (kept := self.ended()):
                    yield kept
                yield event

    async def around(
        self, call_id: str, effects: "Sequence[Effect]", running: AsyncGenerator[Event | T, None]
    ) -> AsyncGenerator[Event | T, None]:
        """A call, after what it can change has been kept; what it did is looked at while the model answers."""
        async with aclosing(running):
            if kept := await self.before(call_id, effects):
                yield kept
            try:
                async for item in running:
                    yield item
            finally:
                self.after(effects)

    def begin(self) -> None:
        """A prompt has come."""
        self._prompt, self._told = self._prompt + 1, ""
        self._look_aside(None)

    async def before(self, call_id: str, effects: "Sequence[Effect]") -> Event | None:
        """The checkpoint before a call: to be written down before the call begins. None where nothing is new."""
        if not _touches(effects):
            return None
        await self._known()
        if self._problem:
            told, self._silent = self._silent, True
            text = f"No checkpoints from here on: {self._problem.what}"
            return None if told else Notice(level="warning", cause="checkpoints", text=text, mend=self._problem.mend)
        return self._line(call_id)

    def after(self, effects: "Sequence[Effect]") -> None:
        """The call has ended: look at what it did."""
        from harness.effects import Writes  # noqa: PLC0415  there by now: a call has told its effects

        if _touches(effects):
            files = all(isinstance(effect, Writes) for effect in effects)
            self._look_aside({str(e.path.parent) for e in effects if isinstance(e, Writes)} if files else None)

    def ended(self) -> Event | None:
        """The checkpoint of a prompt that did nothing to files, if its look has come to an end."""
        if self._told or self._problem or not (self._snapshot or self.message):
            return None
        if self._running:  # not known yet, and nothing has been changed
            return System(subtype="checkpoint", data=self._data("", "")) if self.message else None
        return self._line("")

    async def rewind(self, snapshot: str, *, dry: bool = False) -> "Rewound":
        """Make the files what they were. Raises HarnessError; then nothing has changed."""
        from harness.checkpoints.rewind import rewind  # noqa: PLC0415

        await self._known()

        def work() -> "Rewound":
            store, scanner, _ = self._opened()
            done = rewind(store, scanner, snapshot, dry=dry)
            store.record(done.before, self._session, self._prompt)
            return done

        done = await anyio.to_thread.run_sync(work)
        self._snapshot = ""
        return done

    def close(self) -> None:
        self._closing = True
        self._hurry.set()
        if self._scanner:
            self._scanner.stop = True
        if self._running is None:
            self._close()

    def _line(self, call_id: str) -> Event | None:
        if self._snapshot == self._told:
            return None
        self._told = self._snapshot
        return System(subtype="checkpoint", data=self._data(self._snapshot, call_id))

    def _data(self, snapshot: str, call_id: str) -> dict[str, Any]:
        return {"snapshot": snapshot, "call": call_id} | ({"prompt": self.message} if self.message else {})

    async def _known(self) -> None:
        """Wait until the files are known as they are now."""
        self._hurry.set()
        while self._running:
            await self._running.wait()
        if self._problem:
            return
        dirty = self._watch.changed() if self._watch and self._snapshot else None
        if dirty is None or dirty:
            self._look_aside(dirty)
            self._hurry.set()
            while self._running:
                await self._running.wait()

    def _look_aside(self, dirty: set[str] | None) -> None:
        if self._running or self._problem or self._closing:
            return
        self._running, self._hurry = anyio.Event(), anyio.Event()

        async def look() -> None:
            try:
                with anyio.move_on_after(POLITE):
                    await self._hurry.wait()
                if not self._closing:
                    await anyio.to_thread.run_sync(self._look, dirty)
            finally:
                done, self._running = self._running, None
                if done:
                    done.set()
                if self._closing:
                    self._close()

        self._start(look)

    def _look(self, dirty: set[str] | None) -> None:
        """In the thread."""
        from harness.checkpoints.scan import Stopped  # noqa: PLC0415

        try:
            store, scanner, watch = self._opened()
            more = watch.changed()
            scanner.stop = self._closing
            self._snapshot = scanner.look(None if more is None or dirty is None or not self._snapshot else dirty | more)
            store.record(self._snapshot, self._session, self._prompt)
            if store.due():
                store.sweep(self._days)
        except Stopped:
            self._snapshot = ""
        except HarnessError as error:
            self._problem = error
        except Exception as error:  # noqa: BLE001  a fault of ours: the session goes on without
            self._problem = HarnessError(f"the files cannot be looked at ({type(error).__name__}: {error}).")

    def _opened(self) -> "tuple[Store, Scanner, Watch]":
        from harness.checkpoints.scan import Scanner  # noqa: PLC0415
        from harness.checkpoints.store import Store, store_file, sweep_unused  # noqa: PLC0415
        from harness.checkpoints.watch import Watch, local  # noqa: PLC0415

        if self._store is None or self._scanner is None or self._watch is None:
            store = Store(store_file(self._home, self._roots[0]))
            if store.due():
                sweep_unused(self._home, self._days)
            self._prompt += store.last_prompt(self._session)  # a session that goes on
            self._watch = Watch()
            if not all(local(str(root)) for root in self._roots):
                self._watch.close()
            self._store, self._scanner = store, Scanner(store, self._roots, self._home, self._watch)
        return self._store, self._scanner, self._watch

    def _close(self) -> None:
        if self._watch:
            self._watch.close()
        if self._store:
            self._store.close()
            self._store = None


def _touches(effects: "Sequence[Effect]") -> bool:
    from harness.effects import Opaque, Runs, Writes  # noqa: PLC0415  as above

    return any(isinstance(effect, Writes | Runs | Opaque) for effect in effects)
