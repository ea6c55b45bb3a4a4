"""What the puppets say, in the words of their families. Nothing but text: two environments import this."""

import json
from dataclasses import dataclass

# The job of every dialect: run COMMAND, which makes a file and shows another, whose content is the cue to be done.
COMMAND = """printf '%s\\n' "naïve 東京 <&> it's 100%" > made.txt; cat note.txt"""
MADE = "naïve 東京 <&> it's 100%\n"
CUE = "quokka"
NOTE = f"The animal is a {CUE}.\n"
DONE = "The note names an animal: 🦘 → done."

ARGUMENTS = json.dumps({"command": COMMAND}, ensure_ascii=False)
QWEN = "Qwen-Qwen2.5-7B-Instruct"


@dataclass(frozen=True, slots=True)
class Script:
    """`template` is a file of llama.cpp's models/templates, `start` the byte that its generation prompt ends with.
    `says[0]` is said first, `says[n]` once `cues[n - 1]` is in the prompt. `endless`: over and over."""

    says: tuple[str, ...]
    template: str = QWEN
    start: str = "\n"
    cues: tuple[str, ...] = ()
    endless: bool = False


def job(template: str, call: str, done: str = DONE, start: str = "\n") -> Script:
    return Script((call, done), template, start, (CUE,))


def hermes(name: str, arguments: str) -> str:
    return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'


def deepseek(mark: str) -> str:
    bar = "\N{FULLWIDTH VERTICAL LINE}"
    return f"<{bar}tool▁{mark}{bar}>"


DIALECTS = {
    "hermes": job(QWEN, "I will look.\n" + hermes("Bash", ARGUMENTS)),
    "qwen3_thinking": job(
        "Qwen-Qwen3-0.6B",
        "<think>\nWhich animal?\n</think>\n\n" + hermes("Bash", ARGUMENTS),
        f"<think>\nAh, that.\n</think>\n\n{DONE}",
    ),
    "qwen3_coder": job(
        "Qwen3-Coder",
        f"Looking.\n<tool_call>\n<function=Bash>\n<parameter=command>\n{COMMAND}\n</parameter>\n</function>\n</tool_call>",
    ),
    "qwen3_coder_no_opener": job(
        "Qwen3-Coder",
        f"Let me see.\n\n<function=Bash>\n<parameter=command>\n{COMMAND}\n</parameter>\n</function>\n</tool_call>",
    ),
    "glm": job(
        "GLM-4.6",
        "<think>plan it</think>\n<tool_call>Bash\n<arg_key>command</arg_key>\n"
        f"<arg_value>{COMMAND}</arg_value>\n</tool_call>",
        f"<think>enough</think>\n{DONE}",
        start=">",
    ),
    "kimi_k2": job(
        "Kimi-K2-Instruct",
        "ok<|tool_calls_section_begin|><|tool_call_begin|>functions.Bash:0<|tool_call_argument_begin|>"
        f"{ARGUMENTS}<|tool_call_end|><|tool_calls_section_end|>",
        start=">",
    ),
    "deepseek_v31": job(
        "deepseek-ai-DeepSeek-V3.1",
        f"hm, look</think>Let me see.{deepseek('calls▁begin')}{deepseek('call▁begin')}Bash{deepseek('sep')}"
        f"{ARGUMENTS}{deepseek('call▁end')}{deepseek('calls▁end')}",
        f"seen</think>{DONE}",
        start=">",
    ),
    "deepseek_v31_in_thought": job(  # thinking is never closed: the server gives the call out as reasoning
        "deepseek-ai-DeepSeek-V3.1",
        f"hm, let me look. {deepseek('calls▁begin')}{deepseek('call▁begin')}Bash{deepseek('sep')}"
        f"{ARGUMENTS}{deepseek('call▁end')}{deepseek('calls▁end')}",
        f"seen</think>{DONE}",
        start=">",
    ),
    "ministral": job("mistralai-Ministral-3-14B-Reasoning-2512", f"[TOOL_CALLS]Bash[ARGS]{ARGUMENTS}", start="]"),
    "mistral_nemo": job(
        "mistralai-Mistral-Nemo-Instruct-2407",
        f'[TOOL_CALLS][{{"name": "Bash", "arguments": {ARGUMENTS}, "id": "abcdef123"}}]',
        start="]",
    ),
    "llama31": job("meta-llama-Llama-3.1-8B-Instruct", f'{{"name": "Bash", "parameters": {ARGUMENTS}}}'),
    "minimax_m2": job(
        "MiniMax-M2",
        'plan</think>\n\n<minimax:tool_call>\n<invoke name="Bash">\n'
        f'<parameter name="command">{COMMAND}</parameter>\n</invoke>\n</minimax:tool_call>',
        f"seen it</think>\n\n{DONE}",
    ),
    "gpt_oss": job(
        "openai-gpt-oss-120b",
        # without its <|call|>: that is a token that ends the answer, so the server's grammar knows no such text
        "<|channel|>analysis<|message|>Need to look.<|end|><|start|>assistant<|channel|>commentary "
        f"to=functions.Bash <|constrain|>json<|message|>{ARGUMENTS}",
        f"<|channel|>final<|message|>{DONE}",
        start="t",
    ),
}

# The main job: a test fails, the source is read and mended, the test passes.
BROKEN = "def add(a, b):\n    return a - b\n"
MENDED = BROKEN.replace("-", "+")
TEST = "import calc\nassert calc.add(2, 2) == 4, 'adds wrongly'\nprint('all is well')\n"
MAIN_JOB = Script(
    (
        hermes("Bash", '{"command": "python3 check.py"}'),
        "It subtracts?\n" + hermes("Read", '{"file_path": "calc.py"}'),
        "Yes.\n"
        + hermes("Edit", '{"file_path": "calc.py", "old_string": "return a - b", "new_string": "return a + b"}'),
        "Once more:\n" + hermes("Bash", '{"command": "python3 -B check.py"}'),
        "Mended: `add` now adds, and its check passes.",
    ),
    cues=("adds wrongly", "return a - b", "return a + b", "all is well"),
)

SCRIPTS = DIALECTS | {
    "main_job": MAIN_JOB,
    "two_calls": job(
        QWEN, hermes("Bash", ARGUMENTS) + "\n" + hermes("Write", '{"file_path": "b.txt", "content": "\\"two\\"\\n"}')
    ),
    "text": Script(("A plain answer → naïve 東京 🦀.",)),
    "endless": Script(("One more line of many, ",), endless=True),
    "long_call": Script(
        (hermes("Bash", json.dumps({"command": f"touch never.txt {' '.join(map(str, range(1000, 1600)))}"})),)
    ),
}
