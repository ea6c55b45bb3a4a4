"""Requests to the proxy and the first bytes of a tunnel, as bytes: hostile ones never get further than here."""

import ssl
from contextlib import suppress
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.network import head, hello
from harness.network.head import BadHead
from harness.network.hello import Hello
from harness.network.hosts import Host, Refused


def request(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def test_connect():
    asked = head.parse(request("CONNECT Example.com.:443 HTTP/1.1", "Proxy-Authorization: Basic aGFybmVzczp0b2tlbg=="))
    assert (asked.host.text, asked.port, asked.token, asked.tunnel) == ("example.com", 443, "token", True)


def test_a_plain_request_is_made_anew_for_the_host_that_was_checked():
    asked = head.parse(
        request(
            "POST http://example.com:80/a?b HTTP/1.1",
            "Host: evil.example",
            "Proxy-Authorization: Basic eA==",
            "Connection: keep-alive, X-Secret",
            "X-Secret: 1",
            "Upgrade: h2c",
            "Content-Length: 3",
            "Accept: */*",
        )
    )
    assert asked.sent == request(
        "POST /a?b HTTP/1.1", "Host: example.com", "content-length: 3", "accept: */*", "Connection: close"
    )
    assert (asked.body, asked.token) == (3, "")


@pytest.mark.parametrize(
    "lines",
    [
        ["GET / HTTP/1.1", "Host: example.com"],
        ["GET https://example.com/ HTTP/1.1"],
        ["GET http://example.com/ HTTP/2.0"],
        ["GET http://example.com/"],
        ["GET  http://example.com/ HTTP/1.1"],
        ["get http://example.com/ HTTP/1.1"],
        ["GET http://example.com/ HTTP/1.1", " folded: x"],
        ["GET http://example.com/ HTTP/1.1", "A : x"],
        ["GET http://example.com/ HTTP/1.1", "A: x\nHost: evil.example"],
        ["GET http://example.com/ HTTP/1.1", "A: x\rB: y"],
        ["GET http://example.com/ HTTP/1.1", "A: \0"],
        ["POST http://example.com/ HTTP/1.1", "Content-Length: 1", "Content-Length: 2"],
        ["POST http://example.com/ HTTP/1.1", "Content-Length: +1"],
        ["POST http://example.com/ HTTP/1.1", "Transfer-Encoding: chunked"],
        ["POST http://example.com/ HTTP/1.1", "Transfer-Encoding: x", "Content-Length: 1"],
        ["CONNECT example.com HTTP/1.1"],
        ["CONNECT http://example.com:443 HTTP/1.1"],
        ["CONNECT a@example.com:443 HTTP/1.1"],
        ["CONNECT evil.example\0.example.com:443 HTTP/1.1"],
        ["CONNECT 127.0.0.1:443 HTTP/1.1"],
        ["CONNECT localhost:443 HTTP/1.1"],
        ["CONNECT example.com:443/x HTTP/1.1"],
        ["CONNECT [::ffff:1.1.1.1]:443 HTTP/1.1"],
        ["\x16\x03\x01\x02\x00\x01"],
        [""],
    ],
    ids=repr,
)
def test_unusual_requests_are_refused(lines):
    with pytest.raises((BadHead, Refused)):
        head.parse(request(*lines))


PIECES = [
    b"CONNECT ", b"GET ", b"http://", b"example.com", b"127.0.0.1", b":443", b" HTTP/1.1", b"\r\n", b"\n", b"\0", b": ",
    b"Host", b"Content-Length", b"Transfer-Encoding: chunked", b"Proxy-Authorization: Basic ", b"eDp5", b"=", b"[::1]", b"@", b"\xff",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=20).map(b"".join))
def test_any_head_is_read_or_refused(data):
    try:
        asked = head.parse(data + b"\r\n\r\n")
    except (BadHead, Refused):
        return
    assert asked.host.text.isascii()
    assert asked.sent.count(b"\r\n\r\n") == (0 if asked.tunnel else 1)
    assert b"\r\n\r\n" not in asked.sent[:-4]


@cache
def client_hello(name: str | None) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def test_the_server_name_of_a_real_hello():
    assert hello.read(client_hello("example.com")) == Hello(tls=True, name="example.com")
    assert hello.read(client_hello(None)) == Hello(tls=True, name=None)


def test_a_hello_in_pieces_and_in_several_records():
    whole = client_hello("example.com")
    assert [hello.read(whole[:end]) for end in range(len(whole))] == [None] * len(whole)
    body = whole[5:]
    records = b"".join(b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in (body[:7], body[7:100], body[100:]))
    assert hello.read(records) == Hello(tls=True, name="example.com")


@pytest.mark.parametrize(
    ("named", "host", "fine"),
    [
        ("example.com", Host("example.com"), True),
        ("EXAMPLE.com.", Host("example.com"), True),
        ("evil.example", Host("example.com"), False),
        (None, Host("example.com"), False),
        (None, Host("1.1.1.1", literal=True), True),
        ("example.com", Host("1.1.1.1", literal=True), False),
    ],
)
def test_a_tunnel_is_for_the_host_it_was_asked_for(named, host, fine):
    if fine:
        hello.check(Hello(True, named), host)
    else:
        with pytest.raises(Refused):
            hello.check(Hello(True, named), host)


def test_what_is_not_tls_has_no_name_to_check():
    hello.check(hello.read(b"SSH-2.0-x\r\n") or Hello(True), Host("example.com"))


@given(st.data())
def test_a_damaged_hello_is_read_or_refused(data):
    damaged = bytearray(client_hello("example.com"))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Refused):
        assert hello.read(bytes(damaged)) is None or damaged[0] != 22 or len(damaged) > 50


def test_more_than_a_hello_can_be_is_refused():
    with pytest.raises(Refused):
        hello.read(b"\x16\x03\x01\x40\x00" + b"\x01\x00\xff\xf0" + b"\0" * 70_000)
