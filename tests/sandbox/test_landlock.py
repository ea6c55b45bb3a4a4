"""The degraded level: its rules as a pure function, and what the kernel makes of them."""

import os
from pathlib import Path

import anyio
import pytest

from harness.errors import SandboxUnavailable
from harness.sandbox import landlock, landlocked
from harness.sandbox.bwrap import Snapshot
from harness.sandbox.launch import Unsandboxed
from harness.sandbox.policy import Policy
from harness.sandbox.probe import describe, launcher
from tests.sandbox.room import Room

kernel = pytest.mark.skipif(landlocked.abi() < landlocked.OLDEST, reason="this kernel has no Landlock of version 3")
TREE = {"/p": ("a", "b", "s"), "/p/b": ("c", "d"), "/h": (".ssh", ".cargo"), "/h/.cargo": ("bin", "credentials")}
P, HOME, TEMPORARY = Path("/p"), Path("/h"), Path("/t")


def children(directory: Path) -> list[Path]:
    return [directory / name for name in TREE.get(str(directory), ())]


def rules(disk: Snapshot | None = None, **options: object) -> landlock.Rules:
    policy = Policy(project=P, home=HOME, **options)  # type: ignore[arg-type]
    return landlock.rules(policy, disk or Snapshot(directories=frozenset()), HOME, TEMPORARY, b"\x01", children)


def test_around_a_closed_path_its_neighbours_are_named():
    assert list(landlock.around(P, [P / "b/d", Path("/other")], children)) == [P / "a", P / "b/c", P / "s"]
    assert list(landlock.around(P, [Path("/other")], children)) == [P]


def test_what_is_not_named_is_not_readable():
    made = rules()
    assert {"/p", "/usr", "/h/.cargo"} <= set(made.read)
    assert not {"/", "/h", "/tmp", "/home", "/h/.ssh", "/var"} & set(made.read)
    assert made.write == ["/t", "/p"]
    assert made.scope
    assert not rules(network="host").scope


def test_a_denied_path_cannot_be_read_though_it_lies_in_the_project():
    made = rules(deny_read=(P / "s",))
    assert "/p" not in made.read
    assert "/p/s" not in made.read
    assert {"/p/a", "/p/b"} <= set(made.read)
    assert (made.change, "/p" in made.write) == (["/p"], False)


def test_a_secret_within_a_toolchain_is_left_out():
    made = rules(Snapshot(directories=frozenset(), hidden=(HOME / ".cargo/credentials",)))
    assert "/h/.cargo/bin" in made.read
    assert "/h/.cargo" not in made.read


def test_a_root_below_something_hidden_is_still_readable():
    made = rules(Snapshot(directories=frozenset(), hidden=(Path("/"), P)))
    assert "/p" in made.read


def test_what_must_not_be_written_is_left_out():
    made = rules(Snapshot(directories=frozenset(), installation=(P / "b/c",)), deny_write=(P / "a",))
    assert made.write == ["/t", "/p/b/d", "/p/s"]


def test_plan_writes_only_the_temporary_directory_and_what_is_kept():
    made = rules(project_readonly=True, write=(Path("/w"),), keep=(Path("/k"),))
    assert made.write == ["/k", "/t"]


@kernel
async def test_the_kernel_holds_it(room: Room):
    (room.base / "outside").write_text("secret")
    (room.home / ".ssh").mkdir()
    (room.home / ".ssh" / "id").write_text("secret")
    (room.project / "denied").write_text("secret")
    script = f"""
        echo in > made; cat made; echo x > "$TMPDIR/t" && echo temporary
        cat {room.base}/outside; cat {room.home}/.ssh/id; echo x > {room.base}/outside; truncate -s0 {room.base}/outside
        touch {room.base}/new; ln -s {room.base}/outside l; cat l; cat /proc/{os.getpid()}/environ | head -c 20
        kill -0 {os.getpid()} || echo no signals
        exec 3<>/dev/tcp/127.0.0.1/9; echo $HARNESS_SANDBOX
    """
    done = await room.run(script, level="degraded")
    assert (room.base / "outside").read_text() == "secret"
    assert not (room.base / "new").exists()
    assert "secret" not in done.output
    said = done.output.splitlines()
    assert said[:2] == ["in", "temporary"]
    assert "no signals" in said
    assert any(line.endswith("/dev/tcp/127.0.0.1/9: Operation not permitted") for line in said)
    assert said[-1] == "1"
    assert "secret" not in (await room.run("cat denied", level="degraded", deny_read=(room.project / "denied",))).output
    assert not [path for path in Path("/tmp").glob("harness-*") if (path / "t").exists()]


@kernel
async def test_a_link_made_meanwhile_opens_nothing(room: Room):
    """Rules are made for what lies beside a denied path: a link there must not become a rule for its target."""
    (room.base / "outside").write_text("secret")
    (room.project / "link").symlink_to(room.base / "outside")
    (room.project / "denied").write_text("")
    done = await room.run("cat link", level="degraded", deny_read=(room.project / "denied",))
    assert "secret" not in done.output


@kernel
async def test_what_a_command_leaves_running_is_killed(room: Room):
    done = await room.run("setsid sleep 77 & echo $!", level="degraded")
    state = Path("/proc", done.output.strip(), "stat")
    for _ in range(200):  # killed; dying may take its time
        if not state.exists() or ") Z " in state.read_text():
            return
        await anyio.sleep(0.01)
    raise AssertionError(state.read_text())


@kernel
async def test_plan_mode_reads_and_does_not_write(room: Room):
    (room.project / "f").write_text("x")
    done = await room.run("cat f; echo y > f; touch g", level="degraded", project_readonly=True)
    assert done.output.startswith("x")
    assert [path.name for path in room.project.iterdir()] == ["f"]
    assert (room.project / "f").read_text() == "x"


def test_an_old_kernel_is_named(monkeypatch):
    monkeypatch.setattr(landlocked, "abi", lambda: 1)
    with pytest.raises(SandboxUnavailable, match=r"version 3, Linux 6\.2"):
        landlock.launcher()


def test_a_declared_container_is_used_as_it_is(room: Room):
    assert launcher(room.policy(level="external")) == Unsandboxed()
    assert "container" in describe(room.policy(level="external"))


def test_the_rules_are_not_followed_through_links(tmp_path):
    """`openat2` without links: else a name that was swapped since would widen them."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    landlocked.allow(-1, str(tmp_path / "link"), landlocked.READ)  # returns: nothing to allow
    with pytest.raises(OSError, match="add_rule"):
        landlocked.allow(-1, str(tmp_path / "real"), landlocked.READ)
