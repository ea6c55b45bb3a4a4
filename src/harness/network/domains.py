"""Lists of domains: which hosts commands may reach unasked. Pure and light: permission rules match here too."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.errors import UsageError
from harness.network import hosts
from harness.network.contact import WEB
from harness.network.hosts import Host, Refused

Verdict = Literal["allow", "deny", "unlisted"]
Network = Literal["none", "proxy", "host"]


def network(chosen: Network | None, allowed: Sequence[str], listed: Sequence[str] = ()) -> Network:
    """What `--network` and `--allow-domain` come to; a list, also one from the settings, is a wish for the proxy.

    Raises:
        UsageError: flags that disagree, or an entry that is no host.
    """
    for text in allowed:
        try:
            entry(text)
        except Refused as refused:
            raise UsageError(f"--allow-domain {text}: {refused}.", "Give HOST, *.HOST or HOST:PORT.") from None
    if allowed and chosen in ("none", "host"):
        raise UsageError(f"--allow-domain and --network {chosen} disagree.", "Drop one of them.")
    return chosen or ("proxy" if allowed or listed else "none")


def matches(pattern: str, host: str) -> bool:
    """`*` alone is every host; a leading `*.` any depth of subdomains; elsewhere `*` stays in its label."""
    if pattern == "*":
        return True
    labels, wanted = host.split("."), pattern.split(".")
    if wanted[0] == "*":
        below = len(labels) >= len(wanted)
        labels, wanted = labels[len(labels) - len(wanted) + 1 :], wanted[1:]
        if not below:
            return False
    return len(labels) == len(wanted) and all(
        _in_label(glob, label) for glob, label in zip(wanted, labels, strict=True)
    )


def _in_label(glob: str, label: str) -> bool:
    first, *rest = glob.split("*")
    if not rest:
        return label == first
    if not label.startswith(first) or not label.endswith(rest[-1]) or len(label) < len(first) + len(rest[-1]):
        return False
    position, end = len(first), len(label) - len(rest[-1])
    for piece in rest[:-1]:
        found = label.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list: a host, a pattern of hosts, or an address; `port` None is the web's two."""

    pattern: str
    port: int | None = None
    literal: bool = False

    def __str__(self) -> str:
        return self.pattern if self.port is None else f"{self.pattern}:{self.port}"

    @property
    def everything(self) -> bool:
        return not self.literal and set(self.pattern) <= set("*.")

    def allows(self, host: Host, port: int) -> bool:
        if port != self.port if self.port else port not in WEB:
            return False
        # An address says nothing about whose it is: only one that is listed itself is allowed.
        return self.pattern == host.text if host.literal or self.literal else matches(self.pattern, host.text)

    def denies(self, host: Host, port: int) -> bool:
        if self.port not in (None, port):
            return False
        return self.pattern == host.text if self.literal else matches(self.pattern, host.text)


def entry(text: str) -> Entry:
    """Read one entry: `HOST`, `*.HOST`, `HOST:PORT`. Raises Refused."""
    if "*" not in text:
        host, port = hosts.parse_authority(text.strip())
        return Entry(host.text, port, host.literal)
    name, colon, port_text = text.strip().lower().partition(":")
    # A letter in each star's place: what remains must be the name of a host.
    if name != "*":
        hosts.parse(f"a.{name.replace('*', 'a')}")
    return Entry(name.removesuffix("."), hosts.parse_port(port_text) if colon else None)


def rule_entry(pattern: str) -> Entry:
    """The entry of a permission rule's pattern, which was read leniently: one that is no host matches as it can."""
    try:
        return entry(pattern)
    except Refused:
        return Entry(pattern)


@dataclass(frozen=True, slots=True)
class Domains:
    """What may be reached (`allowed`) and what never (`denied`); all else, and `asked` always, is a question."""

    allowed: tuple[Entry, ...] = ()
    denied: tuple[Entry, ...] = ()
    asked: tuple[Entry, ...] = ()

    @staticmethod
    def parse(allowed: Iterable[str] = (), denied: Iterable[str] = ()) -> "Domains":
        """Read two lists. Entries that cannot be used allow nothing; a bad one among `denied` raises Refused."""
        return Domains(tuple(_usable(allowed)), tuple(entry(text) for text in denied))

    def verdict(self, host: Host, port: int) -> Verdict:
        if any(each.denies(host, port) for each in self.denied):
            return "deny"
        asked = any(each.denies(host, port) for each in self.asked)
        return "allow" if not asked and any(each.allows(host, port) for each in self.allowed) else "unlisted"

    @property
    def everything(self) -> bool:
        """Whether the list amounts to no list."""
        return any(each.everything for each in self.allowed)


def _usable(texts: Iterable[str]) -> Iterable[Entry]:
    for text in texts:
        try:
            yield entry(text)
        except Refused:
            continue
