"""Ranges: comparisons of versions and of numbers, as in `>=1.2,<2`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from qiantang.kernel import errors

Rank: TypeAlias = tuple[Any, ...]
"""Ranks of one sort compare as what they stand for does."""
Read: TypeAlias = Callable[[str], Rank | None]

_part = re.compile(r"(>=|<=|!=|>|<|=|)\s*([^\s<>=!]+)")
_version = re.compile(r"v?([0-9]{1,9}(?:\.[0-9]{1,9}){0,7})(?:-([0-9A-Za-z.-]{1,64}))?(?:\+[0-9A-Za-z.-]{1,64})?")
_number = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_EARLIER, _PRE, _RELEASE = -1, 0, 1
_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "!=": operator.ne,
    "=": operator.eq,
    "": operator.eq,
}


def version(text: str) -> Rank | None:
    """Give a version's rank: by its numbers, and what is before a release (`2.0-rc.1`) before it; None for what is no version."""
    found = _version.fullmatch(text)
    if found is None:
        return None
    numbers = [int(part) for part in found[1].split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    if found[2] is None:
        return (tuple(numbers), _RELEASE, ())
    before = tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in found[2].split("."))
    return (tuple(numbers), _PRE, before)


def number(text: str) -> Rank | None:
    """Give a number's rank; None for what is no number."""
    return (float(text),) if _number.fullmatch(text) else None


def compiled(text: str, read: Read) -> Callable[[str], bool]:
    """Give what says whether a text is in the range.

    Raises:
        InvalidRequestError: it is not a range.
    """
    parts = [_compared(part.strip(), read, text) for part in text.split(",")]

    def fits(value: str) -> bool:
        rank = read(value)
        return rank is not None and all(compare(rank, bound) for compare, bound in parts)

    return fits


def _compared(part: str, read: Read, whole: str) -> tuple[Callable[[Any, Any], bool], Rank]:
    found = _part.fullmatch(part)
    bound = read(found[2]) if found else None
    if found is None or bound is None:
        raise errors.InvalidRequestError(
            f"{whole!r} is not a range: {part!r} must be one of >= <= > < != = and a number or version, as in >=1.2,<2"
        )
    if found[1] == "<" and bound[1:2] == (_RELEASE,):
        bound = (bound[0], _EARLIER, ())  # 2.0-rc.1 is before 2.0, and nobody who asks for less than 2 means it
    return _OPERATORS[found[1]], bound
