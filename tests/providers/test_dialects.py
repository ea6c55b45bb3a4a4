"""Calls printed as text: every dialect of the table, what is no call, and what may never be executed."""

import json

import pytest

from harness.messages import Assistant, TextDelta, Thinking
from harness.providers.calls import Offered
from harness.providers.decode import Decoder
from harness.providers.deltas import Naming
from harness.providers.dialects import TABLE
from harness.providers.dialects.entry import BAR, GAP
from harness.providers.port import MessageEnd

OFFERED = Offered(
    {
        "read_file": {
            "type": "object",
            "properties": {"path": {"type": "string"}, "limit": {"type": "integer"}},
            "required": ["path"],
        },
        "write_file": {
            "type": "object",
            "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
            "required": ["path", "content"],
        },
        "list_dir": {"type": "object", "properties": {"path": {"type": "string"}}},
    }
)
JSON = '{"path": "a.py", "limit": 5}'
NAMED = f'{{"name": "read_file", "arguments": {JSON}}}'
DSML = f"{BAR}DSML{BAR}"


def token(words: str) -> str:
    return f"<{BAR}{words.replace(' ', GAP)}{BAR}>"


def answer(text: str, finish: str = "stop", offered: Offered = OFFERED, field: str = "content") -> Assistant:
    decoder = Decoder(offered, Naming("m", "m"))
    for delta, reason in (({field: text}, None), ({}, finish)):
        chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        decoder.feed(f"data: {json.dumps(chunk)}\n\n".encode())
    last = decoder.close()[-1]
    assert isinstance(last, MessageEnd)
    return last.message


def calls(text: str, finish: str = "stop", field: str = "content") -> list[tuple[str, object]]:
    return [(call.name, call.input) for call in answer(text, finish, field=field).calls]


READ = ("read_file", {"path": "a.py", "limit": 5})
LIST: tuple[str, object] = ("list_dir", {})

ONE = {
    "hermes": f"<tool_call>\n{NAMED}\n</tool_call>",
    "hermes a brace short": f"<tool_call>\n{NAMED[:-1]}\n</tool_call>",
    "hermes arguments as a string": f'<tool_call>{{"name": "read_file", "arguments": {json.dumps(JSON)}}}</tool_call>',
    "hermes on one line": f"<tool_call>{NAMED}</tool_call>",
    "nemotron": f"<TOOLCALL>[{NAMED}]</TOOLCALL>",
    "granite": f"<|tool_call|>[{NAMED}]",
    "phi4": f"functools[{NAMED}]",
    "cohere": f'<|START_ACTION|>[{{"tool_name": "read_file", "parameters": {JSON}}}]<|END_ACTION|>',
    "llama python tag": f'<|python_tag|>{{"name": "read_file", "parameters": {JSON}}}',
    "llama bare": f'{{"name": "read_file", "parameters": {JSON}}}',
    "bare list": f"[{NAMED}]",
    "fence": f"```json\n{NAMED}\n```",
    "qwen3 coder": "<tool_call>\n<function=read_file>\n<parameter=path>\na.py\n</parameter>\n<parameter=limit>\n5\n"
    "</parameter>\n</function>\n</tool_call>",
    "qwen3 coder without closers": "<function=read_file>\n<parameter=path>\na.py\n</parameter>\n<parameter=limit>\n5\n"
    "</parameter>",
    "functionary": f"<function=read_file>{JSON}</function>",
    "glm 4.5": "<tool_call>read_file\n<arg_key>path</arg_key>\n<arg_value>a.py</arg_value>\n<arg_key>limit</arg_key>\n"
    "<arg_value>5</arg_value>\n</tool_call>",
    "glm 4.7": "<tool_call>read_file<arg_key>path</arg_key><arg_value>a.py</arg_value><arg_key>limit</arg_key>"
    "<arg_value>5</arg_value></tool_call>",
    "kimi k2": f"<|tool_calls_section_begin|><|tool_call_begin|>functions.read_file:0<|tool_call_argument_begin|>{JSON}"
    "<|tool_call_end|><|tool_calls_section_end|>",
    "kimi k2 without a section": f"<|tool_call_begin|>functions.read_file:3<|tool_call_argument_begin|>{JSON}"
    "<|tool_call_end|>",
    "kimi k3": '<|open|>tools<|sep|><|open|>call tool="read_file" index="1"<|sep|><|open|>argument key="path" '
    'type="string"<|sep|>a.py<|close|>argument<|sep|><|open|>argument key="limit" type="number"<|sep|>5'
    "<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>",
    "deepseek v3": f"{token('tool calls begin')}{token('tool call begin')}function{token('tool sep')}read_file\n"
    f"```json\n{JSON}\n```{token('tool call end')}{token('tool calls end')}",
    "deepseek v3.1": f"{token('tool calls begin')}{token('tool call begin')}read_file{token('tool sep')}{JSON}"
    f"{token('tool call end')}{token('tool calls end')}",
    "dsml": f'<{DSML}function_calls>\n<{DSML}invoke name="read_file">\n<{DSML}parameter name="path" string="true">a.py'
    f'</{DSML}parameter>\n<{DSML}parameter name="limit" string="false">5</{DSML}parameter>\n</{DSML}invoke>\n'
    f"</{DSML}function_calls>",
    "dsml with json": f'<{DSML}tool_calls><{DSML}invoke name="read_file">{JSON}</{DSML}invoke></{DSML}tool_calls>',
    "mistral list": f"[TOOL_CALLS][{NAMED}]",
    "mistral with id": f"[TOOL_CALLS]read_file[CALL_ID]abcDEF123[ARGS]{JSON}",
    "minimax": '<minimax:tool_call>\n<invoke name="read_file">\n<parameter name="path">a.py</parameter>\n'
    '<parameter name="limit">5</parameter>\n</invoke>\n</minimax:tool_call>',
    "invoke": '<function_calls>\n<invoke name="read_file">\n<parameter name="path">a.py</parameter>\n'
    '<parameter name="limit">5</parameter>\n</invoke>\n</function_calls>',
    "pythonic": '[read_file(path="a.py", limit=5)]',
    "llama 4": '<|python_start|>[read_file(path="a.py", limit=5)]<|python_end|>',
    "lfm2": "<|tool_call_start|>[read_file(path='a.py', limit=5)]<|tool_call_end|>",
    "olmo": '<function_calls>\nread_file(path="a.py", limit=5)\n</function_calls>',
    "gemma 3": '```tool_code\nread_file(path="a.py", limit=5)\n```',
    "gemma 3 with print": '```tool_code\nprint(read_file(path="a.py", limit=5))\n```',
    "gemma 4": '<|tool_call>call:read_file{path:<|"|>a.py<|"|>,limit:5}<tool_call|>',
    "harmony": "<|channel|>commentary to=functions.read_file <|constrain|>json<|message|>" + JSON + "<|call|>",
    "harmony bare": f"commentary to=functions.read_file json{JSON}",
}


@pytest.mark.parametrize("text", ONE.values(), ids=ONE.keys())
def test_one_call(text: str):
    message = answer(text)
    assert [(call.name, call.input) for call in message.calls] == [READ]
    assert message.text == ""
    assert message.stop == "tool_use"


@pytest.mark.parametrize("text", [text for name, text in ONE.items() if name != "fence"])
def test_in_a_fence_it_is_an_example(text: str):
    shown = f"Write this:\n~~~\n{text}\n~~~\nand wait."
    assert answer(shown).calls == ()
    assert answer(shown).text == shown


@pytest.mark.parametrize("text", ONE.values(), ids=ONE.keys())
def test_without_tools_it_is_text(text: str):
    assert answer(text, offered=Offered({})).calls == ()


@pytest.mark.parametrize("text", ONE.values(), ids=ONE.keys())
def test_cut_off_anywhere_it_never_becomes_another_call(text: str):
    for end in range(len(text)):
        assert [call for call in calls(text[:end], "length") if call[1] is not None] in ([], [READ])


MARKED = {name: text for name, text in ONE.items() if text[0] == "<" and "harmony" not in name}


@pytest.mark.parametrize("text", MARKED.values(), ids=MARKED.keys())
def test_two_calls_with_text_around(text: str):
    message = answer(f"First this.\n{text}\n{text}")
    assert [(call.name, call.input) for call in message.calls] == [READ, READ]
    assert message.text == "First this."
    assert len({call.id for call in message.calls}) == 2


NO_CALLS = [
    "The tag <tool_call> opens a call.",
    "Use `<tool_call>` and then JSON.",
    f"Inline: `<tool_call>{NAMED}</tool_call>` is the form.",
    "Compare a < b, <b>bold</b>, and <tool",
    '{"name": "Bob", "parameters": {"age": 5}}',
    '{"name": "read_file", "parameters": {"limit": 5}}',
    f"I would send {NAMED} then.",
    "[see the docs](https://x.test)",
    "[1, 2, 3]",
    "analysis of the problem: nothing to do",
    "```python\nprint(1)\n```",
    "<tool_call>word</tool_call> is how it looks",
    "call read_file(path='a.py') yourself",
]


@pytest.mark.parametrize("text", NO_CALLS)
def test_what_is_no_call_stays_text(text: str):
    message = answer(text)
    assert message.calls == ()
    assert message.text == text
    assert message.stop == "end_turn"


def test_values_are_taken_as_they_stand():
    content = "if a < b:\n    print('</parameter> is text')\n<b>\n"
    text = (
        "<function=write_file>\n<parameter=path>\na.py\n</parameter>\n<parameter=content>\n"
        f"{content}\n</parameter>\n</function>"
    )
    assert calls(text) == [("write_file", {"path": "a.py", "content": content})]


def test_a_number_that_is_text_by_the_schema_stays_text():
    text = "<tool_call>read_file<arg_key>path</arg_key><arg_value>5</arg_value></tool_call>"
    assert calls(text) == [("read_file", {"path": "5"})]


def test_a_marked_call_of_an_unknown_tool_is_answered_not_shown():
    assert calls('<tool_call>{"name": "fly", "arguments": {}}</tool_call>') == [("fly", {})]


def test_a_call_with_damage_that_nobody_can_read_is_never_executed():
    message = answer('<tool_call>{"name": "write_file", "arguments": {"path": "a", "content": "x}</tool_call>')
    assert [(call.name, call.input) for call in message.calls] == [("write_file", None)]
    assert json.loads(message.calls[0].arguments) == {}
    assert message.calls[0].problem


def test_thinking_that_was_never_closed_may_end_with_a_call():
    text = f"I need the file.\n<tool_call>{NAMED}</tool_call>"
    assert calls(text, field="reasoning_content") == [READ]
    assert calls(f"<think>{text}") == [READ]


def test_thinking_that_goes_on_after_a_call_holds_none():
    text = f"<tool_call>{NAMED}</tool_call> is what I could send, but first I have to think."
    assert calls(text, field="reasoning_content") == []


def test_a_structured_call_makes_text_text():
    decoder = Decoder(OFFERED, Naming("m", "m"))
    call = {"index": 0, "id": "c", "function": {"name": "list_dir", "arguments": "{}"}}
    for delta in ({"content": f"<tool_call>{NAMED}</tool_call>"}, {"tool_calls": [call]}):
        decoder.feed(f"data: {json.dumps({'choices': [{'delta': delta}]})}\n\n".encode())
    decoder.feed(b"data: [DONE]\n\n")
    last = decoder.close()[-1]
    assert isinstance(last, MessageEnd)
    assert [(call.name, call.input) for call in last.message.calls] == [LIST]
    assert last.message.text == f"<tool_call>{NAMED}</tool_call>"


def test_text_flows_until_a_call_begins():
    decoder = Decoder(OFFERED, Naming("m", "m"))
    shown = []
    for word in ["Now ", "I ", "read. ", "<tool", "_call>", NAMED, "</tool_call>"]:
        events = decoder.feed(f"data: {json.dumps({'choices': [{'delta': {'content': word}}]})}\n\n".encode())
        shown.append("".join(event.text for event in events if isinstance(event, TextDelta)))
    assert shown == ["Now ", "I ", "read. ", "", "", "", ""]


def test_names_in_the_table_are_unique():
    names = [entry.name for entry in TABLE]
    assert len(names) == len(set(names))


def test_harmony_channels_are_thinking_and_text():
    message = answer(
        "<|channel|>analysis<|message|>Simple.<|end|><|start|>assistant<|channel|>final<|message|>Hello<|return|>"
    )
    assert message.text == "Hello"
    assert [part.text for part in message.parts if isinstance(part, Thinking)] == ["Simple."]
