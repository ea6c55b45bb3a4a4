from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.sandbox.bwrap import Snapshot
from harness.sandbox.explain import explained, sandbox_explain
from harness.sandbox.policy import Policy
from harness.sandbox.protect import Placeholder, Protection

P = Path("/p")
DISK = Snapshot(
    directories=frozenset({Path("/h/.ssh"), P / "secret"}),
    scratch=(Path("/tmp"),),
    hidden=(Path("/h/.ssh"),),
    protection=Protection(read_only=[P / ".git/config"], placeholders=[Placeholder(P / ".mcp.json")]),
)


def words(**options: object) -> dict[str, str]:
    policy = Policy(project=P, home=Path("/h"), **options)  # type: ignore[arg-type]
    lines = explained(policy, DISK, "bubblewrap /usr/bin/bwrap", 1000, ["a.example"])
    return {line[:11].strip(): line[11:] for line in lines}


def test_every_part_of_a_policy_is_told():
    said = words(deny_read=(P / "secret",))
    assert said["level"] == "full, by bubblewrap /usr/bin/bwrap"
    assert (said["writes"], said["but not"], said["nor make"]) == ("/p", "/p/.git/config", "/p/.mcp.json")
    assert (said["hidden"], said["denied"]) == ("/h/.ssh", "/p/secret")
    assert said["network"] == "none but a loopback of the session's own"
    assert "2048 processes" in said["limits"]


def test_what_flags_open_is_told():
    said = words(network="proxy", allow_unix_sockets=True, write=(Path("/w"),))
    assert "a.example" in said["network"]
    assert (said["allowed"], said["writes"]) == ("Unix sockets", "/p, /w")


def test_plan_and_the_degraded_level_say_what_differs():
    assert words(project_readonly=True)["writes"] == "nothing on the disk"
    said = words(level="degraded")
    assert "NOT held" in said["but not"]
    assert said["network"] == "no sockets at all"
    assert "nothing else" in said["reads"]


def test_it_runs_nothing_and_says_what_is_here(room, capsys):
    assert sandbox_explain(["--project", str(room.project), "--home", str(room.home)]) == 0
    assert f"writes     {room.project}" in capsys.readouterr().out
    with pytest.raises(UsageError, match="runs nothing"):
        sandbox_explain(["--", "true"])


def test_a_name_that_would_steer_the_terminal_is_escaped():
    said = words(write=(Path("/w\x1b[2J"),))
    assert said["writes"] == "/p, /w\\x1b[2J"
