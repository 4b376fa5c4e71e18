"""JSON (RFC 8259), strictly: no doubled keys, no NaN, bounded depth and number of values, every error with its place.

Written here because the parsers at hand take doubled keys silently, recurse as deep as the input says, or
tell no place.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from qiantang_server.config.rules.documents.reading import (
    Budget,
    Lines,
    Mark,
    Place,
    Weight,
    finite,
    integer,
    refuse,
)

# Possessive repeats keep the matcher from storing a state for each character of a long string.
_TOKEN = re.compile(
    r"""[ \t\n\r]*+(?:
        (?P<mark>[\[\]{},:])
      | (?P<text>"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+")
      | (?P<number>-?(?:0|[1-9][0-9]*+)(?P<real>(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?))(?![0-9A-Za-z.+-])
      | (?P<word>true|false|null)(?![0-9A-Za-z_])
    )""",
    re.VERBOSE,
)
_SPACE = re.compile(r"[ \t\n\r]*+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_CLOSING = {"{": "}", "[": "]"}
_END = "end"


class _Token(NamedTuple):
    """One token: a mark itself, or "text", "number", "word" with its value, or the end."""

    kind: str
    value: Any
    place: Place
    length: int


class _Frame:
    """An object or array that is being read."""

    __slots__ = ("inside", "key", "opening", "place", "values")

    def __init__(self, opening: str, place: Place) -> None:
        self.opening = opening
        self.place = place
        self.values: Any = {} if opening == "{" else []
        self.inside: Any = {} if opening == "{" else []
        self.key = ""

    def put(self, value: Any, mark: Mark) -> None:
        if self.opening == "{":
            self.values[self.key] = value
            self.inside[self.key] = mark
        else:
            self.values.append(value)
            self.inside.append(mark)


def parse(text: str, budget: Budget) -> tuple[Any, Mark]:
    """Read one JSON value.

    Raises:
        DocumentError: it is none, or over the budget; with line and column.
    """
    return _Reader(text, budget).read()


class _Reader:
    """Reads a text from left to right with a stack of its own instead of recursion."""

    def __init__(self, text: str, budget: Budget) -> None:
        self._text = text
        self._lines = Lines(text)
        self._offset = 0
        self._budget = budget
        self._stack: list[_Frame] = []

    def read(self) -> tuple[Any, Mark]:
        done = self._value(self._next())
        while done is None or self._stack:
            done = self._value(self._next()) if done is None else self._after(*done)
        token = self._next()
        if token.kind != _END:
            refuse("there is something after the end of the value", token.place)
        return done

    def _value(self, token: _Token) -> tuple[Any, Mark] | None:
        """Take the start of a value; None where an object or array was opened and its first value comes next."""
        if token.kind in {"text", "number", "word"}:
            self._budget.spend(Weight(1, token.length), len(self._stack), token.place)
            return token.value, Mark(token.place)
        if token.kind in _CLOSING:
            self._budget.spend(Weight(), len(self._stack) + 1, token.place)
            frame = _Frame(token.kind, token.place)
            return self._open(frame)
        return refuse(f"expected a value, found {_shown(token)}", token.place)

    def _open(self, frame: _Frame) -> tuple[Any, Mark] | None:
        closing = _CLOSING[frame.opening]
        match = _SPACE.match(self._text, self._offset)
        at = match.end() if match else self._offset
        if self._text[at : at + 1] == closing:
            self._offset = at + 1
            return frame.values, Mark(frame.place, frame.inside)
        self._stack.append(frame)
        if frame.opening == "{":
            self._key(self._next())
        return None

    def _after(self, value: Any, mark: Mark) -> tuple[Any, Mark] | None:
        """Put a finished value where it belongs, and look what follows it."""
        frame = self._stack[-1]
        frame.put(value, mark)
        token = self._next()
        if token.kind == ",":
            if frame.opening == "{":
                self._key(self._next())
            return None
        if token.kind != _CLOSING[frame.opening]:
            refuse(f"expected ',' or '{_CLOSING[frame.opening]}', found {_shown(token)}", token.place)
        self._stack.pop()
        return frame.values, Mark(frame.place, frame.inside)

    def _key(self, token: _Token) -> None:
        frame = self._stack[-1]
        if token.kind != "text":
            refuse(f"expected a key in double quotes, found {_shown(token)}", token.place)
        if token.value in frame.values:
            refuse(f"the key {token.value[:80]!r} is there twice", token.place)
        self._budget.spend(Weight(0, token.length), len(self._stack), token.place)
        frame.key = token.value
        colon = self._next()
        if colon.kind != ":":
            refuse(f"expected ':' after the key, found {_shown(colon)}", colon.place)

    def _next(self) -> _Token:
        match = _TOKEN.match(self._text, self._offset)
        if match is None:
            return self._end()
        kind = match.lastgroup or _END
        raw = match[kind]
        place = self._lines.place(match.start(kind))
        self._offset = match.end()
        if kind == "mark":
            return _Token(raw, raw, place, 1)
        return _Token(kind, _read(kind, raw, bool(match["real"]), place), place, len(raw))

    def _end(self) -> _Token:
        match = _SPACE.match(self._text, self._offset)
        at = match.end() if match else self._offset
        place = self._lines.place(at)
        if at == len(self._text):
            return _Token(_END, "", place, 0)
        if self._text[at] == '"':
            refuse("this string does not end, or holds a control character or a wrong escape", place)
        return refuse(f"did not expect {self._text[at : at + 12]!r} here", place)


def _read(kind: str, raw: str, real: bool, place: Place) -> Any:
    if kind == "word":
        return _WORDS[raw]
    if kind == "number":
        return finite(raw, place) if real else integer(raw, 10, place)
    value = json.loads(raw)
    if "\\u" in raw and _SURROGATE.search(value):
        refuse("this string holds half of a surrogate pair, which is no character", place)
    return value


def _shown(token: _Token) -> str:
    return "the end of the text" if token.kind == _END else token.kind if token.kind == "text" else repr(token.value)


def emit(tree: Any) -> str:
    """Write a tree as indented JSON, in the order of its keys."""
    return json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def compact(tree: Any) -> str:
    """Write a tree as JSON on one line."""
    return json.dumps(tree, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
