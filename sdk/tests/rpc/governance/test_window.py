"""The window's sums are those of a model that keeps every event."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from qiantang.rpc.governance.window import Window

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["enter", "leave", "refuse", "undo"]),
        st.floats(0, 4),
        st.booleans(),
        st.booleans(),
        st.integers(0, 9),
    ),
    max_size=80,
)


@given(EVENTS, st.floats(0, 1e6))
def test_sums_are_those_of_the_events_whose_call_began_within_the_window(
    events: list[tuple[str, float, bool, bool, int]], start: float
) -> None:
    window, now = Window(10.0), start
    open_calls: list[int] = []
    began: list[int] = []
    ended: list[tuple[int, bool, bool]] = []
    refused: list[int] = []
    for what, passed, failed, slow, which in events:
        now += passed
        if what == "enter":
            token = window.enter(now)
            open_calls.append(token)
            began.append(token)
        elif what == "refuse":
            window.refuse(now)
            refused.append(window.turn(now))
        elif open_calls:
            token = open_calls.pop(which % len(open_calls))
            window.turn(now)
            if what == "undo":
                window.undo(token)
                began.remove(token)
            else:
                window.leave(token, failed, slow)
                ended.append((token, failed, slow))
    oldest = window.turn(now) - 9
    live = [one for one in ended if one[0] >= oldest]
    assert window.began == sum(token >= oldest for token in began)
    assert window.refused == sum(token >= oldest for token in refused)
    assert window.calls == len(live)
    assert (window.failures, window.slow) == (sum(one[1] for one in live), sum(one[2] for one in live))
    newest = [token for token in began if token >= oldest + 8]
    assert window.young() == len(newest) - sum(one[0] >= oldest + 8 for one in live)


def test_an_outcome_counts_when_its_call_began() -> None:
    window = Window(10.0)
    token = window.enter(100.0)
    window.turn(105.0)
    window.leave(token, True, False)
    assert (window.calls, window.failures) == (1, 1)
    window.turn(110.0)
    assert (window.calls, window.failures) == (0, 0), "ten seconds after it began, not after it ended"
    window.leave(token, True, False)
    assert window.calls == 0


def test_a_clock_that_goes_back_stands_still() -> None:
    window = Window(10.0)
    window.enter(100.0)
    window.leave(window.enter(50.0), False, False)
    assert (window.began, window.calls) == (2, 1)


def test_each_bucket_counts_for_exactly_its_ten_seconds() -> None:
    window = Window(10.0)
    for second in range(100, 130):
        token = window.enter(second + 0.5)
        window.leave(token, True, True)
        window.refuse(second + 0.5)
        expected = min(10, second - 99)
        assert (window.began, window.calls, window.failures, window.slow, window.refused) == (expected,) * 5
    window.turn(134.0)
    assert window.began == 5
    window.turn(1000.0)
    assert window.began == window.calls == window.refused == 0
