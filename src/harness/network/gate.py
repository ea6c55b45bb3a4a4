"""Who may be reached by commands: the session's lists, and a question for each host that none of them names.

Nothing here decides alone: a listed host must still resolve to public addresses (`reach`), and the connection goes
to the address that was checked.
"""

import itertools
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import anyio

from harness.network.contact import Contact
from harness.network.domains import Domains
from harness.network.hosts import Host, Refused
from harness.network.wire import Wire

# Shows a question by its second argument and waits for the answer; None where nobody was asked.
Ask = Callable[[Contact, Callable[[Contact], None]], Awaitable[bool | None]]
PORTS = range(61_000, 65_000)  # above what servers usually take and the kernel gives out
Start = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


@dataclass(slots=True)
class Gate:
    """A session's way out. `domains` is asked for each connection; `ask` is None where nobody can be asked.

    `start` runs a coroutine that nobody waits for (`mux.aside`). An answer holds for the session. `ports`: where the
    proxy of each command listens; commands may share a loopback.
    """

    domains: Callable[[], Domains]
    start: Start
    ask: Ask | None = None
    wire: Wire = field(default_factory=Wire)
    answered: dict[tuple[str, int], bool] = field(default_factory=dict)
    ports: Iterator[int] = field(default_factory=lambda: itertools.cycle(PORTS))
    _asking: dict[tuple[str, int], anyio.Event] = field(default_factory=dict)

    async def admit(self, host: Host, port: int, show: Callable[[Contact], None], *, may_ask: bool = True) -> None:
        """Return where a connection is allowed, perhaps after asking. Raises Refused."""
        verdict = self.domains().verdict(host, port)
        if verdict == "deny":
            raise Refused("a rule or setting denies it")
        key = (str(host), port)
        if verdict == "allow" or self.answered.get(key):
            return
        contact = Contact(f"contact-{secrets.token_hex(8)}", str(host), port)
        if key not in self.answered and self.ask is not None and may_ask:
            await self._put(key, contact, self.ask, show)
        if not self.answered.get(key):
            show(Contact(contact.id, contact.host, port, refused=True))
            raise Refused(contact.mend if key not in self.answered else f"the user refused it; {contact.mend}")

    async def _put(self, key: tuple[str, int], contact: Contact, ask: Ask, show: Callable[[Contact], None]) -> None:
        """Ask once, however many connections want to know."""
        if other := self._asking.get(key):
            await other.wait()
            return
        self._asking[key] = anyio.Event()
        try:
            if (answer := await ask(contact, show)) is not None:
                self.answered[key] = answer
        finally:
            self._asking.pop(key).set()
