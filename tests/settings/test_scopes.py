"""From which file which key counts, and in which order files win."""

import json

import pytest

from harness.errors import UsageError
from harness.settings import Asked, load
from harness.settings.keys import KEYS
from harness.settings.layer import Layer, limited, parsed
from tests.settings.room import nested

# One value of each kind that would loosen something.
SAMPLE = {
    "string": "x", "boolean": True, "integer": 1, "number": 1, "strings": ["x"], "texts": ["x"], "list": ["x"],
    "texts-map": {"A": "x"}, "object": {"a": 1}, "any": 1, "mode": "bypassPermissions", "level": "external",
    "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "x"}]}]}, "effort": "low",
    "endpoints": {"x": {"baseUrl": "u"}}, "prices": {"m": {"input": 1, "output": 1}},
}  # fmt: skip
NEVER = {key for key, known in KEYS.items() if known.scope in {"person", "managed", "mode"}}
FILES = {  # the lowest first
    "user-vendor": "home/.claude/settings.json",
    "user": "home/.harness/settings.json",
    "project-vendor": "project/.claude/settings.json",
    "project": "project/.harness/settings.json",
    "local-vendor": "project/.claude/settings.local.json",
    "local": "project/.harness/settings.local.json",
    "file": "elsewhere/given.json",
    "managed-vendor": "etc/claude-code/managed-settings.json",
    "managed-vendor-drop-in": "etc/claude-code/managed-settings.d/10-x.json",
    "managed": "etc/harness/managed-settings.json",
    "managed-drop-in": "etc/harness/managed-settings.d/10-x.json",
    "managed-later-drop-in": "etc/harness/managed-settings.d/20-x.json",
}


def test_the_order_of_the_files(room):
    asked: dict[str, str] = {}
    for name, path in FILES.items():
        room.write(path, {"model": name, "permissions": {"allow": [f"Bash({name})"]}})
        if name == "file":
            asked = {"given": str(room.base / path)}
        assert room.load(trust_project=True, **asked).model == name
    allowed = [
        rule for layer in room.load(trust_project=True, **asked).layers for rule in layer.get("permissions.allow")
    ]
    assert allowed == [f"Bash({name})" for name in FILES]


@pytest.mark.parametrize("key", sorted(KEYS))
def test_what_never_counts_from_a_repository(key):
    data = nested(key, SAMPLE[KEYS[key].kind])
    for source in ("project", "local"):
        layer = limited(parsed(Layer(source, "f", None), json.dumps(data).encode()), trusted=True)  # type: ignore[arg-type]  # no base needed
        loosens = key in NEVER or (KEYS[key].scope == "false")
        assert (layer.get(key) is None, layer.ignored) == (loosens, (key,) if loosens else ())


@pytest.mark.parametrize(
    "key",
    [
        "endpoint.baseUrl",
        "endpoint.caFile",
        "apiKeyHelper",
        "sandbox.enabled",
        "sandbox.excludedCommands",
        "sandbox.filesystem.allowWrite",
        "trustedPaths",
    ],
)
def test_keys_endpoints_and_the_sandbox_are_the_persons(key):
    assert key in NEVER


@pytest.mark.parametrize(
    ("key", "value", "counts"),
    [
        ("sandbox.failIfUnavailable", False, False),
        ("sandbox.autoAllowBashIfSandboxed", False, True),
        ("sandbox.allowUnsandboxedCommands", False, True),
        ("sandbox.network.strictAllowlist", True, True),
        ("permissions.defaultMode", "plan", True),
        ("permissions.defaultMode", "auto", False),
    ],
)
def test_a_trusted_repository_may_tighten(room, key, value, counts):
    room.committed(nested(key, value))
    [layer] = room.load(trust_project=True).layers
    assert layer.get(key) == (value if counts else None)


def test_unknown_keys_of_a_repository_do_not_count(room):
    room.committed({"sandbox": {"future": 1}, "someKey": 1, "model": "m"})
    [layer] = room.load(trust_project=True).layers
    assert layer.data == {"model": "m"}


def test_what_only_the_owner_may_say(room):
    room.user({"sandbox": {"network": {"allowManagedDomainsOnly": True}}})
    assert room.load().layers[0].get("sandbox.network.allowManagedDomainsOnly") is None


def test_the_sources_can_be_chosen_and_the_owner_stays(room):
    for name in ("user", "project", "local", "managed"):
        room.write(FILES[name], {"env": {name: "1"}})
    assert room.load(trust_project=True, sources=("user",)).environment.keys() == {"user", "managed"}
    assert room.load(trust_project=True, sources=()).environment.keys() == {"managed"}


def test_settings_given_on_the_command_line(room):
    room.user({"model": "user", "permissions": {"deny": ["Read(.env)"]}})
    found = room.load(given='{"model": "given", "permissions": {"deny": ["Read(.key)"]}}')
    assert (found.model, [layer.source for layer in found.layers]) == ("given", ["user", "flag"])
    path = room.write("elsewhere/s.json", {"permissions": {"deny": ["Read(/a)"]}})
    assert room.load(given="../elsewhere/s.json").layers[-1].base == path.parent


@pytest.mark.parametrize("given", ["{", '{"model": 7}', "missing.json", ".", '{"x": "' + "x" * (2 << 20) + '"}'])
def test_settings_given_that_cannot_be_used_end_the_run(room, given):
    with pytest.raises(UsageError) as caught:
        room.load(given=given)
    assert "--settings" in str(caught.value)


def test_started_in_the_home_the_persons_file_is_no_projects(room):
    room.write("home/.claude/settings.json", {"permissions": {"allow": ["Read"]}})
    found = room.load(room.home)
    assert [layer.source for layer in found.layers] == ["user"]
    assert str(found.trust) == ""


def test_a_home_reached_by_a_link_is_the_same_home(room):
    room.write("home/.claude/settings.json", {"permissions": {"allow": ["Read"]}})
    (room.base / "link").symlink_to("home")
    found = load(room.home, {"HOME": str(room.base / "link")}, Asked(managed=()))
    assert [layer.source for layer in found.layers] == ["user"]


def test_local_settings_stand_at_the_root_of_git_and_start_where_the_session_does(room):
    (room.project / ".git").mkdir()
    below = room.project / "below"
    below.mkdir()
    room.write("project/.claude/settings.local.json", {"permissions": {"deny": ["Read(/x)"]}})
    room.committed({"permissions": {"deny": ["Read(/y)"]}})
    [layer] = room.load(below).layers
    assert (layer.source, layer.base) == ("local", below)


@pytest.mark.parametrize(
    ("model", "found"),
    [("opus", None), ("sonnet[1m]", None), ("claude-sonnet-4-5", None), ("qwen3", "qwen3"), ("haiku", "haiku")],
)
def test_a_vendors_models_count_only_where_they_are_mapped(room, model, found):
    room.write("home/.claude/settings.json", {"model": model})
    room.user({"modelAliases": {"haiku": "small"}})
    assert room.load().model == found


def test_ours_wins_over_what_was_written_for_claude_code(room):
    room.user({"model": "opus"})
    room.write("home/.claude/settings.json", {"model": "qwen3"})
    assert room.load().model == "opus"


def test_the_environment_of_commands_has_no_keys_and_a_repository_chooses_no_programs(room):
    room.user({"env": {"A": "1", "OPENAI_API_KEY": "k", "GH_TOKEN": "t", "PATH": "/mine"}})
    room.committed(
        {
            "env": {
                "A": "2",
                "B": "2",
                "PATH": "/evil",
                "LD_PRELOAD": "x",
                "GIT_PAGER": "x",
                "OPENAI_BASE_URL": "http://x",
            }
        }
    )
    found = room.load(trust_project=True)
    assert found.environment == {"A": "1", "PATH": "/mine"}
    assert found.project_environment == {"A": "2", "B": "2"}
    assert room.load(trust_project=True, given='{"env": {"A": "3"}}').project_environment == {"B": "2"}
    assert found.own_environment == {"A": "1", "OPENAI_API_KEY": "k", "GH_TOKEN": "t", "PATH": "/mine"}


def test_modes_that_files_forbid(room):
    room.write(
        FILES["managed"], {"permissions": {"disableBypassPermissionsMode": "disable"}, "disableAutoMode": "disable"}
    )
    assert room.load().forbidden_modes == {"bypassPermissions", "auto"}
