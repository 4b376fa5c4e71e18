"""The board: gathering, numbering and taking up again, with the time told to it."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel import release, resource, scope, wire
from qiantang_server.kernel.watch.topics import board as boards
from qiantang_server.kernel.watch.topics.board import SPACING, Board, Change, Event, collapsed

ORDER = resource.Bundle(scope=scope.Scope.parse("acme/dev/trade/order"), capability="test")
STOCK = resource.Bundle(scope=scope.Scope.parse("acme/dev/trade/stock"), capability="test")
TOPIC = "bundles:acme"


def change(reason: str = "draft", bundle: resource.Bundle = ORDER, **more: Any) -> Change:
    return Change(about=bundle, reason=reason, **more)


def told(event: Event | None) -> dict[str, Any]:
    assert event is not None
    lines = dict(line.split(": ", 1) for line in event.told.decode().strip().split("\n"))
    assert (lines["id"], lines["event"]) == (event.number, "changed")
    return wire.decode(lines["data"], dict[str, Any])


def test_the_first_change_is_told_at_once_and_the_next_ones_together() -> None:
    board = Board("b")
    first = board.change(TOPIC, change("draft"), 10.0)
    assert told(first)["reasons"] == ["draft"]
    assert board.change(TOPIC, change("instances"), 10.1) is None
    assert board.change(TOPIC, change("publish", STOCK), 10.2) is None
    assert board.due(10.24) == []
    (second,) = board.due(10.25)
    assert (told(second)["reason"], told(second)["reasons"]) == ("publish", ["publish", "instances"])
    assert second.about == {ORDER, STOCK}
    assert (second.number, board.waits) == ("b-2", False)
    assert board.change(TOPIC, change(), 10.3) is None, "a quarter of a second after the second"
    assert board.change("work:acme", change(), 10.3) is not None, "another topic"


def test_what_is_told_at_once_is_the_newest() -> None:
    board = Board("b")
    places = [resource.Position(epoch=1, revision=number) for number in (1, 3, 2)]
    counts = [release.Counted(total=3, current=number, failed=0) for number in (1, 2)]
    board.change("t", change(), 0)
    for place in places:
        board.change("t", change("publish", position=place), 0.1)
    for counted in counts:
        board.change("t", change("instances", counted=counted), 0.1)
    (event,) = board.due(1)
    assert (told(event)["position"], told(event)["instances"]["current"]) == ([1, 3], 2)


def test_a_topic_that_not_all_may_see_tells_nothing_of_the_bundle() -> None:
    event = Board("b").change(
        TOPIC, change("publish", position=resource.Position(epoch=1, revision=1)), 0, private=True
    )
    assert told(event)["position"] is None
    assert b"order" not in event.told if event else False


def test_a_storm_over_very_many_bundles_is_told_in_parts() -> None:
    board = Board("b")
    board.change(TOPIC, change(), 0)
    events = [
        board.change(TOPIC, change(bundle=msgspec.structs.replace(ORDER, capability=f"c{number}")), 0.1, private=True)
        for number in range(boards.MAX_ABOUT)
    ]
    assert sum(one is not None for one in events) == 1
    assert not board.waits


def test_whoever_comes_back_hears_what_he_missed() -> None:
    board = Board("b", kept=3)
    numbers = [event.number for n in range(5) if (event := board.change("t", change(), float(n))) is not None]
    assert numbers == ["b-1", "b-2", "b-3", "b-4", "b-5"]
    assert [one.number for one in board.since("b-2") or []] == ["b-3", "b-4", "b-5"]
    assert board.since("b-5") == []
    for unknown in ("b-1", "b-0", "b-6", "a-5", "b-", "", "b", "b-x", "b-٣", "b-" + "9" * 400, "b--1", "-5"):
        assert board.since(unknown) is None, unknown
    assert Board("b").since("b-0") == []


def test_a_slow_reader_gets_one_event_of_each_topic() -> None:
    board = Board("b", spacing=0)
    events = [one for n in range(6) if (one := board.change(f"t{n % 2}", change(), n)) is not None]
    few = collapsed(events)
    assert [(one.topic, one.number) for one in few] == [("t0", "b-5"), ("t1", "b-6")]
    assert {told(one)["reason"] for one in few} == {"many"}


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.floats(0, 0.3)), max_size=60))
def test_nothing_is_lost_and_no_topic_is_told_more_often_than_it_may(steps: list[tuple[str, float]]) -> None:
    board, at = Board("b"), 0.0
    heard: list[tuple[str, float]] = []
    asked: dict[str, float] = {}
    for topic, wait in steps:
        at += wait
        heard += [(event.topic, at) for event in board.due(at)]
        event = board.change(topic, change(), at)
        asked[topic] = at
        if event is not None:
            heard.append((event.topic, at))
    heard += [(event.topic, at + 1) for event in board.due(at + 1)]
    for topic, last in asked.items():
        times = [when for one, when in heard if one == topic]
        assert times[-1] >= last
        assert all(later - earlier >= SPACING - 1e-9 for earlier, later in itertools.pairwise(times))
    assert not board.waits
