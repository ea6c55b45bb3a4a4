"""The head of a request to the proxy, from bytes. Pure; whatever is unusual is refused, so that nobody behind us
can read it differently."""

import base64
import binascii
import re
from dataclasses import dataclass

from harness.network import urls
from harness.network.hosts import Host, parse_authority

LONGEST = 64 << 10
_LINE = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e]+) HTTP/1\.[01]\Z")
_FIELD = re.compile(rb"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*\Z")
_ANY_PORT = range(1, 1 << 16)
# Of this connection and not of the next; `upgrade` would end HTTP behind our back.
_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"proxy-authenticate", b"te")
) | {b"trailer", b"upgrade", b"host"}


class BadHead(Exception):
    """A request that cannot be served. `status` is the answer's."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Asked:
    """Where to, and what is sent there: nothing for CONNECT, else the rewritten head and then `body` more bytes."""

    host: Host
    port: int
    token: str
    sent: bytes = b""
    body: int = 0

    @property
    def tunnel(self) -> bool:
        return not self.sent


def parse(head: bytes) -> Asked:
    """Read a head, its last empty line included. Raises BadHead; Refused for a host that is none."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    line = _LINE.match(first)
    if not line:
        raise BadHead("400 Bad Request", "the first line is not an HTTP/1.1 request to a proxy")
    fields = [_field(each) for each in lines]
    named: dict[bytes, bytes] = {}
    for name, value in fields:
        if name in named and name in {b"content-length", b"transfer-encoding", b"proxy-authorization", b"host"}:
            raise BadHead("400 Bad Request", f"{name.decode()} is given twice")
        named[name] = value
    token = _token(named.get(b"proxy-authorization", b""))
    method, target = line[1], line[2].decode("ascii")
    if method == b"CONNECT":
        host, port = parse_authority(target)
        if port is None:
            raise BadHead("400 Bad Request", "CONNECT takes HOST:PORT")
        return Asked(host, port, token)
    if not target.lower().startswith("http://"):
        raise BadHead("400 Bad Request", "this is a proxy: ask for http://HOST/PATH, or CONNECT HOST:443")
    where = urls.parse(target, ports=_ANY_PORT, longest=LONGEST)
    return Asked(where.host, where.port, token, _rewritten(method, where, fields), _length(named))


def _field(line: bytes) -> tuple[bytes, bytes]:
    field = _FIELD.match(line)
    if not field:
        raise BadHead("400 Bad Request", "a header line is not NAME: VALUE")
    return field[1].lower(), field[2]


def _length(named: dict[bytes, bytes]) -> int:
    if b"transfer-encoding" in named:
        raise BadHead("411 Length Required", "a body without Content-Length is taken over https only")
    text = named.get(b"content-length", b"0")
    if not re.match(rb"[0-9]{1,15}\Z", text):
        raise BadHead("400 Bad Request", "Content-Length is not a number")
    return int(text)


def _token(value: bytes) -> str:
    """The password of Basic credentials; '' where there are none."""
    kind, _, text = value.partition(b" ")
    if kind.lower() != b"basic":
        return ""
    try:
        return base64.b64decode(text.strip(), validate=True).decode("ascii").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _rewritten(method: bytes, where: urls.Target, fields: list[tuple[bytes, bytes]]) -> bytes:
    """As it goes to the server: one request and then the end, for the host that was checked and no other."""
    dropped = _HOP | {
        name.strip().lower() for key, value in fields if key == b"connection" for name in value.split(b",")
    }
    kept = [name + b": " + value for name, value in fields if name not in dropped]
    first = b"%s %s HTTP/1.1" % (method, where.path.encode("ascii"))
    return b"\r\n".join([first, b"Host: " + where.authority.encode("ascii"), *kept, b"Connection: close", b"", b""])
