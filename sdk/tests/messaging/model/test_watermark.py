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
