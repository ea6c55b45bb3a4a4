"""Ids of calls: those of the server where they are safe and unique, else our own."""

import hashlib
import re
from collections.abc import Container

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Ids:
    """Ids of calls that are safe in any request, and unique within message and history."""

    def __init__(self, seed: str, taken: Container[str] = ()) -> None:
        self._seed = seed
        self._taken = taken
        self._used: set[str] = set()

    def take(self, given: str) -> str:
        chosen = given if re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", given) else ""
        turn = len(self._used)
        while not chosen or chosen in self._used or chosen in self._taken:
            chosen = nine(f"{self._seed}/{turn}/{given}")
            turn += 1
        self._used.add(chosen)
        return chosen


def nine(text: str) -> str:
    """Nine letters and digits made from `text`: the strictest form of id that a server asks for (Mistral)."""
    number = int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())
    return "".join(_ALPHABET[number // 62**place % 62] for place in range(9))
