"""Edits: the shortest way from one list of lines to another, in bounded time, shown as a unified diff.

Algorithm: E. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986, the greedy form. Common lines
at both ends are set aside first; where more than MAX_EDITS edits are needed, what is between is shown as
wholly replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

MAX_EDITS: Final = 400
_CONTEXT: Final = 3


class Edit(NamedTuple):
    """A line that both sides have, or that one of them has; the numbers count its place on each side from 0."""

    kind: Literal[" ", "-", "+"]
    line: str
    before: int
    after: int


def edits(before: Sequence[str], after: Sequence[str]) -> list[Edit]:
    """Give every line of both sides once, in order."""
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    middle = _between(before[start : len(before) - end], after[start : len(after) - end])
    found = [Edit(" ", line, index, index) for index, line in enumerate(before[:start])]
    found += [Edit(kind, line, b + start, a + start) for kind, line, b, a in middle]
    tail = len(before) - end
    shift = len(after) - len(before)
    return found + [Edit(" ", line, tail + i, tail + i + shift) for i, line in enumerate(before[tail:])]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for line, opposite in zip(one, other, strict=False):
        if line != opposite:
            break
        count += 1
    return count


def _between(before: Sequence[str], after: Sequence[str]) -> list[Edit]:
    trace = _trace(before, after)
    if trace is None:
        gone = [Edit("-", line, index, 0) for index, line in enumerate(before)]
        return gone + [Edit("+", line, len(before), index) for index, line in enumerate(after)]
    return list(_backwards(before, after, trace))[::-1]


def _trace(before: Sequence[str], after: Sequence[str]) -> list[dict[int, int]] | None:
    """Give, for each number of edits, how far each diagonal was reached before it; None where it takes too many."""
    furthest = {1: 0}
    trace: list[dict[int, int]] = []
    for count in range(min(len(before) + len(after), MAX_EDITS) + 1):
        trace.append(dict(furthest))
        for diagonal in range(-count, count + 1, 2):
            x = _next(furthest, diagonal, count)
            y = x - diagonal
            while x < len(before) and y < len(after) and before[x] == after[y]:
                x, y = x + 1, y + 1
            furthest[diagonal] = x
            if x >= len(before) and y >= len(after):
                return trace
    return None


def _next(furthest: dict[int, int], diagonal: int, count: int) -> int:
    below, above = furthest.get(diagonal - 1, -1), furthest.get(diagonal + 1, -1)
    return above if diagonal == -count or (diagonal != count and below < above) else below + 1


def _backwards(before: Sequence[str], after: Sequence[str], trace: list[dict[int, int]]) -> Iterator[Edit]:
    x, y = len(before), len(after)
    for count in range(len(trace) - 1, -1, -1):
        furthest = trace[count]
        diagonal = x - y
        came = diagonal + 1 if _came_from_above(furthest, diagonal, count) else diagonal - 1
        x_start = furthest.get(came, 0)
        y_start = x_start - came
        while x > x_start and y > y_start and x > 0 and y > 0:
            x, y = x - 1, y - 1
            yield Edit(" ", before[x], x, y)
        if count and x == x_start:
            y -= 1
            yield Edit("+", after[y], x, y)
        elif count:
            x -= 1
            yield Edit("-", before[x], x, y)


def _came_from_above(furthest: dict[int, int], diagonal: int, count: int) -> bool:
    below, above = furthest.get(diagonal - 1, -1), furthest.get(diagonal + 1, -1)
    return diagonal == -count or (diagonal != count and below < above)


def unified(before: Sequence[str], after: Sequence[str]) -> str:
    """Show the difference with three lines around each change; empty where there is none."""
    whole = edits(before, after)
    changed = [index for index, edit in enumerate(whole) if edit.kind != " "]
    lines: list[str] = []
    for first, last in _hunks(changed, len(whole)):
        hunk = whole[first:last]
        old = sum(edit.kind != "+" for edit in hunk)
        new = sum(edit.kind != "-" for edit in hunk)
        lines.append(f"@@ -{_span(hunk[0].before, old)} +{_span(hunk[0].after, new)} @@")
        lines += [f"{edit.kind}{edit.line}" for edit in hunk]
    return "\n".join(lines)


def _span(start: int, count: int) -> str:
    """Write a range as diff does: an empty one names the line before it."""
    first = start + 1 if count else start
    return f"{first}" if count == 1 else f"{first},{count}"


def _hunks(changed: list[int], length: int) -> Iterator[tuple[int, int]]:
    """Group changes that are at most two contexts apart."""
    first = last = -1
    for index in changed:
        if last >= 0 and index - last > 2 * _CONTEXT + 1:
            yield max(0, first - _CONTEXT), last + _CONTEXT + 1
            first = -1
        first = index if first < 0 else first
        last = index
    if last >= 0:
        yield max(0, first - _CONTEXT), min(length, last + _CONTEXT + 1)
