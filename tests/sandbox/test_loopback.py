"""A session's commands share a loopback that is nobody else's."""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from harness.errors import SandboxUnavailable
from harness.sandbox import programs
from harness.sandbox.outcome import Progress
from harness.sandbox.shell import SandboxShell
from tests.sandbox.room import Room, finish, waiting

SERVER = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    while True:
        server.accept()[0].sendall(b"here")
"""
ASK = """
import socket, sys
with socket.socket() as s:
    s.settimeout(5)
    try:
        s.connect(("127.0.0.1", int(sys.argv[1])))
        print(s.recv(9).decode())
    except OSError as error:
        print(error)
"""


@asynccontextmanager
async def serving(shell: SandboxShell, room: Room) -> AsyncIterator[str]:
    """A command that runs on; its port is given."""
    (room.project / "server.py").write_text(SERVER)
    (room.project / "ask.py").write_text(ASK)
    async with aclosing(shell.run(f"{sys.executable} server.py", room.project, timeout=60)) as stream:
        said = await anext(stream)
        assert isinstance(said, Progress)
        yield said.text.strip()


def asking(port: str) -> str:
    return f"{sys.executable} ask.py {port}"


async def test_a_server_is_reached_from_the_next_command_and_from_nowhere_else(room: Room):
    shell, other = room.shell(), room.shell()
    async with serving(shell, room) as port:
        _, done = await finish(shell, asking(port), room.project)
        assert done.output == "here\n"
        _, done = await finish(other, asking(port), room.project)
        assert "refused" in done.output
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(port)), timeout=5)
    _, done = await finish(shell, f"{asking(port)}; false", room.project)
    assert "start a server with run_in_background" in done.notes[0]


async def test_one_made_ready_is_in_it_too(room: Room):
    shell = room.shell()
    _, first = await finish(shell, "readlink /proc/self/ns/net", room.project)
    await waiting(shell, room.project)
    assert shell._ready is not None
    _, second = await finish(shell, "readlink /proc/self/ns/net", room.project)
    assert first.output == second.output
    shell.discard()
    _, other = await finish(room.shell(), "readlink /proc/self/ns/net", room.project)
    assert other.output != first.output


async def test_nothing_in_it_leads_out_or_gives_rights(room: Room):
    done = await room.run("tail -n +3 /proc/net/dev | cut -d: -f1; grep -c 'Cap.*:.0000000000000000' /proc/self/status")
    assert done.output.split() == ["lo", "5"]
    done = await room.run("unshare -n true; ip link set lo down; ip link add x type dummy", timeout=10)
    assert done.exit_code != 0


async def test_without_nsenter_each_command_has_its_own(room: Room, monkeypatch):
    find = programs.find

    def without(name: str, writable: tuple[Path, ...]) -> Path:
        if name == "nsenter":
            raise SandboxUnavailable("No `nsenter` was found outside the project.")
        return find(name, writable)

    monkeypatch.setattr(programs, "find", without)
    shell = room.shell()
    async with serving(shell, room) as port:
        _, done = await finish(shell, f"{asking(port)}; false", room.project)
    assert "refused" in done.output
    assert "in one call" in done.notes[0]


async def test_a_closed_session_keeps_no_descriptor(room: Room):
    await room.run("true")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        await room.run("true")
    await anyio.sleep(0)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
