"""The server's name in the first message of a TLS connection, so that a tunnel leads where it was asked for."""

from dataclasses import dataclass

from harness.network.hosts import Host, Refused

_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME = 22, 1, 0
_LONGEST = 64 << 10
_RECORD = 16384 + 256


@dataclass(frozen=True, slots=True)
class Hello:
    """`name` is None where none was sent."""

    tls: bool
    name: str | None = None


def read(data: bytes) -> Hello | None:
    """What a stream begins with; None where more of it is needed. Raises Refused for a broken hello."""
    if not data:
        return None
    if data[0] != _HANDSHAKE:
        return Hello(tls=False)
    message = bytearray()
    at = 0
    while len(data) >= at + 5:
        length = int.from_bytes(data[at + 3 : at + 5])
        if data[at] != _HANDSHAKE or data[at + 1] != 3 or not 0 < length <= _RECORD:
            raise Refused("the connection does not begin as TLS does")
        message += data[at + 5 : at + 5 + length]
        at += 5 + length
        if len(message) >= 4:
            whole = 4 + int.from_bytes(message[1:4])
            if message[0] != _CLIENT_HELLO or whole > _LONGEST:
                raise Refused("the connection does not begin as TLS does")
            if len(message) >= whole:
                return Hello(tls=True, name=_name(bytes(message[4:whole])))
    if len(data) > _LONGEST:
        raise Refused("the connection does not begin as TLS does")
    return None


def check(hello: Hello, host: Host) -> None:
    """Raises Refused where a TLS connection names another server than the tunnel was asked for."""
    if not hello.tls:
        return
    named = hello.name.lower().removesuffix(".") if hello.name else None
    if named != (None if host.literal else host.text):
        raise Refused(f"the connection to {host} is for {named!r} by its TLS server name")


def _name(hello: bytes) -> str | None:
    reader = _Reader(hello)
    reader.take(2 + 32)
    reader.block(1)  # session
    reader.block(2)  # ciphers
    reader.block(1)  # compressions
    if not reader.left:
        return None
    extensions = _Reader(reader.block(2))
    names: list[bytes] = []
    while extensions.left:
        kind = int.from_bytes(extensions.take(2))
        content = extensions.block(2)
        if kind == _SERVER_NAME:
            listed = _Reader(_Reader(content).block(2))
            while listed.left:
                kind_of_name = listed.take(1)[0]
                names += [listed.block(2)] if kind_of_name == 0 else [b"?"]
    if len(names) > 1 or not all(name.isascii() for name in names):
        raise Refused("the connection has an unusual TLS server name")
    return names[0].decode("ascii") if names else None


class _Reader:
    """Bytes taken from the front. Raises Refused where they are too few."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise Refused("the connection has a broken TLS hello")
        self._at += count
        return self._data[self._at - count : self._at]

    def block(self, size: int) -> bytes:
        """A block with its length before it, in `size` bytes."""
        return self.take(int.from_bytes(self.take(size)))
