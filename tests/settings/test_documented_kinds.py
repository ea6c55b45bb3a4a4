"""Every kind of rule, handler and key that Claude Code's documentation shows: it loads unchanged and decides as said.

One row for each sentence of the documentation on rules; each goes through a settings file, not through a parser.
"""

import json
from typing import Any

import pytest

from harness.effects import Effect, Fetches, Opaque, Reads, Runs, Writes
from harness.messages import Mode, ToolCall
from harness.options import SessionOptions
from harness.permissions import Roots, Rules, removed_tools
from harness.permissions.decide import decide
from harness.permissions.tables import names
from harness.permit import starting_rules
from tests.corpus.decisions import decided
from tests.settings.room import Room

OUTSIDE = "/srv/shared"
# behaviour, rule, call (tool, then what it is about), decision in `default` mode
ROWS = """
allow | Bash                        | Bash make               | allow
allow | Bash(*)                     | Bash make               | allow
deny  | Bash(*)                     | Bash make               | deny
allow | Bash(npm run build)         | Bash npm run build      | allow
allow | Bash(npm run build)         | Bash npm run build x    | ask
allow | Bash(npm run test *)        | Bash npm run test --x   | allow
allow | Bash(npm run test *)        | Bash npm run test       | allow
allow | Bash(npm run test:*)        | Bash npm run test --x   | allow
allow | Bash(make *)                | Bash makeinfo           | ask
allow | Bash(make*)                 | Bash makeinfo           | allow
allow | Bash(git * main)            | Bash git checkout main  | allow
allow | Bash(* --version)           | Bash node --version     | allow
allow | Bash(* --help *)            | Bash node --help x      | allow
allow | Bash(npm test *)            | Bash npm test && make   | ask
allow | Bash(npm test *)            | Bash timeout 9 npm test | allow
allow | Bash(npm test *)            | Bash npx npm test       | ask
allow | Bash(npm test *)            | Bash NODE_ENV=x npm test | allow
allow | Bash(npm test *)            | Bash PATH=x npm test    | ask
deny  | Bash(npm test *)            | Bash PATH=x npm test    | deny
allow | Bash(npm test *)            | Bash npm test > out     | ask
allow | Bash(watch *)               | Bash watch ls           | ask
allow | Bash(find *)                | Bash find . -delete     | ask
allow | Bash(find . -delete)        | Bash find . -delete     | allow
deny  | Bash(curl *)                | Bash ls; curl x         | deny
ask   | Bash(git push *)            | Bash git push origin    | ask
ask   | Bash(ls *)                  | Bash ls -la             | ask
deny  | Bash(run_in_background:true) | Bash+run_in_background make | deny
deny  | Bash(run_in_background:true) | Bash make              | ask
deny  | Agent(model:opus)           | Agent+model=opus x      | deny
deny  | Agent(model:opus)           | Agent x                 | allow
deny  | Agent(Explore)              | Agent Explore           | deny
deny  | Task(Explore)               | Agent Explore           | deny
deny  | Agent(Explore)              | Agent Plan              | allow
allow | Skill(commit)               | Skill commit            | allow
allow | Skill(review-pr *)          | Skill review-pr 12      | allow
allow | Skill(commit)               | Skill deploy            | ask
deny  | Skill(deploy *)             | Skill deploy            | deny
deny  | Read(.env)                  | Read a/b/.env           | deny
deny  | Read(./.env)                | Bash cat .env           | deny
deny  | Read(//etc/**)              | Read /etc/passwd        | deny
allow | Read(//srv/shared/**)       | Read /srv/shared/a      | allow
allow | Read(~/.zshrc)              | Read ~/.zshrc           | allow
allow | Edit(/docs/**)              | Edit docs/a             | allow
allow | Edit(/docs/**)              | Edit x/docs/a           | ask
allow | Edit(docs/**)               | Write docs/a            | allow
allow | Edit(*.ts)                  | Edit src/a.ts           | allow
deny  | Edit(src/**)                | Edit x/src/a            | deny
allow | Edit(src/**)                | Edit x/src/a            | ask
deny  | Read(secrets/**)            | Write secrets/new       | deny
deny  | Read(secrets/**)            | NotebookEdit secrets/n  | ask
allow | Edit(.git/**)               | Edit .git/config        | ask
allow | Edit(//srv/shared/**)       | Read /srv/shared/a      | allow
allow | WebFetch(domain:example.com) | WebFetch https://EXAMPLE.com./x | allow
allow | WebFetch(domain:*.example.com) | WebFetch https://a.b.example.com | allow
allow | WebFetch(domain:*.example.com) | WebFetch https://example.com | ask
deny  | WebFetch(domain:*)          | WebFetch https://x.org  | deny
deny  | WebFetch                    | WebFetch https://x.org  | deny
deny  | WebSearch                   | WebSearch x             | deny
allow | WebSearch                   | WebSearch x             | allow
allow | mcp__puppeteer              | mcp__puppeteer__navigate x | allow
allow | mcp__puppeteer__*           | mcp__puppeteer__navigate x | allow
allow | mcp__puppeteer__navigate    | mcp__puppeteer__click x | ask
allow | mcp__github__get_*          | mcp__github__get_issue x | allow
deny  | mcp__*                      | mcp__github__get_issue x | deny
deny  | mcp__plugin_a_b             | mcp__plugin_a_b__c x    | deny
deny  | *                           | Read a                  | deny
"""
PATHS: dict[str, type[Reads] | type[Writes]] = {"Read": Reads, "Edit": Writes, "Write": Writes, "NotebookEdit": Writes}
NAMED = {"Agent": "subagent_type", "Skill": "skill"}


def rows() -> list[list[str]]:
    return [[cell.strip() for cell in line.split(" | ")] for line in ROWS.strip().splitlines()]


def call(room: Room, text: str) -> tuple[ToolCall, list[Effect]]:
    head, _, what = text.partition(" ")
    tool, _, extra = head.partition("+")
    name, _, value = extra.partition("=")
    fields: dict[str, Any] = {name: value or True} if name else {}
    if tool == "Bash":
        return ToolCall("c", tool, "{}", {**fields, "command": what}), [Runs(what, room.project)]
    if tool in PATHS:
        path = room.home / what[2:] if what.startswith("~/") else room.project / what
        return ToolCall("c", tool, "{}", fields), [PATHS[tool](path)]
    if tool == "WebFetch":
        return ToolCall("c", tool, "{}", {"url": what}), [Fetches(what)]
    effects: list[Effect] = [] if tool == "Agent" else [Opaque(tool)]
    return ToolCall("c", tool, "{}", {**fields, NAMED[tool]: what} if tool in NAMED else {"query": what}), effects


def rules_of(room: Room) -> Rules:
    return starting_rules(SessionOptions(cwd=room.project, env=room.env), room.load(trust_project=True), room.project)


def decision(room: Room, rules: Rules, text: str, mode: Mode = "default") -> str:
    roots = Roots(project=room.project, cwd=room.project, home=room.home, real=lambda path: path.resolve())
    wanted, effects = call(room, text)
    return decided(decide(wanted, effects, rules, mode, roots))


@pytest.mark.parametrize(("behavior", "rule", "text", "expected"), rows())
def test_a_rule_of_each_kind(room, behavior, rule, text, expected):
    room.committed({"permissions": {behavior: [rule]}})
    rules = rules_of(room)
    assert rules.warnings == ()
    assert decision(room, rules, text) == expected


@pytest.mark.parametrize(
    ("behavior", "rule"),
    [("allow", "*"), ("allow", "mcp__*"), ("allow", "B*"), ("deny", "Bash(command:rm *)"), ("deny", "Write(docs/**)"), ("deny", "Glob(x)"),
     ("deny", "NotebookEdit(x)"), ("deny", "MultiEdit(x)"), ("deny", "Bsh"), ("allow", "Agent(model:opus)"), ("deny", "WebSearch(x)")],
)  # fmt: skip
def test_rules_that_are_documented_to_warn(room, behavior, rule):
    path = room.committed({"permissions": {behavior: [rule]}})
    (warning,) = rules_of(room).warnings
    assert str(warning).startswith(f"{path}:1: permission rule {rule!r}")


def test_a_bare_deny_takes_the_tool_away_and_a_scoped_one_does_not(room):
    room.committed({"permissions": {"deny": ["WebFetch", "Bash(rm *)", "mcp__github__*"]}})
    assert removed_tools(rules_of(room), ["WebFetch", "Bash", "mcp__github__x", "mcp__git__x"]) == {
        "WebFetch",
        "mcp__github__x",
    }


def test_deny_beats_ask_beats_allow_over_all_files(room):
    room.user({"permissions": {"allow": ["Bash(npm *)"], "ask": ["Bash(npm publish *)"]}})
    room.write("home/.claude/settings.json", {"permissions": {"deny": ["Bash(npm publish --tag *)"]}})
    room.committed({"permissions": {"allow": ["Bash(npm publish *)"]}})
    rules = rules_of(room)
    lines = ("npm test", "npm publish", "npm publish --tag x")
    assert [decision(room, rules, f"Bash {line}") for line in lines] == ["allow", "ask", "deny"]
    assert [decision(room, rules, f"Bash {line}", "bypassPermissions") for line in lines] == ["allow", "ask", "deny"]
    assert [decision(room, rules, f"Bash {line}", "dontAsk") for line in lines] == ["allow", "deny", "deny"]


HANDLERS: list[dict[str, Any]] = [
    {"type": "command", "command": "${CLAUDE_PROJECT_DIR}/.claude/hooks/check.sh", "args": ["--fix"], "timeout": 60, "if": "Bash(git *)",
     "async": True, "statusMessage": "Checking", "once": True, "shell": "bash"},
    {"type": "http", "url": "http://localhost:8080/hooks/pre", "headers": {"Authorization": "Bearer $TOKEN"}, "allowedEnvVars": ["TOKEN"], "timeout": 30},
    {"type": "mcp_tool", "server": "memory", "tool": "store", "input": {"text": "${tool_input.command}"}},
    {"type": "prompt", "prompt": "Is this safe? $ARGUMENTS", "model": "haiku", "timeout": 30, "continueOnBlock": True},
    {"type": "agent", "prompt": "Verify that the tests pass. $ARGUMENTS", "timeout": 120},
]  # fmt: skip
EVENTS = sorted(
    names("""SessionStart Setup UserPromptSubmit UserPromptExpansion PreToolUse PermissionRequest PermissionDenied PostToolUse
PostToolUseFailure PostToolBatch Notification MessageDisplay SubagentStart SubagentStop Stop StopFailure TaskCreated TaskCompleted
TeammateIdle PreCompact PostCompact SessionEnd InstructionsLoaded ConfigChange CwdChanged DirectoryAdded FileChanged WorktreeCreate
WorktreeRemove Elicitation ElicitationResult""")
)
MATCHERS = ["Bash", "Edit|Write", "mcp__memory__.*", "*", "", "startup|resume", "Notebook.*"]


def test_a_hooks_block_of_every_event_and_handler_is_kept_whole(room):
    groups = [{"matcher": matcher, "hooks": HANDLERS} for matcher in MATCHERS] + [{"hooks": HANDLERS}]
    room.write("home/.claude/settings.json", {"hooks": dict.fromkeys(EVENTS, groups)})
    found = room.load()
    assert found.problems == ()
    kept: dict[str, list[Any]] = {}
    for event, group, _ in found.hooks():
        kept.setdefault(event, []).append(group)
    assert kept == dict.fromkeys(EVENTS, groups)


WHOLE = {
    "$schema": "https://json.schemastore.org/claude-code-settings.json",
    "model": "opus", "fallbackModel": ["sonnet", "haiku"], "availableModels": ["opus"], "effortLevel": "high", "alwaysThinkingEnabled": True,
    "language": "english", "outputStyle": "Concise", "agent": "reviewer", "env": {"FOO": "bar"}, "cleanupPeriodDays": 20,
    "permissions": {"allow": ["Bash(npm run lint)"], "ask": ["Bash(git push *)"], "deny": ["Read(./.env)", "WebFetch"],
                    "additionalDirectories": ["../docs/"], "defaultMode": "acceptEdits", "disableBypassPermissionsMode": "disable"},
    "autoMode": {"environment": ["a trusted repository"], "allow": ["running tests"], "deny": ["pushing"], "classifyAllShell": True},
    "sandbox": {"enabled": True, "autoAllowBashIfSandboxed": True, "excludedCommands": ["docker *"], "failIfUnavailable": False,
                "filesystem": {"allowWrite": ["/tmp/build"], "denyWrite": ["//etc"], "denyRead": ["~/.aws"], "allowRead": ["."]},
                "network": {"allowedDomains": ["github.com", "*.npmjs.org"], "deniedDomains": ["x.com"], "allowUnixSockets": ["/var/run/docker.sock"],
                            "allowLocalBinding": True, "httpProxyPort": 8080, "socksProxyPort": 8081}},
    "hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "true"}]}]}, "disableAllHooks": False,
    "enableAllProjectMcpServers": True, "enabledMcpjsonServers": ["memory"], "disabledMcpjsonServers": ["filesystem"],
    "enabledPlugins": {"formatter@tools": True}, "extraKnownMarketplaces": {"tools": {"source": {"source": "github", "repo": "o/r"}}},
    "autoCompactEnabled": True, "autoMemoryEnabled": False, "claudeMdExcludes": ["**/vendor/CLAUDE.md"], "plansDirectory": "./plans",
    "fileCheckpointingEnabled": True, "statusLine": {"type": "command", "command": "~/.claude/statusline.sh", "padding": 0},
    "theme": "dark", "editorMode": "vim", "verbose": False, "respectGitignore": True, "attribution": {"commit": "", "pr": ""},
    "includeCoAuthoredBy": False, "includeGitInstructions": True, "worktree": {"baseRef": "main", "symlinkDirectories": ["node_modules"]},
    "companyAnnouncements": ["Welcome"], "spinnerTipsEnabled": False, "autoUpdatesChannel": "stable",
}  # fmt: skip


def test_a_whole_settings_file_loads_without_a_complaint_and_decides(room):
    room.write("home/.claude/settings.json", json.dumps(WHOLE, indent=2).encode())
    found = room.load()
    assert found.problems == ()
    assert (found.mode, found.forbidden_modes, found.directories) == (
        "acceptEdits",
        {"bypassPermissions"},
        ("../docs/",),
    )
    rules = rules_of(room)
    assert rules.warnings == ()
    wanted = {
        "Bash npm run lint": "allow",
        "Bash git push x": "ask",
        "Read .env": "deny",
        "WebFetch https://x.org": "deny",
        "Edit a.py": "allow",
    }
    assert {text: decision(room, rules, text, "acceptEdits") for text in wanted} == wanted
