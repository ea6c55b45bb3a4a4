"""A session: its wiring and its lifetime. Every surface drives this one, and reads the same events."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio.abc import TaskGroup

from harness import beginnings, hooking, paths, prompt, serving
from harness.asks import Answer, Asks
from harness.calls import Calls
from harness.confine import Confinement
from harness.contacts import asking
from harness.context.keeper import Keeper
from harness.context.work import in_work
from harness.definitions import Definitions
from harness.errors import UsageError
from harness.events import Event, Notice, Result, Stopped, System, UserMessage
from harness.files import Files
from harness.hooks.verdict import Verdict
from harness.loop import Deps, compact, run
from harness.memory import Memory, told
from harness.messages import Assistant, Mode, Text, User, UserPart
from harness.mux import aside
from harness.options import SessionOptions
from harness.permissions import removed_tools
from harness.permit import starting_permit
from harness.providers.port import Provider, Request, Told
from harness.request import Interrupt
from harness.sandbox import ShellLater, open_shell
from harness.session import life
from harness.session.agents import Agents, Parent
from harness.session.background import Background
from harness.session.clerk import Clerk, restored
from harness.session.models import Models
from harness.session.origin import Origin
from harness.settings import Settings
from harness.toolbox import Toolbox
from harness.tools import TOOLS
from harness.tools.tool import Context, Seen
from harness.turn import Turn

if TYPE_CHECKING:
    from harness.classifier import Classifier
    from harness.context.account import Account
    from harness.questions import Questions


class Session:
    """One conversation. A surface iterates `prompt`, answers what is asked, and may steer or interrupt."""

    def __init__(
        self, options: SessionOptions, chosen: Settings, provider: Provider, tasks: TaskGroup, origin: Origin
    ) -> None:
        self.id, self.origin, results = origin.id, origin, origin.results
        self._options, self.models, self.tasks, self._cwd = options, Models(provider), tasks, options.cwd.resolve()
        self.connect_classifier: Callable[[], Awaitable[Provider]] | None = None
        self.said: list[str] = []  # by the person: what auto mode's classifier is shown
        self._confinement = Confinement(options, chosen, self._cwd, results)
        files = Files((self._cwd, *self._confinement.directories))
        self._plan_file = beginnings.plan_file(options, chosen, self.id)
        roots, granted = self._confinement.roots(files.real, self._plan_file), self._confinement.granted()
        self.permit = self._confinement.follow(starting_permit(options, chosen, roots, granted), roots)
        self._asks = Asks() if options.interactive or options.prompt_tool else None
        self._interrupt, self._running, self._begins, self._started = Interrupt(), False, True, ""  # said by hooks
        self._toolbox = Toolbox(removed_tools(self.permit.rules, TOOLS), options.tools)
        denied, held = partial(removed_tools, self.permit.rules), self._confinement.held(lambda: self.mode)
        self.servers = serving.opened(options, chosen, self._toolbox, tasks, results, denied, held)
        self._prompting = serving.prompting(options, self.servers, self._asks, tasks, self.answer)
        ask = asking(self._asks, lambda: self.mode, self._hold)
        gate = self._confinement.gate(lambda: self.permit.rules, partial(aside, tasks), ask)
        policy = lambda: self._confinement.policy(self.mode)  # noqa: E731
        shell = ShellLater(partial(open_shell, policy, results, sandboxed=held is not None, gate=gate))
        context = Context(self._cwd, files, shell, results, hidden=self.permit.hidden, search=self._toolbox.search)
        self.background = Background(options, tasks, lambda: self.mode, self._kept)
        context.seen, context.jobs = (seen := Seen()), self.background.jobs
        self.clerk = Clerk(origin.journal, self._live, seen)
        self.memory = Memory.load(beginnings.memory(options, chosen, self._cwd))
        self._chosen, self._notices = chosen, list(origin.notices)
        hooks, problems = hooking.opened(options, chosen, self._confinement, self.permit, tasks, self._hook_input)
        self._notices += [Notice(level="warning", cause="hooks", text=text) for text in problems]
        self.checkpoints = beginnings.checkpoints(options, chosen, files.roots, self.id, tasks)
        calls = Calls(
            self._toolbox,
            context,
            self.permit.decide,
            lambda: self.mode,
            self.permit.allow_rule,
            lambda path: told(self.memory.after_reading(path)),
            self._asks,
            hooks,
            self.permit.update,
            offer=lambda call, effects, ask: self.questions.offer(call, effects, ask),  # noqa: PLW0108  as below
            save=lambda texts: self.questions.save(texts),  # noqa: PLW0108
            classify=lambda call, ask: self.classifier.judge(call, ask),  # noqa: PLW0108  made when it is needed
            checkpoints=self.checkpoints,
            placed=self._confinement.leaving(lambda: self.mode).placed,
            defers=options.defers and (options.served or origin.journal is not None),
        )
        self._keeper = self._compacting(context, files, results)
        self.compacts = self._keeper.wanted.auto  # by itself, when the conversation grows too long
        self._deps = Deps(tasks, provider, calls, self._interrupt, self._keeper, options.limits, options.heartbeat)
        self._deps.contract = life.contract(options, self._toolbox)
        place = origin, self._cwd, self.models, self._toolbox, calls, self.permit, self._keeper
        self.agents = Agents(Parent(*place, lambda: self.definitions, self._environment, chosen.aliases))
        context.spawn = self.agents.spawner(context)
        messages = restored(origin.past, context, self.clerk)
        self._state = life.state(options, messages, origin.past)
        self._notices += beginnings.warnings(chosen, self.permit.rules, self.memory.notices, roots)

    def _compacting(self, context: Context, files: Files, results: Path) -> Keeper:
        return Keeper(
            self.tasks,
            self.models.now,
            self._interrupt,
            beginnings.compaction(self._chosen, self._options.env),
            results,
            todos=lambda: context.todos,
            memory=self.memory.opening,
            facts=self._environment,
            in_work=lambda room: self.background.standing() + in_work(files, self._cwd, self._state.ledger.files, room),
            before=lambda trigger, focus: hooking.before_compaction(self._deps, trigger, focus),
            after=lambda trigger, text: hooking.after_compaction(self._deps, trigger, text),
            heartbeat=self._options.heartbeat,
        )

    def _hold(self, answer: Answer) -> None:
        """What an answer says beyond its own question holds from now on."""
        for rule in answer.rules:
            self.permit.allow_rule(rule)
        self._deps.calls.updates(answer.updates)
        if answer.save and answer.rules:
            self._notices.append(self.questions.save(answer.rules))

    @property
    def mode(self) -> Mode:
        return self.permit.mode

    @property
    def waits(self) -> bool:
        """Whether a call that a hook deferred is what the next turn begins with: it needs no prompt."""
        return self._state.pending is not None

    @property
    def cwd(self) -> Path:
        """The directory that the session began in."""
        return self._cwd

    @property
    def model(self) -> str:
        return self.models.now.model.id

    @property
    def sandbox_note(self) -> str:
        return self._confinement.note(self.mode)

    @cached_property
    def definitions(self) -> Definitions:
        """The agents, commands and skills that people wrote."""
        found = life.definitions(self._options, self._chosen, self._cwd)
        self._notices += [Notice(level="warning", cause="definitions", text=text) for text in found.problems]
        return found

    @cached_property
    def questions(self) -> "Questions":
        from harness.questions import Questions  # noqa: PLC0415  with the first question

        return Questions(self.permit, self._cwd, paths.config_home(self._options.env))

    @cached_property
    def classifier(self) -> "Classifier":
        from harness.classifier import Classifier  # noqa: PLC0415  for auto mode only

        return Classifier(
            self.tasks,
            self.connect_classifier or self.models.current,
            self._chosen.auto_mode,
            lambda: self.said,
            self._facts,
            interactive=self._asks is not None,
            heartbeat=self._options.heartbeat,
        )

    def _facts(self) -> dict[str, str]:
        facts = {"directory": str(self._deps.calls.context.cwd), "project": str(self._cwd)}
        return facts | {"what holds commands": self.sandbox_note, "standing instructions": life.standing(self.memory)}

    async def set_model(self, model: str | None) -> None:
        """Speak to another model from the next request on; None: the one that the session began with.

        Raises:
            HarnessError: it cannot be connected to.
        """
        self._deps.provider = self._keeper.provider = await self.models.change(model)

    def set_mode(self, mode: str) -> None:
        """Change the permission mode, from the next decision on. Raises UsageError, see `Permit.set_mode`."""
        self.permit.set_mode(mode)
        if "classifier" in self.__dict__:
            self.classifier.denials.forgive()

    def tell(self, told: Told) -> None:
        """Show this to the person when the next turn begins."""
        self._notices.append(life.notice(told))

    def steer(self, text: str) -> None:
        """Say something to a turn that runs: the model reads it with its next request."""
        self.said.append(text)
        self._state.inbox.append(User((Text(text),)))

    def interrupt(self, *, ahead: bool = False) -> None:
        """End the turn that runs (`ahead`: or is about to); its result still comes."""
        if self._running or ahead:
            self._interrupt.request()

    def answer(self, question_id: str, answer: Answer) -> bool:
        """Answer a `permission_request`; False where that question is no longer open."""
        if self._asks is None or not self._asks.answer(question_id, answer):
            return False
        if answer.reason and self._prompting is None:  # a tool's words are not the person's
            self.said.append(answer.reason)
        if answer.decision == "allow" and "classifier" in self.__dict__:
            self.classifier.denials.forgive()
        return True

    async def prompt(self, text: str, more: tuple[UserPart, ...] = (), typed: str = "") -> AsyncGenerator[Event, None]:
        """One turn; `more` is what its prompt holds besides text, `typed` what the person said where that is not it.
        What is durable is kept before it is yielded."""
        self._running = True
        self.said += [typed or text] if text else []
        try:
            if self._begins:
                async with aclosing(self._begun()) as beginning:
                    async for event in beginning:
                        yield event
            async for event in self.aside():
                yield event
            if not self._state.messages and (instructions := self.memory.opening()):
                self._state.messages.append(User((Text(instructions),)))
                yield self._kept(UserMessage(message=User((Text(instructions),)), source="harness"))
            turn = run(self._user(text, more), self._state, self._deps)
            async with aclosing(self.checkpoints.turn(turn) if self.checkpoints else turn) as events:
                async for event in events:
                    for gone in self.agents.left() if isinstance(event, Stopped) else ():
                        yield self._kept(gone)
                    yield self._kept(event)
        finally:
            self._running = self._interrupt.requested = False
            self._deps.calls.context.shell.discard()

    async def aside(self) -> AsyncGenerator[Event, None]:
        """How a turn without the model begins: what the surface must know, and nothing said to anybody."""
        yield self._kept(System(subtype="init", data=self._init()))
        while self._notices:
            yield self._kept(self._notices.pop(0))

    def answered(self, text: str, failure: str = "") -> Iterator[Event]:
        """How such a turn ends: with the text, or with what went wrong."""
        self._interrupt.requested = False
        turn = Turn(text=text)
        turn.end("command_failed" if failure else "completed", failure)
        yield self._kept(Stopped(reason=turn.ended))
        yield self._kept(turn.result(self.models.now.model))

    def account(self) -> "Account":
        """What the next request will hold, by category."""
        return self._keeper.account(self._next())

    async def compact(self, focus: str = "") -> AsyncGenerator[Event, None]:
        """Let a summary take the place of the conversation, but for its last exchanges.

        Raises:
            HarnessError: even so it would not fit.
        """
        self._running = True
        try:
            async with aclosing(compact(self._state, self._deps, "manual", focus)) as events:
                async for event in events:
                    yield self._kept(event)
        finally:
            self._running = self._interrupt.requested = False

    def compacted(self) -> str:
        """What of ours a compaction would keep: for who wants to look before."""
        return self._keeper.preview(self._next(), self._state.ledger)

    def _next(self) -> Request:
        return Request("", self._state.system, self._state.messages, self._toolbox.specs)

    def rename(self, title: str) -> None:
        """Name the session. Raises HarnessError where that cannot be kept."""
        self.clerk.rename(title)

    def close(self) -> None:
        self.clerk.close()
        self._deps.calls.context.files.close()

    async def _begun(self) -> AsyncGenerator[Event, None]:
        """Before the first turn: what SessionStart hooks say goes to the end of its prompt."""
        self._begins, place = False, (self._deps, self._keeper, self._toolbox, self.servers, self._prompting)
        try:
            async with aclosing(life.begun(*place, self.agents, self._notices)) as items:
                async for item in items:
                    if isinstance(item, Verdict):
                        self._started = item.context
                    else:
                        yield self._kept(item)
        except UsageError:
            self._begins = True  # and the next prompt's turn does not begin, either
            raise

    async def end(self) -> None:
        await life.ended(self._deps, self.servers, self.__dict__.get("classifier"))

    def _hook_input(self) -> dict[str, Any]:
        return life.hook_input(self.origin, self._deps.calls.context.cwd, self.mode, self._options.agent)

    def _user(self, text: str, more: tuple[UserPart, ...]) -> User | None:
        """The prompt, and what of the session's facts the model was not told yet, or was told otherwise. None: none."""
        begun = not self._started or any(isinstance(message, Assistant) for message in self._state.messages)
        started = "" if begun else f"<hook>\n{self._started}\n</hook>"
        facts = prompt.untold(self._environment(), self._state.messages)
        return User((Text(text), *more, *map(Text, filter(None, (facts, started))))) if text or more else None

    def _environment(self) -> str:
        allowed = beginnings.unasked(self.permit.rules, self._confinement.granted(), self.mode)
        facts = self._cwd, self.mode, self.sandbox_note, self._asks is None, allowed, self._plan_file
        return prompt.environment(prompt.Facts(*facts, self._confinement.programs, life.small(self._keeper)))

    def _kept(self, event: Event) -> Event:
        return self.clerk.keep(event.held_by(self._confinement.level) if isinstance(event, Result) else event)

    def _live(self) -> dict[str, Any]:
        """What is kept beside the messages, and comes back with them when the session is gone on with."""
        context, model = self._deps.calls.context, self.models.now.model
        kept = {"mode": self.mode, "model": model.id, "endpoint": model.endpoint, "agent": self._options.agent}
        return {**kept, "cwd": str(context.cwd), "todos": [dict(todo) for todo in context.todos]}

    def _init(self) -> dict[str, Any]:
        return beginnings.init(self._options, self._chosen, self.definitions) | {
            "agents": list(self.agents.known()),
            "tools": ["Task" if name == "Agent" else name for name in self._toolbox.next],
            "model": self.model,
            "permissionMode": self.mode,
            "mcp_servers": self.servers.listed if self.servers else [],
            "endpoint": self.models.now.model.endpoint,
            "sandbox": self._confinement.level,
        }
