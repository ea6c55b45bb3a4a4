"""Every event with every output that it knows, and the outputs that it does not know; answers added up."""

import pytest

from harness.hooks.matching import BadMatcher, matcher
from harness.hooks.verdict import NOTHING, Verdict, amended, merged, plain, read, refusal, weighed
from harness.messages import Text, ToolResult
from harness.permissions.decision import Allow, Ask, Deny

EVENTS = (
    "PreToolUse", "PostToolUse", "PostToolUseFailure", "UserPromptSubmit", "Stop", "SubagentStart", "SubagentStop",
    "PreCompact", "SessionStart", "SessionEnd", "Notification", "PermissionRequest",
)  # fmt: skip
NO_DECISION = {"SessionStart", "SessionEnd", "SubagentStart", "Notification", "PermissionRequest"}


def own(event: str, **fields: object) -> dict[str, object]:
    return {"hookSpecificOutput": {"hookEventName": event, **fields}}


@pytest.mark.parametrize("event", EVENTS)
def test_what_every_event_understands(event):
    assert read(event, {}) == NOTHING
    assert read(event, {"continue": True, "suppressOutput": True}) == NOTHING
    assert read(event, {"continue": False, "stopReason": "enough"}).stop == "enough"
    assert read(event, {"continue": False}).stop == "a hook ended the turn"
    assert read(event, {"systemMessage": "look"}).message == "look"
    assert read(event, own(event, additionalContext="ctx")).context == "ctx"
    assert read(event, own("Other", additionalContext="ctx")) == NOTHING


@pytest.mark.parametrize("event", EVENTS)
def test_blocking_by_json_and_by_exit_status(event):
    said = read(event, {"decision": "block", "reason": "no"})
    if event == "PreToolUse":  # the older words for it
        assert (said.permission, said.reason, said.block) == ("deny", "no", None)
        assert (refusal(event, "no\n").permission, refusal(event, "no\n").reason) == ("deny", "no")
        return
    assert (said.permission, said.block) == ("", "no")
    status = refusal(event, "no\n")
    assert (status.block, status.message) == ((None, "no") if event in NO_DECISION else ("no", ""))


@pytest.mark.parametrize("event", EVENTS)
def test_a_permission_is_given_by_its_own_events_alone(event):
    said = {
        word: read(event, own(event, permissionDecision=word, permissionDecisionReason="why"))
        for word in ("allow", "ask", "deny", "defer")
    }
    for word, verdict in said.items():
        assert verdict.permission == (word if event == "PreToolUse" else "")
    answered = read(event, own(event, decision={"behavior": "allow", "updatedInput": {"a": 1}}))
    if event == "PermissionRequest":
        assert (answered.permission, answered.updated_input) == ("allow", {"a": 1})
        refused = read(event, own(event, decision={"behavior": "deny", "message": "why", "interrupt": True}))
        assert (refused.permission, refused.reason, refused.stop) == ("deny", "why", "why")
    else:
        assert answered.permission == ""


def test_a_word_that_nobody_knows_never_allows():
    for word in ("Allow", "yes", True, 1, {"a": 1}):
        verdict = read("PreToolUse", own("PreToolUse", permissionDecision=word))
        assert verdict.permission == "ask"
        assert "permissionDecision" in verdict.reason


def test_plain_text_is_context_for_two_events():
    assert {event for event in EVENTS if plain(event, "words\n").context} == {"SessionStart", "UserPromptSubmit"}


def test_the_strongest_answer_counts_with_its_reasons():
    said = [
        Verdict("allow", "fine", context="c1"),
        Verdict("deny", "bad"),
        Verdict("deny", "worse", context="c2"),
        Verdict("ask", "hm", updated_input={"a": 1}),
        Verdict("defer", "later", block="b1"),
        Verdict(block="b2", stop="enough"),
    ]
    both = merged(said)
    assert (both.permission, both.reason, both.context) == ("deny", "bad\nworse", "c1\nc2")
    assert (both.block, both.stop, both.updated_input) == ("b1\nb2", "enough", {"a": 1})
    assert merged(said[:1] + said[3:5]).permission == "defer"
    assert merged([said[0], said[3]]).permission == "ask"
    assert merged([]) == NOTHING


@pytest.mark.parametrize(
    ("said", "decision", "comes"),
    [
        ("deny", Allow("mode", ""), Deny),
        ("deny", Ask("rule", ""), Deny),
        ("ask", Allow("rule", ""), Ask),
        ("defer", Allow("rule", ""), Ask),
        ("ask", Deny("rule", ""), Deny),
        ("allow", Ask("mode", ""), Allow),
        ("allow", Ask("rule", ""), Ask),  # an ask rule
        ("allow", Ask("critical", ""), Ask),  # a removal that cannot be undone
        ("allow", Ask("tool", ""), Ask),  # a question that is the person's own
        ("allow", Ask("error", ""), Ask),
        ("allow", Deny("rule", ""), Deny),
        ("allow", Deny("mode", ""), Deny),  # plan mode
        ("", Ask("mode", ""), Ask),
    ],
)
def test_a_hook_against_a_decision(said, decision, comes):
    assert isinstance(weighed(Verdict(said), decision), comes)


def test_results_are_replaced_and_added_to():
    result = ToolResult("c", (Text("out"),), data={"stdout": "out"})
    assert amended(result, NOTHING) is result
    noted = amended(result, Verdict(context="lint", block="mend it"), Verdict(context="before"))
    assert [part.text for part in noted.parts if isinstance(part, Text)] == [
        "out",
        "\n<hook>\nbefore\n</hook>",
        "\n<hook>\nlint\n</hook>",
        "\n<hook>\nmend it\n</hook>",
    ]
    assert amended(result, Verdict(replaced="other")).text == "other"
    blocks = {"content": [{"type": "text", "text": "from mcp"}]}
    assert amended(result, Verdict(replaced=blocks)).text == "from mcp"
    assert amended(result, Verdict(replaced={"stdout": "x"})).text == '{"stdout": "x"}'


@pytest.mark.parametrize(
    ("text", "matches", "not_"),
    [
        (None, ["Bash", "mcp__a__b"], []),
        ("", ["Bash"], []),
        ("*", ["Bash"], []),
        ("Bash", ["Bash"], ["BashOutput", "bash"]),
        ("Write|Edit", ["Write", "Edit"], ["MultiEdit", "Read"]),
        ("Write, Edit", ["Write", "Edit"], ["Read"]),
        ("Task", ["Task", "Agent"], ["TaskStop"]),
        ("mcp__mem__.*", ["mcp__mem__save"], ["mcp__memo"]),
        ("mcp__mem", [], ["mcp__mem__save"]),
        ("^Notebook", ["NotebookEdit"], ["MyNotebook"]),
        ("(?<kind>Ba)sh", ["Bash"], ["sh"]),
    ],
)
def test_matchers(text, matches, not_):
    check = matcher(text)
    assert [subject for subject in (*matches, *not_) if check(subject)] == matches


def test_a_matcher_that_is_none():
    with pytest.raises(BadMatcher, match="no regular expression"):
        matcher("(")
