"""What is known of one model behind one endpoint: the server's kind, the window that is really there, abilities.

Cached with its date, so that a session starts without asking. `probe.probe` asks the server (`harness doctor` does).
Order for the window: the person's setting, what the server said last (asked, or in an overflow error), what its
usage figures gave away, the table of models, and at last `ASSUMED_WINDOW`, which is told. Every start loads this,
and the class of a tuple is made sooner than a dataclass.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness.providers.learnt import entry, remember

ASSUMED_WINDOW = 32_768
_MOST_MODELS = 100  # of a list that is cached: some routers have thousands
WindowSource = Literal["", "setting", "server", "error", "usage", "table"]  # "": nobody knows

# Servers that run models on the person's own machines: a vendor's price list says nothing of them.
SELF_HOSTED = frozenset({"vLLM", "SGLang", "llama.cpp", "Ollama", "LM Studio", "TGI"})


class Price(NamedTuple):
    """US dollars for a million tokens; `cached` None: as input."""

    input: float
    output: float
    cached: float | None = None


class Profile(NamedTuple):
    """Windows are in tokens. None, "" and () where nobody knows.

    `trained_window` is what the model could hold if the server gave it room. `loaded` is False where the server
    had not loaded the model when it was asked: its window may then be known only after the first answer.
    """

    server: str = ""
    version: str = ""
    models: tuple[str, ...] = ()
    context_window: int | None = None
    window_from: WindowSource = ""
    trained_window: int | None = None
    max_output: int | None = None
    tools: bool | None = None
    reasoning: bool | None = None
    images: bool | None = None
    tokenizer: Literal["", "vllm", "llama.cpp"] = ""  # how the server counts tokens for us
    price: Price | None = None
    loaded: bool = True
    probed: str = ""  # the date, YYYY-MM-DD

    def with_window(self, tokens: int, source: WindowSource) -> "Profile":
        return self._replace(context_window=tokens, window_from=source)

    def data(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {**self._asdict(), "price": self.price._asdict() if self.price else None}

    @property
    def fresh(self) -> bool:
        """Asked today, with the model loaded: not worth asking again."""
        return self.loaded and self.probed == today()


def load(file: Path, endpoint: str, model: str) -> Profile | None:
    """The cached profile; None where there is none that can be read."""
    return _decoded(entry(file, endpoint, model).get("profile"))


def save(file: Path, endpoint: str, model: str, profile: Profile) -> None:
    remember(file, endpoint, model, profile=profile._replace(models=profile.models[:_MOST_MODELS]).data())


def today() -> str:
    return time.strftime("%Y-%m-%d")


# What a cached value of each field may be; anything else is as if it were not there.
_KINDS: Mapping[str, tuple[type, ...]] = {
    "server": (str,),
    "version": (str,),
    "models": (list,),
    "context_window": (int,),
    "window_from": (str,),
    "trained_window": (int,),
    "max_output": (int,),
    "tools": (bool,),
    "reasoning": (bool,),
    "images": (bool,),
    "tokenizer": (str,),
    "price": (dict,),
    "loaded": (bool,),
    "probed": (str,),
}


def _decoded(value: Any) -> Profile | None:
    if not isinstance(value, dict):
        return None
    known = {name: value[name] for name, kinds in _KINDS.items() if type(value.get(name)) in kinds}
    known["models"] = tuple(map(str, known.get("models", ())))
    known["price"] = decoded_price(known.get("price"))
    return Profile(**known)


def decoded_price(value: Any) -> Price | None:
    """`{"input", "output", "cached"?}` in US dollars for a million tokens; None where it is no price."""
    match value:
        case {"input": int() | float() as given, "output": int() | float() as answered}:
            cached = value.get("cached")
            return Price(given, answered, cached if isinstance(cached, int | float) else None)
    return None
