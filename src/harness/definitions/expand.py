"""A command's text with its arguments put in (`conventions.md` 8)."""

import re
import shlex
from collections.abc import Mapping

from harness.definitions.values import Command

_VARIABLE = re.compile(
    r"\\\$(?P<escaped>\w+)|\$ARGUMENTS\[(?P<index>\d+)\]|\$(?P<all>ARGUMENTS)\b|\$(?P<number>\d+)"
    r"|\$\{(?P<place>CLAUDE_[A-Z_]+)\}|\$(?P<name>[a-z]\w*)"
)


def expanded(command: Command, argument: str, places: Mapping[str, str]) -> str:
    """The prompt. Numbers count from 0; one that was not given stays as it is, a name becomes nothing.

    `places`: values of `${CLAUDE_...}` variables.
    """
    words = _words(argument)
    used = False

    def value(match: re.Match[str]) -> str:
        nonlocal used
        if match["escaped"] is not None:
            return f"${match['escaped']}"
        if match["place"] is not None:
            return places.get(match["place"], match[0])
        if match["name"] is not None and match["name"] not in command.arguments:
            return match[0]
        used = True
        if match["all"]:
            return argument
        if match["name"] is not None:
            at = command.arguments.index(match["name"])
            return words[at] if at < len(words) else ""
        number = int(match["index"] or match["number"])
        return words[number] if number < len(words) else match[0]

    text = _VARIABLE.sub(value, command.text)
    return text if used or not argument else f"{text}\n\nARGUMENTS: {argument}"


def _words(argument: str) -> list[str]:
    try:
        return shlex.split(argument)
    except ValueError:  # quotes that do not close
        return argument.split()
