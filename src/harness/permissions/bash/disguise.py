"""Text that is not what it seems: checks on the characters of a command line, before its grammar."""

import re
import unicodedata


def disguised(text: str) -> list[str]:
    """Characters that make a line look different from what it is."""
    for char in dict.fromkeys(text):
        if char in "\n\t" or (char.isascii() and char.isprintable()):
            continue
        kind = unicodedata.category(char)
        if kind in {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"} or (kind == "Zs" and char != " "):
            return [f"it holds the character U+{ord(char):04X}, which hides or disguises text"]
    if re.search(r"[ \t]{64}", text):
        return ["it pads text out of sight with blanks"]
    return []
