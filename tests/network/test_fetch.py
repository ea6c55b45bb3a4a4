"""A page over real TLS, from the address that was checked and from no other."""

import gzip
import http.server
import ssl
import threading
from contextlib import contextmanager

import pytest

from harness.network import fetch as module
from harness.network.fetch import fetch
from harness.network.hosts import Refused
from harness.network.urls import Elsewhere
from tests.network.world import ADDRESS, Server, World, certificate

HOST = "docs.example"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path."""

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self.server.heads.append(f"{self.requestline}\n{self.headers}")  # type: ignore[attr-defined]
        status, headers, body = self.server.pages.get(self.path, (404, {}, b"none"))  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Content-Type": "text/plain", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def site(world, pages, pem=None):
    server = Server(("127.0.0.1", 0), Handler)
    server.pages, server.heads = pages, []  # type: ignore[attr-defined]
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, pem.with_suffix(".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    world.ports[443 if pem else 80] = server.server_port
    try:
        yield server.heads  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def world() -> World:
    return World().name(HOST)


async def get(world, url, pem=None):
    context = ssl.create_default_context(cafile=pem) if pem else ssl.create_default_context()
    return await fetch(url, world.wire, context, "harness/test")


async def test_a_page_over_tls(world, tmp_path):
    pem = certificate(tmp_path, HOST)
    packed = gzip.compress(b"hello " * 1000)
    pages = {"/a?b=%C3%A4": (200, {"Content-Type": 'Text/HTML; charset="latin-1"', "Content-Encoding": "gzip"}, packed)}
    with site(world, pages, pem) as heads:
        target, page = await get(world, f"https://{HOST}/a?b=ä#c", pem)
    assert (page.status, page.kind, page.charset, page.body) == (200, "text/html", "latin-1", b"hello " * 1000)
    assert target.url == f"https://{HOST}/a?b=%C3%A4"
    assert world.dialled == [(ADDRESS, 443)]
    assert f"Host: {HOST}\n" in heads[0]
    assert "Cookie" not in heads[0]


async def test_a_certificate_for_another_name_or_from_nobody_is_refused(world, tmp_path):
    pem = certificate(tmp_path, "other.example")
    with site(world, {}, pem):
        for trusted in (pem, None):
            with pytest.raises(Refused, match="TLS"):
                await get(world, f"https://{HOST}/", trusted)


async def test_redirects_within_the_host_are_followed_and_looked_up_anew(world):
    world.dns[HOST] = [[ADDRESS], [ADDRESS], ["10.0.0.1"]]
    pages = {
        "/a": (302, {"Location": "/b"}, b""),
        "/b": (301, {"Location": "//DOCS.example/c"}, b""),
        "/c": (200, {}, b"c"),
    }
    with site(world, pages) as heads, pytest.raises(Refused, match="private"):
        await get(world, f"http://{HOST}/a")
    assert [head.split()[1] for head in heads] == ["/a", "/b"]
    world.dns[HOST] = [[ADDRESS]]
    with site(world, pages):
        assert (await get(world, f"http://{HOST}/a"))[1].body == b"c"


@pytest.mark.parametrize("there", ["http://www.docs.example/", "https://docs.example:8443/"])
async def test_redirects_elsewhere_are_told_and_not_followed(world, there):
    world.name("www.docs.example")
    with site(world, {"/": (307, {"Location": there}, b"")}) as heads, pytest.raises(Elsewhere) as elsewhere:
        await get(world, f"http://{HOST}/")
    assert elsewhere.value.url == there
    assert len(heads) == 1


async def test_what_is_too_large_is_cut_packed_or_not(world, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 100_000)
    pages = {
        "/plain": (200, {}, b"x" * 300_000),
        "/bomb": (200, {"Content-Encoding": "gzip"}, gzip.compress(b"x" * 30_000_000)),
        "/odd": (200, {"Content-Encoding": "br"}, b"?"),
        "/broken": (200, {"Content-Encoding": "gzip"}, b"not packed"),
    }
    with site(world, pages):
        for path in ("/plain", "/bomb"):
            page = (await get(world, f"http://{HOST}{path}"))[1]
            assert (len(page.body), page.cut) == (100_000, True)
        for path in ("/odd", "/broken"):
            with pytest.raises(Refused):
                await get(world, f"http://{HOST}{path}")


async def test_nothing_answers(world):
    with pytest.raises(Refused, match="no connection to"):
        await get(world, f"http://{HOST}/")
