"""Tools for servers and models that know none: described in the prompt, called in text."""

import json

_HOW = """# Tools

You can call the tools below. To call one, write a block like this, as the last thing in your answer:
<tool_call>
{"name": "tool_name", "arguments": {"parameter": "value"}}
</tool_call>
Several blocks make several calls. Results come back in <tool_response> blocks.

"""


def with_tools(system: str, tools: bytes) -> str:
    """The system prompt with the tools described in it."""
    functions = [tool.get("function", tool) for tool in json.loads(tools or b"[]")]
    if not functions:
        return system
    described = "\n".join(json.dumps(function, ensure_ascii=False) for function in functions)
    return f"{system}\n\n{_HOW}{described}"
