"""Whether a place in Markdown lies in code: there, a call is an example and no call."""

import re

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


class CodeState:
    """Takes text as it comes; `inside` says whether its end lies in a fence or in inline code."""

    def __init__(self, text: str = "") -> None:
        self._fence = ""
        self._line = ""  # the unfinished line
        self.feed(text)

    def feed(self, text: str) -> None:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            match = _FENCE.match(line)
            if match is None:
                continue
            if not self._fence:
                self._fence = match[1]
            elif match[1].startswith(self._fence) and not line[match.end() :].strip():
                self._fence = ""

    @property
    def inside(self) -> bool:
        return bool(self._fence) or len(re.findall(r"`+", self._line)) % 2 == 1
