"""How many tokens a conversation may hold before it is compacted."""

from dataclasses import dataclass

from harness.providers.port import Model

LEAN_WINDOW = 16_384  # tokens: up to this a session has the lean tools
_LARGEST_RESERVE = 16_384
_USUAL_RESERVE = 8_192


@dataclass(frozen=True, slots=True)
class Budget:
    """All in tokens. `usable` is the window less what is kept free for the answer; compaction begins at `trigger`."""

    window: int
    reserve: int
    trigger: int

    @property
    def usable(self) -> int:
        return self.window - self.reserve

    @property
    def micro(self) -> int:
        """From here on stale results are moved out, if enough of them are there."""
        return self.trigger * 3 // 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """What settings say. `share` of the usable window at which compaction begins; `window`: no more than this."""

    share: float = 0.8
    window: int | None = None
    auto: bool = True


def budget(model: Model, wanted: Wanted) -> Budget | None:
    """None where nobody knows the window, not even by assuming one."""
    if not model.context_window:
        return None
    window = min(model.context_window, wanted.window or model.context_window)
    reserve = min(model.max_output or _USUAL_RESERVE, _LARGEST_RESERVE, window // 4)
    return Budget(window, reserve, int((window - reserve) * wanted.share))
