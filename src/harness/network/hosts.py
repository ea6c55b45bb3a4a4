"""A host as a URL or a CONNECT line gives it: taken in one spelling only, and before any rule sees it.

Programs disagree on odd spellings (`0x7f.1`, `127.1`, full-width digits, a NUL in a name). What two of them could
read differently is refused here and never guessed at.
"""

import re
from dataclasses import dataclass

_NAME = re.compile(r"[a-z0-9.-]+\Z")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_OCTET = re.compile(r"(0|[1-9][0-9]{0,2})\Z")
_NUMBER = re.compile(r"([0-9]+|0x[0-9a-f]*)\Z")  # a last label that makes the whole an address, to some
_LONGEST = 253
# Names of this machine, this site or this cluster, whatever a resolver answers.
_LOCAL = frozenset(
    ("alt", "arpa", "corp", "home", "internal", "intranet", "invalid", "lan", "local", "localdomain", "localhost",
     "onion", "private", "svc")
)  # fmt: skip


class Refused(Exception):
    """A host, an address or a URL that is not to be contacted. The text says why, in the middle of a sentence."""


@dataclass(frozen=True, slots=True)
class Host:
    """`text` is a lower-case ASCII name without its trailing dot, or an address without brackets."""

    text: str
    literal: bool = False

    def __str__(self) -> str:
        return f"[{self.text}]" if ":" in self.text else self.text


def parse(raw: str) -> Host:
    """Read a host. Raises Refused for what is no public host in its plain spelling."""
    if raw.startswith("["):
        return _version6(raw)
    text = raw.lower() if raw.isascii() else raw
    if not text:
        raise Refused("it names no host")
    if not _NAME.match(text):
        mend = "" if raw.isascii() else "; write an international name in its ASCII form (xn--...)"
        raise Refused(f"the host {raw[:80]!r} has characters that a host name cannot have{mend}")
    text = text.removesuffix(".")
    labels = text.split(".")
    if len(text) > _LONGEST or not all(_LABEL.match(label) for label in labels):
        raise Refused(f"{raw[:80]!r} is not a well-formed host name")
    if _NUMBER.match(labels[-1]):
        return _version4(raw, labels)
    if len(labels) == 1 or labels[-1] in _LOCAL:
        raise Refused(f"{text} is a name of this machine or its network")
    if not all(_decodes(label) for label in labels):
        raise Refused(f"{text} has a label that is not valid Punycode")
    return Host(text)


def parse_port(raw: str) -> int:
    """A port in plain decimal. Raises Refused."""
    port = int(raw) if raw.isascii() and re.match(r"[1-9][0-9]{0,4}\Z", raw) else 0
    if not 0 < port < 1 << 16:
        raise Refused(f"{raw[:20]!r} is not a port number")
    return port


def parse_authority(raw: str) -> tuple[Host, int | None]:
    """`host`, `host:port` or `[address]:port`. Raises Refused, for user names and passwords too."""
    if "@" in raw:
        raise Refused("it has a user name or password before the host")
    if raw.startswith("["):
        host, bracket, rest = raw.partition("]")
        host, colon, port = host + bracket, rest[:1], rest[1:]
        if rest and colon != ":":
            raise Refused(f"{raw[:80]!r} is not a host and a port")
    else:
        host, colon, port = raw.partition(":")
    return parse(host), parse_port(port) if colon else None


def _version4(raw: str, labels: list[str]) -> Host:
    plain = len(labels) == 4 and all(_OCTET.match(label) and int(label) < 256 for label in labels)
    if not plain or raw.endswith("."):
        raise Refused(f"{raw[:80]!r} is a number in an unusual spelling; write an address as four decimal numbers")
    return _public(raw)


def _version6(raw: str) -> Host:
    import ipaddress  # noqa: PLC0415  few hosts are literals, and all command lines pass here

    if not raw.endswith("]") or "%" in raw or not raw.isascii():
        raise Refused(f"{raw[:80]!r} is not an IPv6 address without a zone")
    try:
        address = ipaddress.IPv6Address(raw[1:-1])
    except ValueError:
        raise Refused(f"{raw[:80]!r} is not an IPv6 address") from None
    return _public(str(address))


def _public(text: str) -> Host:
    from harness.network.addresses import refusal  # noqa: PLC0415  loads ipaddress

    if why := refusal(text):
        raise Refused(f"{text} is {why}")
    return Host(text, literal=True)


def _decodes(label: str) -> bool:
    if not label.startswith("xn--"):
        return True
    try:
        return not label[4:].encode().decode("punycode").isascii()
    except UnicodeError:
        return False
