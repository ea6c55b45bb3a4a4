"""Answers with a known damage each, as servers and models really give them. Every one asks to read one file.

`runs`: the call must be executed, with the file that was meant; else it must not be, and the model is told why.
`again`: the answer is void and the request is made again.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Damage:
    """`http` makes the `http` table of a step for a file name."""

    http: Callable[[str], Json]
    runs: bool = True
    again: bool = False


def sse(*chunks: Json | str, done: bool = True) -> Json:
    lines = [chunk if isinstance(chunk, str) else json.dumps(chunk) for chunk in chunks]
    body = "".join(f"data: {line}\n\n" for line in [*lines, *(["[DONE]"] if done else [])])
    return {"body": body, "content_type": "text/event-stream"}


def chunk(delta: Json, finish: str | None = None, **more: Any) -> Json:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def delta(name: str | None = "Read", arguments: Any = "", **more: Any) -> Json:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"tool_calls": [{"index": 0, "id": "call_x", "type": "function", "function": function} | more]}


def calling(arguments: Callable[[str], Any], *, name: str = "Read", finish: str = "tool_calls", **more: Any) -> Damage:
    """One call whole in one delta, with something wrong in it."""
    return Damage(lambda file: sse(chunk(delta(name, arguments(file), **more)), chunk({}, finish)))


def good(file: str) -> str:
    return json.dumps({"file_path": file})


def printed(form: str, *, field: str = "content") -> Damage:
    """A call as text; FILE is the file and JSON its arguments."""
    return Damage(
        lambda file: sse(chunk({field: form.replace("JSON", good(file)).replace("FILE", file)}), chunk({}, "stop"))
    )


def never(http: Callable[[str], Json]) -> Damage:
    return Damage(http, runs=False)


def again(http: Json) -> Damage:
    return Damage(lambda _: http, runs=False, again=True)


def _two_at_index_0(file: str) -> Json:
    first, second = delta(arguments=good(file), id="a"), delta(arguments=good(file), id="b")
    return sse(chunk(first), chunk(second), chunk({}, "tool_calls"))


def _interleaved(file: str) -> Json:
    text = good(file)
    begun = [chunk(delta(arguments="", index=n, id=f"i{n}")) for n in (0, 1)]
    halves = [
        chunk({"tool_calls": [{"index": n, "function": {"arguments": p}}]})
        for p in (text[:9], text[9:])
        for n in (0, 1)
    ]
    return sse(*begun, *halves, chunk({}, "tool_calls"))


def _pieces(file: str, **later: Any) -> Json:
    text = good(file)
    rest = [chunk({"tool_calls": [{"index": 0, **later, "function": {"arguments": c}}]}) for c in text[1:]]
    return sse(chunk(delta(arguments=text[0])), *rest, chunk({}, "tool_calls"))


OVERLOADED = {"error": {"message": "The engine is overloaded.", "type": "overloaded_error", "code": 503}}

DAMAGES: dict[str, Damage] = {
    # calls printed as text
    "hermes": printed('Let me look.\n<tool_call>\n{"name": "Read", "arguments": JSON}\n</tool_call>'),
    "hermes unclosed": printed('<tool_call>\n{"name": "Read", "arguments": JSON}'),
    "qwen3 coder": printed(
        "<tool_call>\n<function=Read>\n<parameter=file_path>\nFILE\n</parameter>\n</function>\n</tool_call>"
    ),
    "qwen3 coder, no opener": printed(
        "<function=Read>\n<parameter=file_path>\nFILE\n</parameter>\n</function>\n</tool_call>"
    ),
    "glm": printed("<tool_call>Read\n<arg_key>file_path</arg_key>\n<arg_value>FILE</arg_value>\n</tool_call>"),
    "kimi": printed(
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.Read:0<|tool_call_argument_begin|>JSON"
        "<|tool_call_end|><|tool_calls_section_end|>"
    ),
    "mistral": printed('[TOOL_CALLS][{"name": "Read", "arguments": JSON}]'),
    "llama 3": printed('{"name": "Read", "parameters": JSON}'),
    "pythonic": printed("<|python_start|>[Read(file_path='FILE')]<|python_end|>"),
    "within unclosed thinking": printed(
        'I read it.\n<tool_call>\n{"name": "Read", "arguments": JSON}\n</tool_call>', field="reasoning_content"
    ),
    # arguments
    "single quotes": calling(lambda file: f"{{'file_path': '{file}'}}"),
    "trailing comma": calling(lambda file: f'{{"file_path": "{file}",}}'),
    "twice encoded": calling(lambda file: json.dumps(good(file))),
    "an object": calling(lambda file: {"file_path": file}),
    "a leading empty object": calling(lambda file: "{}" + good(file)),
    "another case of the field": calling(lambda file: json.dumps({"filePath": file})),
    "a number as text": calling(lambda file: json.dumps({"file_path": file, "limit": "5"})),
    "cut": never(lambda file: sse(chunk(delta(arguments=good(file)[:-3])), chunk({}, "tool_calls"))),
    "cut by length": never(lambda file: sse(chunk(delta(arguments=good(file)[:-3])), chunk({}, "length"))),
    "whole, but cut by length": never(lambda file: sse(chunk(delta(arguments='{"file_path": "')), chunk({}, "length"))),
    "nothing": never(lambda _: sse(chunk(delta(arguments="")), chunk({}, "tool_calls"))),
    "null": never(lambda _: sse(chunk(delta(arguments=None)), chunk({}, "tool_calls"))),
    "a list": never(lambda file: sse(chunk(delta(arguments=json.dumps([file]))), chunk({}, "tool_calls"))),
    "no JSON": never(lambda file: sse(chunk(delta(arguments=f"<path>{file}</path>")), chunk({}, "tool_calls"))),
    "the wrong field": never(lambda _: sse(chunk(delta(arguments='{"url": "x"}')), chunk({}, "tool_calls"))),
    # names, ids and indexes
    "no id": calling(good, id=None),
    "an empty id": calling(good, id=""),
    "an id that no server takes": calling(good, id="[TOOL_CALLS]Read \u2603"),
    "an id that was used before": calling(good, id="call_x"),
    "no index": calling(good, index=None),
    "an index as text": calling(good, index="0"),
    "stuck index, two ids": Damage(_two_at_index_0),
    "interleaved": Damage(_interleaved),
    "a character each": Damage(_pieces),
    "the id in each piece": Damage(lambda file: _pieces(file, id="call_x")),
    "the whole call again": Damage(
        lambda file: sse(chunk(delta(arguments=good(file))), chunk(delta(arguments=good(file)), "tool_calls"))
    ),
    "a leaking name": calling(good, name="Read<|channel|>commentary"),
    "functions. before the name": calling(good, name="functions.Read:3"),
    "an unknown tool": never(lambda file: sse(chunk(delta("Browse \u2603", good(file))), chunk({}, "tool_calls"))),
    "no name": never(lambda _: sse(chunk(delta(None, '{"x": 1}')), chunk({}, "tool_calls"))),
    "a lone surrogate": never(
        lambda _: sse(
            '{"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "s", "function": {"name": "Read", "arguments": "{\\"file_path\\": \\"no\\ud800\\"}"}}]}, "finish_reason": "tool_calls"}]}'
        )
    ),
    # the end
    "finish says stop": calling(good, finish="stop"),
    "no [DONE]": Damage(lambda file: sse(chunk(delta(arguments=good(file)), "tool_calls"), done=False)),
    "no finish": Damage(lambda file: sse(chunk(delta(arguments=good(file))))),
    "a whole body": Damage(
        lambda file: {
            "body": json.dumps(
                {
                    "choices": [
                        {"message": {"content": None, **delta(arguments=good(file))}, "finish_reason": "tool_calls"}
                    ]
                }
            )
        }
    ),
    # what has to be asked for again
    "a stream that is cut": again({**sse(chunk({"content": "Let me"})), "close_after": 40}),
    "cut within a call": Damage(
        lambda file: sse(chunk(delta(arguments=good(file))), done=False), runs=False, again=True
    ),
    "an error inside a stream": again(sse(chunk({"content": "Let me"}), OVERLOADED)),
    "an error that is no JSON": again(sse('{"error": "CUDA error: "device" lost\n"}', done=False)),
    "an error as the body": again({"body": json.dumps(OVERLOADED)}),
    "finish says abort": again(sse(chunk({"content": "Let"}), chunk({}, "abort"))),
    "status 500": again({"status": 500, "error": "Boom."}),
    "status 429": again({"status": 429, "error": "Slow down.", "headers": {"Retry-After": "0"}}),
    "a page": again({"status": 502, "body": "<html><title>Bad gateway</title></html>", "content_type": "text/html"}),
    "hung up": again({"drop": True}),
}
