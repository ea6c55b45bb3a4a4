"""Where user namespaces are refused nothing runs unsandboxed without the user's word; less is asked for by name."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.sandbox import landlocked
from tests.scenarios import house as scenarios
from tests.scenarios.house import House, bash, call

SWITCHED_OFF = ["unshare", "-U", "-r", "sh", "-c", 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"', "sh"]
DENIED = [sys.executable, str(Path(__file__).with_name("denied.py"))]
# What surrounds us, and the cause that is to be named.
REFUSALS = {
    "sysctl": (SWITCHED_OFF, "user.max_user_namespaces"),
    "seccomp": (DENIED, "the container refuses user namespaces"),
}
TOUCH = (bash("touch ran ../escaped; cat ../state/settings.json"), call("Read", file_path="seen"))


@pytest.fixture(params=list(REFUSALS))
def refusal(request):
    return REFUSALS[request.param]


@pytest.fixture
def refusing(house: House, refusal, monkeypatch) -> House:
    """A house on a machine that gives out no user namespaces."""
    within, _ = refusal
    if subprocess.run([*within, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no user namespace can be had to switch them off in")
    assert subprocess.run([*within, "unshare", "-U", "true"], capture_output=True, check=False).returncode
    monkeypatch.setattr(scenarios, "COMMAND", [*within, *scenarios.COMMAND])
    (house.project / "seen").write_text("here")
    return house


def test_nothing_runs_without_the_users_word(refusing: House, refusal):
    done = refusing.acts(*TOUCH, flags=("--permission-mode", "acceptEdits", "--allowedTools", "Bash"))
    assert not (refusing.project / "ran").exists()
    assert refusal[1] in done.results[0]
    assert "here" in done.results[1]  # the file tools need no sandbox
    assert (done.lines[0]["sandbox"], done.result["sandbox"]) == ("full", "full")


def test_a_session_may_want_to_fail_at_once(refusing: House, refusal):
    refusing.settings(sandbox={"failIfUnavailable": True})
    done = refusing.acts(call("Read", file_path="seen"))
    assert (done.code, done.asked) == (1, [])
    assert (len(done.lines), done.result["terminal_reason"]) == (1, "turn_setup_failed")
    assert refusal[1] in done.err


@pytest.mark.skipif(landlocked.abi() < landlocked.OLDEST, reason="this kernel has no Landlock of version 3")
@pytest.mark.parametrize("by_settings", [True, False])
def test_the_degraded_level_is_used_when_the_user_says_so(refusing: House, by_settings):
    refusing.settings(**({"sandbox": {"mode": "degraded"}} if by_settings else {}))
    flags = () if by_settings else ("--sandbox", "degraded")
    done = refusing.acts(*TOUCH, flags=(*flags, "--allowedTools", "Bash"))
    assert (refusing.project / "ran").exists()
    assert not (refusing.base / "escaped").exists()
    assert "Permission denied" in done.results[0]
    assert (done.lines[0]["sandbox"], done.result["sandbox"]) == ("degraded", "degraded")
    assert "degraded (Landlock)" in done.asked[0].messages[-1]["content"]


def test_the_degraded_level_approves_nothing_by_itself(house: House):
    house.settings(sandbox={"enabled": True, "mode": "degraded"})
    done = house.acts(bash("touch ran"), flags=("--permission-mode", "acceptEdits"))
    assert [denial["tool_name"] for denial in done.result["permission_denials"]] == []
    again = house.acts(bash("make ran"), flags=("--permission-mode", "acceptEdits"))
    assert [denial["tool_name"] for denial in again.result["permission_denials"]] == ["Bash"]


def test_an_outer_container_is_declared(refusing: House):
    refusing.settings(sandbox={"mode": "external"})
    done = refusing.acts(bash("touch ran"), flags=("--allowedTools", "Bash"))
    assert (refusing.project / "ran").exists()
    assert done.lines[0]["sandbox"] == "external"


def test_a_repository_cannot_lower_the_level(house: House):
    (house.project / ".harness").mkdir()
    (house.project / ".harness" / "settings.json").write_text('{"sandbox": {"mode": "external", "enabled": false}}')
    done = house.acts(bash("id"), flags=("--trust-project", "--allowedTools", "Bash"))
    assert done.lines[0]["sandbox"] == "full"


def test_the_flags_agree(house: House):
    done = house.run("-p", "--no-sandbox", "--sandbox", "full", "hi")
    assert (done.code, "disagree" in done.err) == (2, True)
