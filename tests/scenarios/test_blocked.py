"""What the sandbox refused, as the model is told of it by the whole program: each kind in words, once, with what mends."""

import sys

import pytest

from tests.scenarios.house import House, bash

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")

SOCKET = "python3 -c \"import socket; socket.socket(socket.AF_UNIX).connect('s')\""
KINDS = {
    "outside": ("echo x > /usr/harness-out", "Blocked: write to /usr/harness-out.", "--add-dir"),
    "hidden": ("cat ~/.ssh/id", "Blocked: {home}/.ssh/id.", "allowRead"),
    "network": ("curl -sS https://a.example", "The sandbox has no network.", "--allow-domain"),
    "protected": ("echo x > .mcp.json", "Blocked: write to .mcp.json.", "the file tools ask"),
    "git": ("echo x > .git/hooks/x", ".git/hooks are read-only.", "offered to the user"),
    "socket": (SOCKET, "refuses Unix sockets", "dangerouslyDisableSandbox"),
    "memory": ('python3 -c "bytearray(60 << 30)"', "a process 8 GiB of memory", ""),
    "size": ("truncate -s 40T big", "files of 16 GiB at most", ""),
}


def test_each_kind_is_told_once_with_what_mends_it(open_house: House):
    house = open_house
    (house.home / ".ssh").mkdir()
    (house.home / ".ssh/id").write_text("x")
    house.git("init", "-q")
    places = {"base": house.base, "home": house.home}
    done = house.acts(*(bash(command.format(**places)) for command, _, _ in KINDS.values()), bash("cat nothing"))
    *results, ordinary = done.results
    for (name, (_, word, mend)), result in zip(KINDS.items(), results, strict=True):
        assert result.count(word.format(**places)) == 1, (name, result)
        assert mend in result, (name, result)
    assert ordinary == "cat: nothing: No such file or directory\nExit status 1"


def test_a_host_that_is_not_listed_is_named(open_house: House):
    house = open_house
    listed = house.acts(
        bash("curl -sS https://b.example"),
        flags=("--permission-mode", "bypassPermissions", "--allow-domain", "a.example"),
    )
    assert "b.example" in listed.results[0]
    assert "--allow-domain b.example" in listed.results[0]


def test_settings_may_not_want_to_hear_of_a_path(open_house: House):
    house = open_house
    house.settings(sandbox={"ignoreViolations": {"touch": ["/etc/x"]}})
    done = house.acts(bash("touch /etc/x"), bash("touch /etc/y"))
    assert "Blocked" not in done.results[0]
    assert "Blocked: write to /etc/y" in done.results[1]
