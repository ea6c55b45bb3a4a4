"""One finding of the doctor, and how it is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.errors import HarnessError
from harness.render import safe

State = Literal["ok", "warn", "fail"]  # fail: the main job could not run


@dataclass(frozen=True, slots=True)
class Check:
    """`mend` is the command, flag or step that mends it, '' where nothing is wrong. `data` is for `--json`."""

    name: str
    state: State
    what: str
    mend: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """One line for people."""
        end = "" if self.what.endswith((".", ":", "!", "?")) else "."
        text = f"{self.what}{end} Mend: {self.mend}" if self.mend else self.what
        return safe(f"{self.state:<4}  {self.name:<9}  {' '.join(text.split())}")


def failed(name: str, error: HarnessError, state: State = "fail") -> Check:
    """An error as a finding."""
    return Check(name, state, error.what, error.mend)
