"""A session's questions to the person: what each offers, what was asked before, and rules that are kept for good."""

from collections.abc import Sequence
from pathlib import Path

from harness import paths
from harness.effects import Effect, Runs, Writes
from harness.errors import HarnessError
from harness.events import Notice
from harness.messages import ToolCall
from harness.permissions import Allow, Ask, Rules
from harness.permissions.decide import decide
from harness.permissions.offer import MOST, Offer, Words, bash_rules, difference, illustrated, words_of
from harness.permissions.shell import Part, judge_command
from harness.permit import Permit
from harness.settings.save import save_rules

_KEPT = 200  # commands that are remembered


class Questions:
    """`home` is the state directory, where trust is recorded."""

    def __init__(self, permit: Permit, cwd: Path, home: Path) -> None:
        self._permit, self._cwd, self._home = permit, cwd, home
        self._asked: list[Words] = []

    def offer(self, call: ToolCall, effects: Sequence[Effect], ask: Ask) -> Offer:
        """What this question offers; from now on it is one of those that were asked."""
        parts = [part for effect in effects if isinstance(effect, Runs) for part in self._missing(effect, call.name)]
        before = tuple(self._asked)
        self._asked = [*self._asked, *(words_of(part.command) for part in parts)][-_KEPT:]
        again = difference(parts, self._permit.effective.allow)
        texts = bash_rules(parts, before) if parts and ask.suggestions else ask.suggestions
        if not 0 < len(texts) <= MOST or not self._helps(call, effects, texts):
            return Offer(again=again)
        commands = {text: part.command for part in parts for text in bash_rules([part], before)}
        offered = tuple(illustrated(text, before, commands.get(text)) for text in texts)
        # a rule for edits lasts as long as the session that they were seen in
        edits = any(isinstance(effect, Writes) for effect in effects) or any(x.startswith("Edit") for x in texts)
        return Offer(offered, savable=not edits, again=again)

    def save(self, texts: Sequence[str]) -> Notice:
        """Keep rules in the project's local settings, for the sessions to come."""
        from harness.sandbox import placeholders  # noqa: PLC0415  with the first rule that is kept

        try:
            # Written into a directory, which keeps its mount in live sandboxes; held, nobody sweeps it meanwhile.
            with placeholders.hold(self._cwd):
                saved = save_rules(self._home, self._cwd, texts)
        except (HarnessError, OSError) as error:
            why = error.what if isinstance(error, HarnessError) else f"{error.strerror}."
            mend = error.mend if isinstance(error, HarnessError) else "It counts for this session."
            return Notice(level="warning", cause="rules", text=f"The rule is not saved: {why}", mend=mend)
        text = f"Saved in {paths.shown(saved.path, self._cwd)}: {', '.join(texts)}"
        if saved.counts:
            return Notice(level="info", cause="rules", text=text)
        mend = "It counts in later sessions once you trust what else this project brings: harness trust"
        return Notice(level="info", cause="rules", text=text, mend=mend)

    def _missing(self, run: Runs, tool: str) -> Sequence[Part]:
        permit = self._permit
        judged = judge_command(run, tool, permit.effective, permit.mode, permit.roots, permit.granted)
        return [part for part in judged.parts if not part.allowed]

    def _helps(self, call: ToolCall, effects: Sequence[Effect], texts: Sequence[str]) -> bool:
        """Whether the same call would be allowed by these rules: what no rule approves is never offered one."""
        permit = self._permit
        more = permit.effective + Rules.parse({"allow": texts}, "session", self._cwd)
        return isinstance(decide(call, effects, more, permit.mode, permit.roots, permit.granted), Allow)
