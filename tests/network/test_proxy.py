"""The proxy over real sockets: who gets through, to which address, and what nobody can make it do."""

import base64
import socket
import ssl
from contextlib import asynccontextmanager, closing

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.network.contact import Contact
from harness.network.proxy import Passage
from harness.network.wire import receive, send
from tests.network.test_head import PIECES, client_hello
from tests.network.world import ADDRESS, World, certificate, serving


@pytest.fixture
def world() -> World:
    return World().name("good.example", "www.good.example", "other.example")


@asynccontextmanager
async def passage(world, allowed=("good.example",), **options):
    """A passage that serves on a port of this machine."""
    async with world.gate(allowed, **options) as gate:
        made, listener = Passage(gate), socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        made.serve(listener)
        yield made, port
        made.close()
        assert made.faults == []


async def said(port: int, data: bytes, *, more: bytes = b"") -> bytes:
    """Everything the proxy answers to these bytes."""
    with socket.socket() as client:
        client.setblocking(False)
        try:
            client.connect(("127.0.0.1", port))
        except BlockingIOError:
            await anyio.wait_writable(client)
        await send(client, data)
        got = b""
        with anyio.fail_after(20):
            try:
                if more:
                    got += await receive(client)
                    await send(client, more)
                else:
                    client.shutdown(socket.SHUT_WR)
                while piece := await receive(client):
                    got += piece
            except ConnectionError:
                pass
        return got


def authorised(made: Passage, first: str, *lines: str, token: str = "", body: str = "") -> bytes:
    secret = base64.b64encode(f"harness:{token or made.token}".encode()).decode()
    return "\r\n".join([first, f"Proxy-Authorization: Basic {secret}", *lines, "", body]).encode()


async def test_a_plain_request_goes_to_the_checked_address(world, tmp_path):
    (tmp_path / "f").write_text("hello")
    with serving(tmp_path) as (port, seen):
        world.ports[80] = port
        async with passage(world) as (made, proxy):
            got = await said(proxy, authorised(made, "GET http://GOOD.example./f HTTP/1.1", "Host: evil.example"))
    assert got.endswith(b"hello")
    assert world.dialled == [(ADDRESS, 80)]
    assert "Host: good.example" in seen[0]
    assert "evil.example" not in seen[0]
    assert "Proxy-" not in seen[0]


async def test_a_body_ends_where_it_says(world, tmp_path):
    """What follows a request cannot be a second one for another host."""
    with serving(tmp_path) as (port, seen):
        world.ports[80] = port
        async with passage(world) as (made, proxy):
            first = authorised(made, "POST http://good.example/ HTTP/1.1", "Content-Length: 4", body="body")
            got = await said(proxy, first + b"GET http://other.example/ HTTP/1.1\r\n\r\n")
    assert got.endswith(b"body")
    assert len(seen) == 1


async def test_a_tunnel_carries_tls(world, tmp_path):
    pem = certificate(tmp_path, "good.example")
    (tmp_path / "big").write_bytes(b"x" * 3_000_000)
    with serving(tmp_path, pem) as (port, _):
        world.ports[443] = port
        async with passage(world) as (made, proxy):

            def fetch() -> bytes:
                import http.client

                connection = http.client.HTTPSConnection(
                    "127.0.0.1", proxy, timeout=20, context=ssl.create_default_context(cafile=pem)
                )
                secret = base64.b64encode(f"harness:{made.token}".encode()).decode()
                connection.set_tunnel("good.example", 443, {"Proxy-Authorization": f"Basic {secret}"})
                with closing(connection):
                    connection.request("GET", "/big")
                    return connection.getresponse().read()

            assert len(await anyio.to_thread.run_sync(fetch)) == 3_000_000


async def test_the_token_is_needed_before_anything_else(world):
    async with passage(world, ("*",)) as (made, proxy):
        for asked in (
            b"CONNECT good.example:443 HTTP/1.1\r\n\r\n",
            authorised(made, "CONNECT good.example:443 HTTP/1.1", token="wrong"),
            b"CONNECT good.example:443 HTTP/1.1\r\nProxy-Authorization: Bearer x\r\n\r\n",
            b"CONNECT good.example:443 HTTP/1.1\r\nProxy-Authorization: Basic \xff\xff\r\n\r\n",
        ):
            assert (await said(proxy, asked)).startswith(b"HTTP/1.1 407 ")
    assert (world.asked, world.dialled) == ([], [])


@pytest.mark.parametrize(
    ("first", "why"),
    [
        ("CONNECT other.example:443 HTTP/1.1", "allow with --allow-domain other.example or"),
        ("CONNECT www.good.example:443 HTTP/1.1", "allow with"),
        ("CONNECT good.example:22 HTTP/1.1", "allow with --allow-domain good.example:22"),
        ("GET http://other.example/ HTTP/1.1", "allow with"),
        ("CONNECT localhost:443 HTTP/1.1", "this machine"),
        ("CONNECT 127.0.0.1:443 HTTP/1.1", "this machine"),
        ("CONNECT 0x7f.1:443 HTTP/1.1", "unusual spelling"),
        ("CONNECT 93.184.216.34:443 HTTP/1.1", "allow with --allow-domain 93.184.216.34"),
    ],
)
async def test_what_is_not_listed_is_refused_in_words(world, first, why):
    async with passage(world) as (made, proxy):
        got = (await said(proxy, authorised(made, first))).decode()
    assert got.startswith("HTTP/1.1 403 ")
    assert why in got
    assert world.dialled == []


async def test_a_star_opens_no_address_and_no_private_answer(world):
    world.dns["inside.example"] = [["10.0.0.1"]]
    world.dns["half.example"] = [[ADDRESS, "169.254.169.254"]]
    async with passage(world, ("*",)) as (made, proxy):
        for host in ("93.184.216.34", "inside.example", "half.example", "unknown.example", "[2606:4700::1111]"):
            got = await said(proxy, authorised(made, f"CONNECT {host}:443 HTTP/1.1"))
            assert got.startswith(b"HTTP/1.1 403 "), host
        assert "10.0.0.1, which is a private address" in "\n".join(made.notes)
    assert world.dialled == []


async def test_a_name_that_changes_its_address_gains_nothing(world, tmp_path):
    world.dns["rebind.example"] = [[ADDRESS], ["127.0.0.1"]]
    with serving(tmp_path) as (port, _):
        world.ports[80] = port
        async with passage(world, ("rebind.example",)) as (made, proxy):
            asked = authorised(made, "GET http://rebind.example/ HTTP/1.1")
            assert (await said(proxy, asked)).startswith(b"HTTP/1.1 200 ")
            assert (await said(proxy, asked)).startswith(b"HTTP/1.1 403 ")
    assert world.asked == ["rebind.example"] * 2  # looked up once for each connection
    assert world.dialled == [(ADDRESS, 80)]


@pytest.mark.parametrize(("named", "sent"), [("good.example", True), ("evil.example", False), (None, False)])
async def test_a_tunnel_for_another_server_is_cut_before_its_first_byte(world, named, sent):
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        world.ports[443] = server.getsockname()[1]

        async def listen() -> None:
            await anyio.wait_readable(server)
            connection, _ = server.accept()
            with connection:
                connection.setblocking(False)
                received.append(await receive(connection))

        async with passage(world) as (made, proxy), anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            hello = client_hello(named)
            await said(proxy, authorised(made, "CONNECT good.example:443 HTTP/1.1"), more=hello)
            assert ("TLS server name" in "".join(made.notes)) is not sent
    assert received == ([hello] if sent else [b""])


async def test_protocols_where_the_server_speaks_first(world):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        world.ports[22] = server.getsockname()[1]

        async def greet() -> None:
            await anyio.wait_readable(server)
            with server.accept()[0] as connection:
                connection.sendall(b"SSH-2.0-test\r\n")

        async with passage(world, ("good.example:22",)) as (made, proxy), anyio.create_task_group() as tasks:
            tasks.start_soon(greet)
            got = await said(proxy, authorised(made, "CONNECT good.example:22 HTTP/1.1"))
    assert got.endswith(b"SSH-2.0-test\r\n")


class Person:
    """Answers questions about hosts, and counts them."""

    def __init__(self, answer: bool | None) -> None:
        self.answer, self.asked = answer, list[Contact]()

    async def __call__(self, contact, show):
        self.asked.append(contact)
        show(contact)
        await anyio.sleep(0.01)
        return self.answer


@pytest.mark.parametrize("answer", [True, False])
async def test_an_unlisted_host_is_asked_about_once(world, tmp_path, answer):
    person = Person(answer)
    with serving(tmp_path) as (port, _):
        world.ports[80] = port
        async with passage(world, (), ask=person) as (made, proxy), anyio.create_task_group() as tasks:
            asked = authorised(made, "GET http://good.example/ HTTP/1.1")
            codes = list[bytes]()

            async def ask() -> None:
                codes.append((await said(proxy, asked))[9:12])

            for _ in range(3):
                tasks.start_soon(ask)
    assert codes == ([b"200"] if answer else [b"403"]) * 3
    assert [contact.host for contact in person.asked] == ["good.example"]
    assert made.waited > 0
    refusals = [contact for contact in made.contacts() if contact.refused]
    assert bool(refusals) is not answer


async def test_where_nobody_can_be_asked_the_refusal_is_told(world):
    async with passage(world, (), ask=Person(None)) as (made, proxy):
        for _ in range(2):
            await said(proxy, authorised(made, "CONNECT good.example:443 HTTP/1.1"))
        assert [contact.refused for contact in made.contacts()] == [False, True, False]
    assert made.notes == [
        "blocked: connection to good.example; allow with --allow-domain good.example or the rule "
        "WebFetch(domain:good.example)"
    ]


async def test_a_command_cannot_ask_for_ever(world):
    async with passage(world, (), ask=(person := Person(False))) as (made, proxy):
        for number in range(130):
            await said(proxy, authorised(made, f"CONNECT h{number}.example:443 HTTP/1.1"))
        shown = made.contacts()
    assert len(person.asked) == 20
    assert [sum(contact.refused is refused for contact in shown) for refused in (False, True)] == [20, 100]
    assert made.notes[10:] == ["blocked: connections to 120 more hosts"]
    assert world.asked == []


async def test_what_is_denied_is_never_asked_about(world):
    person = Person(True)
    async with passage(world, ("*",), denied=("*.good.example",), ask=person) as (made, proxy):
        got = await said(proxy, authorised(made, "CONNECT www.good.example:443 HTTP/1.1"))
    assert b"denies it" in got
    assert person.asked == []


async def test_an_end_in_the_middle_of_everything_ends_everything(world):
    """Closed while one connection asks, one sends its head and one is tunnelled: no task is left."""

    async def never(contact, show):
        await anyio.sleep_forever()

    with socket.create_server(("127.0.0.1", 0)) as server:
        world.ports[443] = server.getsockname()[1]
        with anyio.fail_after(10):
            async with passage(world, ask=never) as (made, proxy):
                clients = [socket.create_connection(("127.0.0.1", proxy)) for _ in range(3)]
                clients[0].sendall(authorised(made, "CONNECT other.example:443 HTTP/1.1"))
                clients[1].sendall(b"CONN")
                clients[2].sendall(authorised(made, "CONNECT good.example:443 HTTP/1.1"))
                await anyio.wait_readable(clients[2])
                made.close()
                for client in clients:
                    client.setblocking(False)
                    try:
                        while await receive(client):
                            pass
                    except ConnectionError:
                        pass
                    client.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=25).map(b"".join), st.booleans())
def test_no_bytes_crash_it_or_make_it_connect(data, authorise):
    world = World().name("good.example")

    async def attempt() -> None:
        async with passage(world) as (made, proxy):
            head = authorised(made, "CONNECT other.example:443 HTTP/1.1") if authorise else b""
            got = await said(proxy, head + data)
            assert got.startswith((b"HTTP/1.1 4", b"")), got
            assert not got.startswith(b"HTTP/1.1 2")

    anyio.run(attempt)
    assert world.dialled == []
    assert world.asked == []


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="\r\n "), min_size=1, max_size=30))
def test_no_name_makes_it_connect(name):
    world = World({"good.example": [[ADDRESS]]})

    async def attempt() -> None:
        async with passage(world) as (made, proxy):
            secret = base64.b64encode(f"x:{made.token}".encode()).decode()
            for place in (name, f"{name}.good.example", f"good.example{name}", f"{name}@good.example"):
                line = f"CONNECT {place}:443 HTTP/1.1\r\nProxy-Authorization: Basic {secret}\r\n\r\n"
                got = await said(proxy, line.encode("utf-8", "surrogatepass"))
                if place.lower() not in {"good.example", "good.example."}:
                    assert got.startswith(b"HTTP/1.1 4")

    anyio.run(attempt)
    assert set(world.asked) <= {"good.example"}
