"""Programs in the sandbox with a network of listed hosts: pip, git and npm work, everything else is closed."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from contextlib import aclosing
from pathlib import Path

import pytest

from harness.network.contact import Contact
from harness.sandbox import open_shell
from harness.sandbox.outcome import Finished
from tests.network.world import World, certificate, serving
from tests.sandbox.room import Room, finish

HOST = "index.example"


@pytest.fixture
def world() -> World:
    return World().name(HOST, "other.example")


async def run(
    room: Room, world: World, command: str, allowed=(HOST,), *, timeout=60.0, ask=None, **options
) -> tuple[Finished, list[Contact]]:
    """One command, and the contacts it came up with."""
    async with world.gate(allowed, ask=ask) as gate:
        shell = open_shell(lambda: room.policy(network="proxy", **options), room.base / "results", gate=gate)
        contacts: list[Contact] = []
        async with aclosing(shell.run(command, room.project, timeout=timeout)) as stream:
            async for item in stream:
                if isinstance(item, Finished):
                    return item, contacts
                contacts += [item] if isinstance(item, Contact) else []
    raise AssertionError("no end")


@pytest.fixture
def site(room, world):
    """A TLS server for HOST: a package index, a repository and a registry, all plain files."""
    root = room.base / "site"
    root.mkdir()
    _index(root)
    _repository(room, root)
    _registry(root)
    pem = certificate(room.base, HOST, "other.example")
    shutil.copy(pem, room.project / "ca.pem")
    with serving(root, pem) as (port, seen):
        world.ports[443] = port
        yield seen


def _index(root: Path) -> None:
    wheel = root / "simple" / "tiny" / "tiny-1.0-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    info = "tiny-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny.py", "print('tiny works')\n")
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    (wheel.parent / "index.html").write_text(
        f'<!DOCTYPE html><html><body><a href="{wheel.name}">{wheel.name}</a></body></html>'
    )


def _repository(room: Room, root: Path) -> None:
    work = room.base / "work"
    work.mkdir()
    room.git("init", "-q", cwd=work)
    (work / "README").write_text("cloned")
    room.git("add", ".", cwd=work)
    room.git("commit", "-qm", "one", cwd=work)
    room.git("clone", "-q", "--bare", str(work), str(root / "repo.git"))
    room.git("update-server-info", cwd=root / "repo.git")


def _registry(root: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in (("package.json", '{"name":"tiny","version":"1.0.0"}'), ("index.js", "console.log('tiny')")):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    (root / "npm").mkdir()
    (root / "npm" / "tiny-1.0.0.tgz").write_bytes(packed.getvalue())
    dist = {"tarball": f"https://{HOST}/npm/tiny-1.0.0.tgz", "shasum": hashlib.sha1(packed.getvalue()).hexdigest()}
    version = {"name": "tiny", "version": "1.0.0", "dist": dist}
    (root / "npm" / "tiny").write_text(
        json.dumps({"name": "tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}})
    )


async def test_pip_installs(room, world, site):
    pip = f"{sys.executable} -m pip --isolated --disable-pip-version-check --cert ca.pem"
    install = f"{pip} install -q --no-deps --target lib -i https://{HOST}/simple tiny"
    done, contacts = await run(room, world, f"{install} && PYTHONPATH=lib {sys.executable} -m tiny")
    assert (done.exit_code, done.output) == (0, "tiny works\n")
    assert contacts == []
    assert set(world.dialled) == {("93.184.216.34", 443)}


async def test_git_clones(room, world, site):
    done, _ = await run(
        room, world, f"git -c http.sslCAInfo=$PWD/ca.pem clone -q https://{HOST}/repo.git && cat repo/README"
    )
    assert (done.exit_code, done.output) == (0, "cloned")


@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")
async def test_npm_installs(room, world, site):
    command = f"npm install --no-audit --no-fund --no-update-notifier --fetch-retries 0 --cafile ca.pem --registry https://{HOST}/npm/ tiny && node node_modules/tiny/index.js"
    done, _ = await run(room, world, command)
    assert done.exit_code == 0, done.output
    assert done.output.endswith("tiny\n")


async def test_what_is_not_listed_is_closed_and_said(room, world, site):
    listed = f"curl -sS -m 9 --cacert ca.pem https://{HOST}/npm/tiny -o /dev/null -w '%{{http_code}}\\n'"
    other = "curl -sS -m 9 --cacert ca.pem https://other.example/"
    done, contacts = await run(room, world, f"{listed}; {other}; {other}")
    assert "200\n" in done.output
    assert "403" in done.output
    assert [(contact.host, contact.refused) for contact in contacts] == [("other.example", True)]
    assert list(done.notes) == [
        "blocked: connection to other.example; allow with --allow-domain other.example or the rule WebFetch(domain:other.example)"
    ]
    assert world.asked == [HOST]


DIRECT = """
import socket, sys
for family, place in ((socket.AF_INET, ("127.0.0.1", int(sys.argv[1]))), (socket.AF_INET, ("1.1.1.1", 443)), (socket.AF_INET6, ("2606:4700::1111", 443))):
    with socket.socket(family) as s:
        s.settimeout(5)
        try: s.connect(place); print("connected", place)
        except OSError as error: print(error.strerror)
try: print(socket.getaddrinfo("index.example", 443))
except OSError as error: print("no name")
"""


async def test_nothing_leads_out_but_the_proxy(room, world, site):
    (room.project / "direct.py").write_text(DIRECT)
    done, _ = await run(
        room, world, f"{sys.executable} direct.py {world.ports[443]}; tail -n +3 /proc/net/dev | cut -d: -f1"
    )
    lines = done.output.split("\n")
    assert "connected" not in done.output
    assert (lines[0], lines[3], lines[4].strip()) == ("Connection refused", "no name", "lo")


async def test_the_token_of_the_environment_is_what_opens_it(room, world, site):
    done, _ = await run(
        room,
        world,
        f"at=${{HTTP_PROXY#*@}}; curl -sS -m 9 -x $at http://{HOST}/; curl -s -m 9 -x http://a:b@$at http://{HOST}/",
    )
    assert done.output.count("use the proxy's address as the environment has it") == 2
    assert world.dialled == []


async def test_a_question_does_not_count_as_the_commands_time(room, world, site):
    import anyio

    asked: list[str] = []

    async def ask(contact: Contact, show):
        show(contact)
        asked.append(contact.host)
        await anyio.sleep(1.4)
        return True

    done, contacts = await run(
        room, world, f"curl -sS -m 20 --cacert ca.pem https://{HOST}/npm/tiny", (), timeout=1, ask=ask
    )
    assert (done.exit_code, done.timed_out, asked) == (0, False, [HOST])
    assert [contact.refused for contact in contacts] == [False]


async def test_nothing_is_left_of_a_command(room, world):
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(3):
        done, _ = await run(room, world, "true")
        assert done.exit_code == 0
    assert set(os.listdir("/proc/self/fd")) == before


async def test_a_sandbox_that_fails_says_so(room, world):
    """bwrap that ends before it tells its child's number must not keep us waiting."""
    from harness.errors import SandboxUnavailable

    await run(room, world, "true")
    async with world.gate() as gate:
        shell = open_shell(lambda: room.policy(network="proxy", write=(room.base / "gone",)), room.base, gate=gate)
        with pytest.raises(SandboxUnavailable, match="could not be set up"):
            await finish(shell, "true", room.project)


def test_the_helper_refuses_our_own_namespace():
    import socket

    inside = Path(sys.modules["harness"].__file__ or "").parent / "sandbox" / "inside.py"
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.send(str(os.getpid()).encode())
        subprocess.run(
            [sys.executable, "-I", "-S", inside, str(theirs.fileno()), "127.0.0.1", "0"],
            pass_fds=[theirs.fileno()],
            check=True,
        )
        assert "shares our network" in ours.recv(200).decode()
