"""Reading: what all parsers share. Where a value stands, what a document may cost, and how it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from qiantang.kernel import errors
from qiantang.kernel.errors import Problem
from qiantang_server.config.rules.limits import DEPTH, NamespaceLimits

SMALLEST_INTEGER = -(2**63)
LARGEST_INTEGER = 2**64 - 1
_LONGEST_INTEGER = 40


class DocumentError(errors.InvalidRequestError):
    """A document that cannot be read; each problem has its line and column."""

    code = "config.document_invalid"


class DocumentTooLargeError(errors.TooLargeError):
    """A document over the limit; it was not read at all."""

    code = "config.document_too_large"


class Place(NamedTuple):
    """Line and column of something in a text, from 1; 0 where unknown."""

    line: int = 0
    column: int = 0


NOWHERE = Place()


class Mark(NamedTuple):
    """Where a value stands, and where each value inside it does."""

    place: Place
    inside: dict[str, Mark] | list[Mark] | None = None

    def step(self, step: str | int) -> Mark | None:
        """Give the mark of a value inside, or None where it is not known."""
        inside = self.inside
        if isinstance(inside, dict):
            return inside.get(step) if isinstance(step, str) else None
        if inside is None or isinstance(step, str) or step >= len(inside):
            return None
        return inside[step]


def locate(mark: Mark | None, path: Sequence[str | int]) -> Place:
    """Find the place of the value at a path, or of the nearest value around it that is known."""
    if mark is None:
        return Place()
    for step in path:
        inner = mark.step(step)
        if inner is None:
            break
        mark = inner
    return mark.place


def refuse(message: str, place: Place = NOWHERE, path: str = "") -> NoReturn:
    """Give the document up.

    Raises:
        DocumentError: always.
    """
    problem = Problem(message=message, path=path, line=place.line, column=place.column)
    raise DocumentError("the document cannot be read", problems=[problem])


class Weight(NamedTuple):
    """What a value costs when it is written out: values in it, characters in them, and levels of nesting."""

    nodes: int = 1
    characters: int = 0
    height: int = 0


@dataclass(slots=True)
class Budget:
    """What a document may still cost. Spent while reading, so that a hostile one is given up early."""

    nodes: int
    characters: int
    depth: int = DEPTH

    @classmethod
    def of(cls, limits: NamespaceLimits) -> Budget:
        """Give the budget for one document of a namespace."""
        return cls(nodes=limits.nodes, characters=limits.namespace_bytes)

    def spend(self, weight: Weight, depth: int, place: Place) -> None:
        """Pay for a value at a depth.

        Raises:
            DocumentError: there is not enough left, or it is nested too deep.
        """
        self.nodes -= weight.nodes
        self.characters -= weight.characters
        if depth + weight.height > self.depth:
            refuse(f"nested more than {self.depth} levels deep", place)
        if self.nodes < 0:
            refuse("holds too many values (with its aliases expanded): split it into several namespaces", place)
        if self.characters < 0:
            refuse("becomes too large with its aliases expanded: split it into several namespaces", place)


def integer(text: str, base: int, place: Place) -> int:
    """Read an integer that every reader of JSON can hold (64 bits).

    Raises:
        DocumentError: it is larger.
    """
    if len(text) <= _LONGEST_INTEGER or base != 10:
        value = int(text, base)
        if SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
            return value
    refuse("this integer does not fit into 64 bits: write it as text, in quotes", place)


def finite(text: str, place: Place) -> float:
    """Read a number that JSON can hold.

    Raises:
        DocumentError: it is too large for a 64-bit float.
    """
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        refuse("this number is too large: write it as text, in quotes", place)
    return value


class Lines:
    """Turns offsets, which must not fall, into places; looks at each part of the text once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._seen = 0
        self._line = 1
        self._start = 0

    def place(self, offset: int) -> Place:
        """Give the place of an offset."""
        last = self._text.rfind("\n", self._seen, offset)
        if last >= 0:
            self._line += self._text.count("\n", self._seen, offset)
            self._start = last + 1
        self._seen = max(self._seen, offset)
        return Place(self._line, offset - self._start + 1)
