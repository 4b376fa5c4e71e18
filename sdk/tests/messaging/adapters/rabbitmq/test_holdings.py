"""What a member holds: order, priorities, what is given back, what is lost, and what the server is told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.messaging.adapters.rabbitmq.holdings import Held, Holdings
from qiantang.messaging.model import Frame, Taken


class Rabbit:
    """What the server knows of one channel: it refuses a number that it knows no more, as RabbitMQ does."""

    def __init__(self, count: int) -> None:
        self.unacknowledged = list(range(1, count + 1))

    def ack(self, acks: Sequence[tuple[int, bool]]) -> None:
        for number, multiple in acks:
            assert number in self.unacknowledged, "unknown delivery tag: the channel is closed"
            self.unacknowledged = [
                one for one in self.unacknowledged if one != number and not (multiple and one < number)
            ]


def holdings(tags: Sequence[str] = (), emptied: list[int] | None = None) -> Holdings:
    noted = emptied if emptied is not None else []
    return Holdings(tags, lambda: None, lambda: noted.append(1))


def hold(one: Holdings, number: int = 0) -> Held:
    held = one.take(number, None)
    one.keep(held)
    return held


def come(one: Holdings, held: Held, *frames: Frame) -> None:
    for frame in frames:
        one.come(held, held.unfinished + 1, frame)


def message(name: str, **more: object) -> Frame:
    return Frame(topic="t", id=name, body=b"", **more)  # type: ignore[arg-type]


def names(taken: Sequence[Taken]) -> list[str]:
    return [one.frame.id for one in taken]


@given(order=st.permutations(range(12)), cut=st.lists(st.integers(1, 4), max_size=12))
def test_what_is_done_is_told_however_it_comes_and_nothing_twice(order: list[int], cut: list[int]) -> None:
    one = holdings()
    held = hold(one)
    come(one, held, *(message(f"{number}", key="k") for number in range(12)))
    taken = one.fetch(100, 10**6)
    server, done = Rabbit(12), 0
    for size in [*cut, 12]:
        part = order[done : done + size]
        done += len(part)
        server.ack(one.done(taken[number] for number in part).get(held, []))
        assert sorted(server.unacknowledged) == sorted(number + 1 for number in order[done:])
    assert (held.out, held.unfinished) == (0, 0)


def test_one_word_is_enough_where_there_is_no_gap() -> None:
    one = holdings()
    held = hold(one)
    come(one, held, *(message(f"{number}") for number in range(6)))
    taken = one.fetch(100, 10**6)
    assert one.done(taken[:3]) == {held: [(3, True)]}
    assert one.done(taken[4:]) == {held: [(5, False), (6, False)]}
    assert one.done([taken[3]]) == {held: [(4, True)]}


def test_nothing_is_given_before_the_server_gave_the_queue_nor_while_it_is_leaving() -> None:
    noted: list[int] = []
    one = holdings(emptied=noted)
    held = one.take(0, None)
    come(one, held, message("a"), message("b"))
    assert one.fetch(10, 1000) == []
    assert one.holds == {}
    one.keep(held)
    assert one.holds == {"0": 1}
    (taken,) = one.fetch(1, 1000)
    held.leaving = 5.0
    assert one.fetch(10, 1000) == []
    assert not noted
    one.done([taken])
    assert noted == [1], "nothing is in hand: it may go"
    held.leaving = 0.0
    assert names(one.fetch(10, 1000)) == ["b"]


def test_what_is_given_back_comes_again_in_its_place() -> None:
    one = holdings()
    held = hold(one)
    come(one, held, *(message(f"{number}", key="k") for number in range(5)))
    taken = one.fetch(3, 1000)
    one.back([taken[2], taken[1]])
    assert names(one.fetch(10, 1000)) == ["1", "2", "3", "4"]
    assert [one.position for one in taken] == sorted({one.position for one in taken})


def test_what_is_lost_is_forgotten_and_settled_no_more() -> None:
    one = holdings(["vip"])
    held, other = hold(one, 0), hold(one, 1)
    come(one, held, *(message(f"a{number}", tag="vip") for number in range(4)), message("a4"))
    come(one, other, message("b", tag="vip"))
    taken = one.fetch(2, 1000)
    one.back(taken[1:])
    one.lose(held)
    one.come(held, 9, message("late", tag="vip"))
    assert one.done(taken) == {}
    one.back(taken)
    assert one.unwanted() == []
    assert names(one.fetch(10, 1000)) == ["b"]
    again = hold(one, 0)
    assert again.hold > held.hold


def test_what_has_a_tag_that_is_not_asked_for_is_not_given() -> None:
    one = holdings(["vip"])
    held = hold(one)
    come(one, held, message("a", tag="vip"), message("b"), message("c", tag="gold"))
    assert names(one.unwanted()) == ["b", "c"]
    assert names(one.fetch(10, 1000)) == ["a"]


def test_the_highest_priority_first_and_the_lowest_now_and_then() -> None:
    one = holdings()
    held = hold(one)
    come(one, held, message("low", priority=0), message("key", priority=9, key="k"), message("high", priority=9))
    assert names(one.fetch(10, 1000)) == ["high", "key", "low"]
    come(one, held, message("low", priority=0), *(message(f"{number}", priority=9) for number in range(20)))
    assert "low" in [names(one.fetch(1, 1000))[0] for _ in range(8)]


@pytest.mark.parametrize(("count", "size", "given"), [(2, 10**6, 2), (10, 1, 1), (10, 10**6, 4)])
def test_bounds(count: int, size: int, given: int) -> None:
    one = holdings()
    held = hold(one)
    come(one, held, *(message(f"{number}", text={"a": "b"}) for number in range(4)))
    assert len(one.fetch(count, size)) == given
