"""Chunks merged: the same body, whatever the server made of it and however it came in."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.providers.frames import Frames
from tests.providers.server import STREAM_HEAD, ask, event, provider, raw, serving, text_of

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(*pieces: bytes, ext: bytes = b"") -> bytes:
    return b"".join(b"%x%s\r\n%s\r\n" % (len(piece), ext, piece) for piece in pieces)


def through(*reads: bytes) -> bytes:
    frames = Frames()
    return b"".join(frames.feed(read) for read in reads) + frames.feed(b"")


def body(response: bytes) -> bytes:
    """The body of a chunked response, read as the standard says."""
    _, _, rest = response.partition(b"\r\n\r\n")
    found = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        found, rest = found + rest[:length], rest[length + 2 :]
        if not length:
            break
    return found


def test_one_read_becomes_one_chunk():
    assert through(HEAD + chunked(b"a", b"bc", b"def") + b"0\r\n\r\n") == HEAD + chunked(b"abcdef") + b"0\r\n\r\n"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(min_size=1, max_size=20), max_size=8), st.lists(st.integers(0, 300), max_size=12))
def test_any_split_keeps_the_body(pieces: list[bytes], cuts: list[int]):
    wire = HEAD + chunked(*pieces, ext=b";x=1") + b"0\r\n\r\n"
    edges = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    frames = Frames()
    reads = [wire[a:b] for a, b in pairwise(edges) if a < b]
    assert body(b"".join(frames.feed(read) for read in reads)) == b"".join(pieces)


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        HEAD + b"zz\r\nnonsense",
        HEAD + b"3\r\nabcXX",
        HEAD + b"0\r\nTrailer: x\r\n\r\n",
        b"no HTTP at all",
        HEAD + b"5\r",
    ],
)
def test_the_rest_is_left_as_it_is(wire: bytes):
    assert through(wire).replace(b"3\r\nabc\r\nXX", b"3\r\nabcXX") == wire


def test_interim_responses_and_the_next_response_on_the_connection():
    frames = Frames()
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    one = HEAD + chunked(b"a", b"b") + b"0\r\n\r\n"
    assert frames.feed(interim + one) == interim + HEAD + chunked(b"ab") + b"0\r\n\r\n"
    frames.begin()
    assert frames.feed(one) == HEAD + chunked(b"ab") + b"0\r\n\r\n"


async def test_an_answer_of_many_chunks():
    head = STREAM_HEAD.replace(b"connection: close", b"transfer-encoding: chunked")
    words = chunked(*(event({"content": f"w{n} "}) for n in range(50)), event({}, "stop"), b"data: [DONE]\n\n")
    async with serving(raw(head + words + b"0\r\n\r\n")) as server:
        events = await ask(provider(server.url))
    assert text_of(events) == "".join(f"w{n} " for n in range(50))
    assert len(events) < 10
