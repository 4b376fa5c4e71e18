"""The watermark: in whatever order positions finish, what it settles has no gap, and in the end it is all of them."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from qiantang.messaging.model.watermark import Watermark


@given(st.integers(0, 1000), st.permutations(range(30)), st.lists(st.integers(0, 29)))
def test_it_settles_what_has_no_gap(start: int, order: list[int], again: list[int]) -> None:
    mark = Watermark(start)
    finished: set[int] = set()
    for offset in [*order[:20], *again, *order[20:]]:
        before = mark.settled
        moved = mark.done(start + offset)
        finished.add(offset)
        gap = next(number for number in range(31) if number not in finished)
        assert mark.settled == start + gap
        assert moved == (mark.settled > before)
        assert all(mark.is_done(start + one) == (one in finished) for one in range(30))
    assert mark.settled == start + 30


@given(st.integers(0, 1000), st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=30), st.data())
def test_where_nothing_stands_is_passed(start: int, steps: list[tuple[int, bool]], data: st.DataObject) -> None:
    """Positions are taken in their order, some of them after a gap, and finished in any order meanwhile."""
    mark = Watermark(start)
    end, open_ = start, list[int]()
    for gap, finish in steps:
        position = end + gap
        if gap:
            mark.skip(end, position)
        open_.append(position)
        end = position + 1
        if finish:
            mark.done(open_.pop(data.draw(st.integers(0, len(open_) - 1))))
        assert mark.settled == min(open_, default=end)
    for position in data.draw(st.permutations(open_)):
        open_.remove(position)
        mark.done(position)
        assert mark.settled == min(open_, default=end)
    assert mark.settled == end
