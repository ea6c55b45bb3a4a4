"""Settings in the style of Claude Code's public documentation load unchanged and decide as documented there."""

import time

import pytest

from harness.effects import Effect, Reads, Runs, Writes
from harness.messages import ToolCall
from harness.options import SessionOptions
from harness.permissions import Decision, Roots
from harness.permissions.decide import decide
from harness.permit import starting_rules
from harness.sandbox.policy import Granted
from tests.corpus.decisions import decided
from tests.settings.room import Room

PERMISSIONS = b"""{
  "$schema": "https://json.schemastore.org/claude-code-settings.json",
  "permissions": {
    "allow": ["Bash(npm run lint)", "Bash(npm run test *)", "Bash(git commit:*)", "Read(~/.zshrc)", "Edit(/docs/**)"],
    "ask": ["Bash(git push *)"],
    "deny": ["Bash(curl *)", "WebFetch", "Read(./.env)", "Read(./.env.*)", "Read(./secrets/**)"],
    "additionalDirectories": ["../docs/"],
    "defaultMode": "acceptEdits",
    "disableBypassPermissionsMode": "disable"
  },
  "env": {"CLAUDE_CODE_ENABLE_TELEMETRY": "1", "NODE_ENV": "development", "OTEL_METRICS_EXPORTER": "otlp"},
  "model": "claude-sonnet-4-5",
  "availableModels": ["sonnet", "haiku"],
  "companyAnnouncements": ["Welcome!"],
  "cleanupPeriodDays": 20,
  "includeCoAuthoredBy": false,
  "outputStyle": "Explanatory",
  "enableAllProjectMcpServers": true,
  "enabledMcpjsonServers": ["memory", "github"],
  "statusLine": {"type": "command", "command": "~/.claude/statusline.sh", "padding": 0},
  "spinnerTipsEnabled": false
}"""
HOOKS = b"""{
  "hooks": {
    "PreToolUse": [
      {"matcher": "Bash", "hooks": [{"type": "command", "command": "jq -r .tool_input.command >> ~/log.txt"}]},
      {"matcher": "Edit|Write", "hooks": [
        {"type": "command", "command": "\\"$CLAUDE_PROJECT_DIR\\"/.claude/hooks/style.sh", "timeout": 30}]}
    ],
    "Stop": [{"hooks": [{"type": "prompt", "prompt": "Is it done? $ARGUMENTS"}]}],
    "Notification": [{"matcher": "", "hooks": [{"type": "http", "url": "http://localhost:8080/hook"}]}]
  }
}"""
SANDBOX = b"""{
  "sandbox": {
    "enabled": true,
    "autoAllowBashIfSandboxed": true,
    "excludedCommands": ["docker *", "git"],
    "filesystem": {"allowWrite": ["~/.kube", "/var/build"], "denyRead": ["~/.aws/credentials"]},
    "network": {"allowedDomains": ["github.com", "*.npmjs.org"], "allowUnixSockets": ["~/.ssh/agent-socket"],
                "allowLocalBinding": true, "httpProxyPort": 8080}
  },
  "permissions": {"deny": ["Read(.envrc)", "Read(~/.aws/**)"]}
}"""


def effects(room: Room, call: str) -> tuple[str, Effect]:
    tool, _, what = call.partition(" ")
    path = (room.home / what[2:]) if what.startswith("~/") else room.project / what
    known: dict[str, Effect] = {"Bash": Runs(what, room.project), "Read": Reads(path)}
    return tool, known.get(tool, Writes(path))


def decision(room: Room, call: str) -> Decision:
    chosen = room.load(trust_project=True)
    roots = Roots(project=room.project, cwd=room.project, home=room.home, real=lambda path: path.resolve())
    rules = starting_rules(SessionOptions(cwd=room.project, env=room.env), chosen, room.project)
    assert rules.warnings == ()
    tool, effect = effects(room, call)
    granted = Granted("full", write=(room.project,), auto_allow=chosen.auto_allow)
    wanted = ToolCall("c", tool, "{}", {"command": call.partition(" ")[2]} if tool == "Bash" else {})
    return decide(wanted, [effect], rules, chosen.mode or "default", roots, granted)


@pytest.mark.parametrize("place", ["home/.claude/settings.json", "project/.claude/settings.json"])
@pytest.mark.parametrize("content", [PERMISSIONS, HOOKS, SANDBOX], ids=["permissions", "hooks", "sandbox"])
def test_they_load_without_a_complaint(room, place, content):
    room.write(place, content)
    told = room.load(trust_project=True).problems
    assert [line for line in told if "only your own settings may set" not in line] == []


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("Bash npm run lint", "allow"),
        ("Bash npm run test", "allow"),
        ("Bash npm run test -- --watch", "allow"),
        ("Bash git commit -m x", "allow"),
        ("Bash git push origin main", "ask"),
        ("Bash npm run lint && git push origin main", "ask"),
        ("Bash curl https://example.com", "deny"),
        ("Bash npm run lint && curl https://example.com", "deny"),
        ("Bash cat .env", "deny"),
        ("Read .env", "deny"),
        ("Read packages/app/.env", "deny"),
        ("Read .env.local", "deny"),
        ("Read secrets/a/b", "deny"),
        ("Read main.py", "allow"),
        ("Read ~/.zshrc", "allow"),
        ("Edit src/main.py", "allow"),
        ("Edit ~/other/x.py", "ask"),
        ("Write .env", "deny"),
    ],
)
def test_the_permissions_block_decides_as_documented(room, call, expected):
    room.committed(PERMISSIONS)
    assert decided(decision(room, call)) == expected


def test_a_leading_slash_starts_where_the_file_belongs(room):
    text = b'{"permissions": {"deny": ["Read(/docs/**)"]}}'
    room.committed(text)
    assert [decided(decision(room, call)) for call in ("Read docs/a", "Read below/docs/a")] == ["deny", "allow"]
    room.committed(b"{}")
    room.write("home/.claude/settings.json", text)
    assert [decided(decision(room, call)) for call in ("Read docs/a", "Read ~/.claude/docs/a")] == ["allow", "deny"]


def test_the_rest_of_the_permissions_block(room):
    room.write("home/.claude/settings.json", PERMISSIONS)
    found = room.load()
    assert (found.mode, found.forbidden_modes, found.directories) == (
        "acceptEdits",
        {"bypassPermissions"},
        ("../docs/",),
    )
    assert found.environment == {"NODE_ENV": "development", "OTEL_METRICS_EXPORTER": "otlp"}
    assert found.model is None  # another company's; ours is the one served
    assert found.layers[0].unknown == ("spinnerTipsEnabled",)


def test_the_hooks_block_is_kept_whole_and_in_order(room):
    room.write("home/.claude/settings.json", HOOKS)
    kept = [(event, group.get("matcher"), group["hooks"][0]["type"]) for event, group, _ in room.load().hooks()]
    assert kept == [
        ("PreToolUse", "Bash", "command"),
        ("PreToolUse", "Edit|Write", "command"),
        ("Stop", None, "prompt"),
        ("Notification", "", "http"),
    ]


def test_hooks_of_all_files_add_up(room):
    room.write("home/.claude/settings.json", HOOKS)
    room.committed(HOOKS)
    assert [layer.source for _, _, layer in room.load(trust_project=True).hooks()] == ["user"] * 4 + ["project"] * 4


def test_the_sandbox_block_lets_commands_run_unasked(room):
    room.write("home/.claude/settings.json", SANDBOX)
    assert decided(decision(room, "Bash make build")) == "allow"
    assert decided(decision(room, "Read ~/.aws/credentials")) == decided(decision(room, "Read a/.envrc")) == "deny"
    found = room.load()
    assert (found.sandbox, found.allow_write, found.deny_read) == (
        True,
        ("~/.kube", "/var/build"),
        ("~/.aws/credentials",),
    )
    room.write("home/.claude/settings.json", b"{}")
    assert decided(decision(room, "Bash make build")) == "ask"


def test_a_hostile_list_of_rules_does_not_hold_the_start(room):
    items = ", ".join(f'"B{n}\\u0061"' for n in range(60_000))
    room.committed(b'{"permissions": {"deny": [' + items.encode() + b"]}}")
    began = time.monotonic()
    rules = starting_rules(SessionOptions(cwd=room.project, env=room.env), room.load(), room.project)
    assert len(rules.deny) == 60_000
    assert time.monotonic() - began < 5


def test_a_rule_that_cannot_be_used_is_named_with_its_line(room):
    path = room.user(b'{\n  "permissions": {\n    "deny": [\n      "Read(.env)",\n      "Bash("\n    ]\n  }\n}')
    rules = starting_rules(SessionOptions(cwd=room.project, env=room.env), room.load(), room.project)
    assert str(rules.warnings[0]).startswith(f"{path}:5: permission rule 'Bash('")
    assert rules.deny[0].where == f"{path}:4"
