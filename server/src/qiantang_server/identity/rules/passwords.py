"""Passwords: which are refused. Length and what is guessed first count; no rule says which characters to mix."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable
from importlib import resources

from qiantang.identity.errors import WeakPasswordError

MIN_LENGTH = 8
MAX_LENGTH = 256
_CONTEXT = ("qiantang", "password")


def normalized(password: str) -> str:
    """Give the form that is hashed: the same for the same letters, however a keyboard composed them."""
    return unicodedata.normalize("NFC", password)


def require_strong(password: str, names: Iterable[str]) -> None:
    """Let pass what is not guessed soon. `names` are words that stand near: the user's, his tenant's.

    Raises:
        WeakPasswordError: says what is wrong with it; `facts.reason` does in one word.
    """
    text = normalized(password)
    if len(text) < MIN_LENGTH:
        raise _weak("short", f"the password is too short: take {MIN_LENGTH} characters or more, best a few words")
    if len(text) > MAX_LENGTH:
        raise _weak("long", f"the password is too long: take at most {MAX_LENGTH} characters")
    lower = text.lower()
    if lower in _guessed_first() or len(set(lower)) < 4:
        raise _weak("guessed", "the password is among those that are guessed first: take another one")
    rest = lower
    for word in sorted({*_CONTEXT, *(name.lower() for name in names)}, key=len, reverse=True):
        if len(word) >= 4:
            rest = rest.replace(word, "")
    if len(rest) < MIN_LENGTH:
        raise _weak(
            "name",
            "the password is little more than a name that everybody here knows: "
            f"{MIN_LENGTH} characters must be left without it",
        )


def _weak(reason: str, detail: str) -> WeakPasswordError:
    return WeakPasswordError(detail, facts={"reason": reason})


@functools.cache
def _guessed_first() -> frozenset[str]:
    text = resources.files(__package__ or "").joinpath("guessed_first.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))
