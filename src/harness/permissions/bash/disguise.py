"""Text that is not what it seems: checks on the characters of a command line, before its grammar."""

import re
import unicodedata

# Letters and signs that look like nothing: Hangul fillers, a blank Braille cell, joiners of other scripts.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")


def disguised(text: str) -> list[str]:
    """Characters that make a line look different from what it is."""
    for char in dict.fromkeys(text):
        if char in "\n\t" or (char.isascii() and char.isprintable()):
            continue
        kind = unicodedata.category(char)
        if kind in {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp", "Zs"} or char in _INVISIBLE:
            return [f"it holds the character U+{ord(char):04X}, which hides or disguises text"]
    if re.search(r"[ \t]{64}", text):
        return ["it pads text out of sight with blanks"]
    return []
