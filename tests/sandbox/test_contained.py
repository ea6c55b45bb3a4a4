"""What a command cannot do: each attack is run, and looked at from outside where it could lie."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import anyio
import pytest

import harness
from tests.processes import gone
from tests.sandbox.room import Room, finish

CANARY = "canary-7e41c0"


async def test_the_state_directory_is_hidden_where_a_link_leads_to_it(room: Room, monkeypatch):
    state = room.base / "elsewhere"
    state.mkdir()
    (state / "trust.json").write_text(CANARY)
    (room.base / "link").symlink_to(state)
    monkeypatch.setenv("HARNESS_CONFIG_DIR", str(room.base / "link"))
    done = await room.run(f"cat {state}/trust.json {room.base}/link/trust.json; ls {state}")
    assert CANARY not in done.output
    assert "trust.json" not in done.output.splitlines()


@pytest.mark.parametrize("target", ["{base}/outside", "/etc/harness-test", "/usr/local/bin/harness-test", "/run/x"])
async def test_writing_outside_the_project_fails(room: Room, target):
    path = Path(target.format(base=room.base))
    done = await room.run(f"echo x > {path}; ln -s {path} link; echo x > link")
    # Below a private /tmp the write itself may succeed: what counts is that nothing arrives.
    assert not path.exists()
    assert (done.exit_code, (room.project / "link").is_symlink()) in {(1, True), (0, True)}


async def test_the_project_and_the_private_tmp_can_be_written(room: Room):
    done = await room.run("echo x > made && echo y > /tmp/harness-private && cat /tmp/harness-private")
    assert (done.exit_code, done.output) == (0, "y\n")
    assert (room.project / "made").read_text() == "x\n"
    assert not Path("/tmp/harness-private").exists()


@pytest.mark.parametrize("name", [".ssh/id_rsa", ".aws/credentials", ".netrc", ".bashrc", ".unheard-of/token"])
async def test_secrets_of_the_home_cannot_be_read(room: Room, name):
    secret = room.home / name
    secret.parent.mkdir(exist_ok=True)
    secret.write_text(CANARY)
    done = await room.run(f"cat {secret}; grep -rs {CANARY} {room.home}", read=(room.home,))
    assert CANARY not in done.output


async def test_toolchains_of_the_home_can_be_read_and_not_written(room: Room):
    (room.home / ".cargo").mkdir()
    (room.home / ".cargo" / "env").write_text("tool")
    (room.home / ".cargo" / "credentials.toml").write_text(CANARY)
    done = await room.run(f"cat {room.home}/.cargo/*; echo x > {room.home}/.cargo/new", read=(room.home,))
    assert "tool" in done.output
    assert CANARY not in done.output
    assert not (room.home / ".cargo" / "new").exists()


async def test_a_denied_path_cannot_be_read_nor_one_beside_it_lost(room: Room):
    (room.project / "secrets").mkdir()
    (room.project / "secrets" / "key").write_text(CANARY)
    (room.project / "token").write_text(CANARY)
    denied = (room.project / "secrets", room.project / "token")
    done = await room.run("cat secrets/key token; ls; mv secrets s2", deny_read=denied)
    assert CANARY not in done.output
    assert (room.project / "secrets" / "key").read_text() == CANARY


async def test_nothing_listens_that_a_command_could_reach(room: Room):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        script = f"import socket; socket.create_connection(('127.0.0.1', {port}), 3)"
        done = await room.run(f'/usr/bin/env python3 -c "{script}" || exec 3<>/dev/tcp/127.0.0.1/{port}')
    assert done.exit_code
    assert "refused" in done.output


async def test_a_socket_in_the_file_system_cannot_be_reached(room: Room):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(room.project / "s"))
        listener.listen()
        done = await room.run("""python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("s")'""")
    assert "PermissionError" in done.output


async def test_no_environment_inside_holds_a_key(room: Room, monkeypatch):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_AUTH_TOKEN", "MY_SECRET", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, CANARY)
    done = await room.run("env; cat /proc/*/environ | tr '\\0' '\\n'; cat /proc/*/cmdline | tr '\\0' ' '")
    assert CANARY not in done.output
    assert "HARNESS_SANDBOX=1" in done.output


async def test_processes_outside_cannot_be_seen_or_killed(room: Room):
    with subprocess.Popen(["sleep", "60"]) as victim:
        done = await room.run(f"kill -9 {victim.pid}; ls -d /proc/[0-9]* | wc -l")
        alive = victim.poll() is None
        victim.kill()
    assert alive
    assert int(done.output.split()[-1]) < 10


@pytest.mark.parametrize(
    "attack",
    [
        "mount -o remount,rw,bind /",
        "mount -t tmpfs x /tmp",
        "unshare -Ur true",
        "echo x > /proc/sys/kernel/core_pattern",
        "echo x > /proc/sysrq-trigger",
        "chroot / true",
        "mknod /tmp/d b 8 0 && head -c 1 /tmp/d",
        "dmesg",
    ],
)
async def test_no_privilege_is_left(room: Room, attack):
    assert (await room.run(f"exec 2>&1; {attack}")).exit_code != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could read it anyway")
async def test_root_cannot_read_what_only_root_can(room: Room):
    assert "root:" not in (await room.run("cat /etc/shadow")).output


async def test_limits_hold(room: Room):
    done = await room.run("ulimit -c; ulimit -f; ulimit -d; ulimit -f unlimited; truncate -s 20G big")
    assert done.output.split()[:3] == ["0", str(16 << 20), str(8 << 20)]
    assert not (room.project / "big").exists() or (room.project / "big").stat().st_size < 17 << 30


async def test_nothing_of_ours_is_open_inside(room: Room):
    done = await room.run("ls -l /proc/self/fd | grep -v -e pipe -e /dev/null -e 'total' -e /proc/")
    assert "memfd" not in done.output


async def test_our_own_code_cannot_be_changed_nor_moved_away(room: Room):
    package = Path(harness.__file__).parent
    done = await room.run(f"mv {package} {package}2 || touch {package}/harness-test", write=(package.parent,))
    assert done.exit_code == 1
    assert "Read-only" in done.output


async def test_a_command_dies_with_us(room: Room, tmp_path):
    """A harness that is killed with SIGKILL leaves no command behind."""
    import sys
    import time

    script = (
        "import asyncio, sys; from pathlib import Path; from tests.sandbox.room import Room, finish\n"
        "room = Room(*map(Path, sys.argv[1:]))\n"
        "asyncio.run(room.run('echo started > started; while :; do date +%s%N > beat; sleep 0.05; done'))\n"
    )
    words = [sys.executable, "-c", script, str(room.base), str(room.project), str(room.home)]
    with subprocess.Popen(words, cwd=Path(__file__).parents[2]) as process:
        while not (room.project / "beat").exists():
            assert process.poll() is None, "it ended before its command began"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    time.sleep(0.3)
    before = (room.project / "beat").read_text()
    time.sleep(0.3)
    assert (room.project / "beat").read_text() == before


@pytest.mark.long
async def test_ended_at_any_moment_of_its_start_nothing_lives_on(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CONFIG_DIR", str(tmp_path / "state"))
    room, mark = Room.make(tmp_path), f"621.{os.getpid()}"
    shell = room.shell()
    for number in range(300):
        with anyio.move_on_after(number % 30 / 1000):
            await finish(shell, f"sleep {mark}", room.project)
        assert gone(mark)
