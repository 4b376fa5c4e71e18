"""Patterns: regular expressions matched in time linear in the text, for schemas that somebody else wrote.

A backtracking matcher takes exponential time on patterns such as `(a+)+$`. Here a pattern becomes a
nondeterministic automaton (Thompson, "Regular Expression Search Algorithm", 1968) whose states are followed
side by side, with the sets of states met so far kept as a deterministic one. The syntax is that of ECMA-262
as JSON Schema asks for, without what no such automaton can do: back references and look-around, which are
refused by name. Matching is a search, unanchored at both ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NoReturn

from qiantang.kernel import errors

MAX_PATTERN = 1000
MAX_STATES = 1000
MAX_TEXT = 64 << 10
_MAX_KNOWN = 10_000
_MAX_GROUPS = 50
_LAST = 0x10FFFF

Ranges = tuple[tuple[int, int], ...]


class PatternError(errors.InvalidRequestError):
    """A pattern that is wrong, or that cannot be matched in bounded time."""

    code = "config.pattern_invalid"


def _refuse(message: str) -> NoReturn:
    raise PatternError(message)


def _complement(ranges: Ranges) -> Ranges:
    found: list[tuple[int, int]] = []
    start = 0
    for low, high in sorted(ranges):
        if low > start:
            found.append((start, low - 1))
        start = max(start, high + 1)
    if start <= _LAST:
        found.append((start, _LAST))
    return tuple(found)


def _points(characters: str) -> Ranges:
    return tuple((ord(character), ord(character)) for character in characters)


_DIGIT: Ranges = ((48, 57),)
_WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE: Ranges = (
    *_points("\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"),
    (0x2000, 0x200A),
)
_CLASSES = {
    "d": _DIGIT,
    "D": _complement(_DIGIT),
    "w": _WORD,
    "W": _complement(_WORD),
    "s": _SPACE,
    "S": _complement(_SPACE),
}
_DOT = _complement(_points("\n\r\u2028\u2029"))
_CONTROLS = {"t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "0": "\0"}
_BOUNDS = re.compile(r"\{(\d{1,5})(?:(,)(\d{1,5})?)?\}")
_START, _END, _EDGE, _INSIDE = range(-4, 0)
_ASSERTIONS = {"^": _START, "$": _END}


@dataclass(slots=True)
class _Part:
    """A piece of a pattern: nodes to lay one after another, or alternatives, or one piece repeated."""

    kind: str
    parts: list[_Part] = field(default_factory=list["_Part"])
    ranges: Ranges = ()
    low: int = 1
    high: int | None = 1
    assertion: int = 0

    def states(self) -> int:
        """Count the states that it will take, repeats written out."""
        inner = sum(part.states() for part in self.parts)
        if self.kind == "repeat":
            return (inner + 2) * max(1, self.low, self.high or 0) + 2
        return inner + 1 + len(self.parts)


class _Syntax:
    """Reads a pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._groups = 0

    def read(self) -> _Part:
        part = self._alternatives()
        if self._at < len(self._pattern):
            _refuse("there is a ')' without its '('")
        return part

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self, text: str) -> bool:
        if self._pattern.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def _alternatives(self) -> _Part:
        parts = [self._sequence()]
        while self._take("|"):
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else _Part("either", parts)

    def _sequence(self) -> _Part:
        parts: list[_Part] = []
        while self._peek() not in {"", "|", ")"}:
            parts.append(self._repeated())
        return _Part("sequence", parts)

    def _repeated(self) -> _Part:
        part = self._atom()
        bounds = self._bounds()
        if bounds is None:
            return part
        if part.kind == "assert":
            _refuse("an anchor cannot be repeated")
        self._take("?")  # laziness changes what is found, never whether
        if self._bounds() is not None:
            _refuse("two counts follow each other")
        repeated = _Part("repeat", [part], low=bounds[0], high=bounds[1])
        if repeated.states() > MAX_STATES:
            _refuse("it repeats too much: lower the counts in '{}'")
        return repeated

    def _bounds(self) -> tuple[int, int | None] | None:
        for mark, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(mark):
                return bounds
        match = _BOUNDS.match(self._pattern, self._at)
        if match is None:
            return None
        self._at = match.end()
        low = int(match[1])
        high = low if match[2] is None else None if match[3] is None else int(match[3])
        if high is not None and high < low:
            _refuse("the counts in '{}' are the wrong way round")
        return low, high

    def _atom(self) -> _Part:
        character = self._peek()
        self._at += 1
        if character == "(":
            return self._group()
        if character == "[":
            return _Part("one", ranges=self._set())
        if character == ".":
            return _Part("one", ranges=_DOT)
        if character in _ASSERTIONS:
            return _Part("assert", assertion=_ASSERTIONS[character])
        if character == "\\":
            return self._escape()
        if character in "*+?":
            _refuse(f"there is nothing that '{character}' could repeat")
        return _Part("one", ranges=_points(character))

    def _group(self) -> _Part:
        if self._take("?"):
            if self._take("=") or self._take("!") or self._take("<=") or self._take("<!"):
                _refuse("it looks ahead or behind, which takes unbounded time: use several patterns in 'allOf'")
            named = re.compile(r"<[A-Za-z_]\w*>").match(self._pattern, self._at)
            if named is not None:
                self._at = named.end()
            elif not self._take(":"):
                _refuse("'(?' begins something that is not known here")
        self._groups += 1
        if self._groups > _MAX_GROUPS:
            _refuse(f"it has more than {_MAX_GROUPS} groups")
        part = self._alternatives()
        if not self._take(")"):
            _refuse("there is a '(' without its ')'")
        return part

    def _escape(self) -> _Part:
        if self._take("b"):
            return _Part("assert", assertion=_EDGE)
        if self._take("B"):
            return _Part("assert", assertion=_INSIDE)
        if self._peek() in "123456789k" and self._peek():
            _refuse("it refers back to a group, which takes unbounded time: write the alternatives out")
        return _Part("one", ranges=self._escaped())

    def _escaped(self) -> Ranges:
        letter = self._peek()
        self._at += 1
        if letter in _CLASSES:
            return _CLASSES[letter]
        if letter in _CONTROLS:
            return _points(_CONTROLS[letter])
        if letter in {"x", "u"}:
            code = self._code(letter)
            return ((code, code),)
        if letter == "c" and re.fullmatch("[A-Za-z]", self._peek()):
            self._at += 1
            return _points(chr(ord(self._pattern[self._at - 1]) % 32))
        if not letter or letter.isalnum():
            _refuse(f"the escape '\\{letter}' is not known here")
        return _points(letter)

    def _code(self, letter: str) -> int:
        length = 2 if letter == "x" else 4
        match = re.compile(rf"[0-9a-fA-F]{{{length}}}|\{{[0-9a-fA-F]{{1,6}}\}}").match(self._pattern, self._at)
        if match is None or (match[0][0] == "{" and letter == "x"):
            _refuse(f"'\\{letter}' takes {length} hexadecimal digits")
        self._at = match.end()
        code = int(match[0].strip("{}"), 16)
        if 0xD800 <= code < 0xDC00 and self._take("\\u"):
            low = self._code("u")
            if 0xDC00 <= low < 0xE000:
                return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            _refuse("a surrogate pair is broken")
        if code > _LAST:
            _refuse("there is no such character")
        return code

    def _set(self) -> Ranges:
        negated = self._take("^")
        ranges: list[tuple[int, int]] = []
        while not self._take("]"):
            low = self._member()
            if self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] not in {"]", ""}:
                self._at += 1
                high = self._member()
                if len(low) != 1 or len(high) != 1 or low[0][0] != low[0][1] or high[0][0] < low[0][0]:
                    _refuse("a range in '[]' has the wrong ends")
                low = ((low[0][0], high[0][1]),)
            ranges += low
        return _complement(tuple(ranges)) if negated else tuple(ranges)

    def _member(self) -> Ranges:
        character = self._peek()
        if not character:
            _refuse("there is a '[' without its ']'")
        self._at += 1
        if character != "\\":
            return _points(character)
        return _points("\b") if self._take("b") else self._escaped()


@dataclass(slots=True)
class _State:
    """A state: takes a character in `ranges`, or goes on without one, if its assertion holds."""

    ranges: Ranges = ()
    next: int = -1
    also: tuple[int, ...] = ()
    assertion: int = 0


class _Automaton:
    """The states of a pattern. State 0 is the accepting one."""

    def __init__(self, part: _Part) -> None:
        self.states = [_State()]
        self.start = self._build(part, 0)

    def _add(self, state: _State) -> int:
        self.states.append(state)
        if len(self.states) > MAX_STATES * 2:
            _refuse("it is too large")
        return len(self.states) - 1

    def _build(self, part: _Part, after: int) -> int:
        """Lay a part before the state `after`; gives its first state."""
        if part.kind == "one":
            return self._add(_State(ranges=part.ranges, next=after))
        if part.kind == "assert":
            return self._add(_State(also=(after,), assertion=part.assertion))
        if part.kind == "either":
            return self._add(_State(also=tuple(self._build(each, after) for each in part.parts)))
        if part.kind == "repeat":
            return self._repeat(part, after)
        for each in reversed(part.parts):
            after = self._build(each, after)
        return after

    def _repeat(self, part: _Part, after: int) -> int:
        inner = part.parts[0]
        if part.high is None:
            loop = self._add(_State())
            self.states[loop].also = (self._build(inner, loop), after)
            after = loop
        else:
            for _ in range(part.high - part.low):
                after = self._add(_State(also=(self._build(inner, after), after)))
        for _ in range(part.low):
            after = self._build(inner, after)
        return after


def _is_word(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character == "_")


def _free(_steps: int) -> None:
    """Take no account of what a search costs."""


class Pattern:
    """A pattern, ready to search. At worst it takes time in len(text) x its size, and usually in len(text)."""

    def __init__(self, pattern: str) -> None:
        if len(pattern) > MAX_PATTERN:
            _refuse(f"it is longer than {MAX_PATTERN} characters")
        part = _Syntax(pattern).read()
        if part.states() > MAX_STATES:
            _refuse("it repeats too much: lower the counts in '{}'")
        automaton = _Automaton(part)
        self._states = automaton.states
        self._start = automaton.start
        self._edges = any(state.assertion in {_EDGE, _INSIDE} for state in self._states)
        self.size = len(self._states)
        self._known: dict[tuple[frozenset[int], int, str], tuple[frozenset[int], bool]] = {}
        self._known_size = 0

    def search(self, text: str, spend: Callable[[int], None] = _free) -> bool:
        """Say whether the pattern is found anywhere in the text; `spend` hears of the steps that it takes.

        Raises:
            PatternError: the text is longer than MAX_TEXT.
        """
        if len(text) > MAX_TEXT:
            _refuse(f"a text of {len(text)} characters is too long to be matched; {MAX_TEXT} are the most")
        spend(1 + len(text) // 16)
        here: frozenset[int] = frozenset()
        before = ""
        for character in (*text, ""):
            key = (here, self._context(before, character), character)
            known = self._known.get(key)
            if known is None:
                known = self._follow(key, spend)
            here, found = known
            if found:
                return True
            before = character
        return False

    def _context(self, before: str, character: str) -> int:
        """Say what is true between two characters, as bits: the text's start, its end, the edge of a word."""
        context = (not before) | (not character) << 1
        if self._edges and _is_word(before) != _is_word(character):
            context |= 4
        return context

    def _follow(
        self, key: tuple[frozenset[int], int, str], spend: Callable[[int], None]
    ) -> tuple[frozenset[int], bool]:
        here, context, character = key
        reached = self._closed(here, context)
        spend(1 + len(reached) // 4)
        code = ord(character) if character else -1
        after = frozenset(
            state.next
            for state in (self._states[index] for index in reached)
            if any(low <= code <= high for low, high in state.ranges)
        )
        step = (after, 0 in reached)
        self._known_size += 8 + len(after)
        if self._known_size > _MAX_KNOWN:
            self._known.clear()
            self._known_size = 8 + len(after)
        self._known[key] = step
        return step

    def _closed(self, here: frozenset[int], context: int) -> set[int]:
        """Give all states that are reached without a character; a search may begin anywhere, so the first is too."""
        reached = {*here, self._start}
        waiting = list(reached)
        while waiting:
            state = self._states[waiting.pop()]
            if state.assertion and not _holds(state.assertion, context):
                continue
            for index in state.also:
                if index not in reached:
                    reached.add(index)
                    waiting.append(index)
        return reached


def _holds(assertion: int, context: int) -> bool:
    if assertion == _START:
        return bool(context & 1)
    if assertion == _END:
        return bool(context & 2)
    return bool(context & 4) == (assertion == _EDGE)


@lru_cache(maxsize=64)
def compiled(pattern: str) -> Pattern:
    """Give a pattern ready to search.

    Raises:
        PatternError: it is wrong, or cannot be matched in bounded time; the detail says why.
    """
    return Pattern(pattern)
