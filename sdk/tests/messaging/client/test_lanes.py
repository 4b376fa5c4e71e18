"""Lanes: nothing is lost, nothing of a key overtakes, and a failure gives back what waited behind it."""

from __future__ import annotations

from collections import defaultdict

import hypothesis.strategies as st
from hypothesis import given

from qiantang.messaging.client.lanes import Lanes


def test_an_unordered_subscription_has_everything_ready() -> None:
    lanes: Lanes[int] = Lanes(ordered=False)
    for number in range(3):
        lanes.put("k", number)
    assert [lanes.take() for _ in range(4)] == [("", 0), ("", 1), ("", 2), None]


def test_a_lane_has_one_at_a_time_and_others_go_on() -> None:
    lanes: Lanes[int] = Lanes(ordered=True)
    for key, number in (("a", 1), ("a", 2), ("b", 3), ("", 4), ("", 5)):
        lanes.put(key, number)
    assert (len(lanes), lanes.ready) == (5, 4)
    assert [lanes.take() for _ in range(5)] == [("a", 1), ("b", 3), ("", 4), ("", 5), None]
    lanes.done("a")
    assert lanes.take() == ("a", 2)
    lanes.done("a")
    lanes.put("a", 6)
    assert lanes.take() == ("a", 6)


def test_what_waited_behind_a_failure_is_given_back() -> None:
    lanes: Lanes[int] = Lanes(ordered=True)
    for number in range(3):
        lanes.put("a", number)
    assert lanes.take() == ("a", 0)
    assert lanes.failed("a") == [1, 2]
    assert len(lanes) == 0
    lanes.put("a", 0)
    assert lanes.take() == ("a", 0)


def test_clearing_leaves_nothing_but_what_is_worked_on() -> None:
    lanes: Lanes[int] = Lanes(ordered=True)
    for key, number in (("a", 1), ("a", 2), ("b", 3), ("b", 4), ("", 5)):
        lanes.put(key, number)
    assert lanes.take() == ("a", 1)
    assert sorted(lanes.clear()) == [2, 3, 4, 5]
    assert len(lanes) == 0
    lanes.put("b", 6)
    assert lanes.take() == ("b", 6), "a lane whose first was given back is no lane any more"
    lanes.put("a", 7)
    assert lanes.take() is None, "1 is still being worked on"
    lanes.done("a")
    assert lanes.take() == ("a", 7)


@given(st.data())
def test_the_machine(data: st.DataObject) -> None:
    """Whatever happens in whatever order: each is handed out once, in the order of its key, one at a time."""
    lanes: Lanes[int] = Lanes(ordered=True)
    put: dict[str, list[int]] = defaultdict(list)
    out: dict[str, list[int]] = defaultdict(list)
    working: dict[str, int] = {}
    for number in range(data.draw(st.integers(0, 60))):
        step = data.draw(st.sampled_from(["put", "put", "take", "done", "failed"]))
        if step == "put":
            key = data.draw(st.sampled_from(["a", "b", "c"]))
            lanes.put(key, number)
            put[key].append(number)
        elif step == "take" and (found := lanes.take()) is not None:
            key, item = found
            assert key not in working
            working[key] = item
            out[key].append(item)
        elif step in {"done", "failed"} and working:
            key = data.draw(st.sampled_from(sorted(working)))
            item = working.pop(key)
            if step == "done":
                lanes.done(key)
            else:
                behind = lanes.failed(key)
                out[key].pop()
                for one in [item, *behind]:
                    put[key].remove(one)
        waiting = sum(len(put[key]) - len(out[key]) for key in put)
        assert len(lanes) == waiting
        assert all(out[key] == put[key][: len(out[key])] for key in out)
