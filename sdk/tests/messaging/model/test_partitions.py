"""Partitions: in whatever order things happen, nothing is told as done that is not, and nothing is given twice under one hold."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from qiantang.messaging.model import Frame, Taken
from qiantang.messaging.model.partitions import Partition, Partitions

PLACES = [("t", 0), ("t", 1), ("t.high", 0)]
BAND = {"t": "", "t.high": "high"}


def taken(partition: Partition, position: int, priority: int = 4) -> Taken:
    frame = Frame(topic="t", id=f"{position}", body=b"x", priority=priority)
    return Taken(frame=frame, handle=partition, queue=partition.queue, position=position, hold=partition.hold)


def held(*places: tuple[str, int]) -> tuple[Partitions, list[Partition]]:
    partitions = Partitions()
    partitions.assign((place, BAND[place[0]]) for place in places)
    return partitions, partitions.held()


def test_what_moved_is_told_once_and_of_what_is_asked_alone() -> None:
    partitions, (one, other) = held(("t", 0), ("t", 1))
    partitions.come([taken(one, 5), taken(other, 7)])
    partitions.done(partitions.fetch(10, 1 << 20))
    assert partitions.moved([("t", 0)]) == [(("t", 0), 6)]
    assert partitions.moved() == [(("t", 1), 8)], "that one is given up leaves the other to be told"
    assert partitions.moved() == []
    partitions.untell([("t", 0)])
    assert partitions.moved() == [(("t", 0), 6)]


def test_gaps_are_done() -> None:
    partitions, (one,) = held(("t", 0))
    partitions.come([taken(one, 5), taken(one, 9), taken(one, 10)])
    first, second, third = partitions.fetch(10, 1 << 20)
    partitions.done([second])
    assert partitions.moved() == []
    partitions.done([first])
    assert partitions.moved() == [(("t", 0), 10)]
    partitions.done([third])
    assert partitions.moved() == [(("t", 0), 11)]


def test_what_comes_of_what_is_given_up_is_left_out() -> None:
    partitions, (one,) = held(("t", 0))
    partitions.lose(partitions.leave([("t", 0)]))
    partitions.come([taken(one, 5)])
    assert partitions.fetch(10, 1 << 20) == []
    assert partitions.waiting("") == 0


def test_the_highest_comes_first_and_the_lowest_all_the_same() -> None:
    partitions, (one, high) = held(("t", 0), ("t.high", 0))
    partitions.come([taken(one, number) for number in range(20)])
    partitions.come([taken(high, number, 7 + number % 3) for number in range(20)])
    looks = [partitions.fetch(1, 1 << 20)[0].queue for _ in range(16)]
    assert looks.count("0") == 2
    assert [one.frame.priority for one in partitions.fetch(3, 1 << 20)] != [4, 4, 4]


def test_holds_are_of_the_whole_process() -> None:
    (_, (one,)), (_, (other,)) = held(("t", 0)), held(("t", 0))
    assert other.hold > one.hold


class Machine(RuleBasedStateMachine):
    """A consumer whose partitions come and go, whose messages are fetched, done and given back, and a model of it."""

    def __init__(self) -> None:
        super().__init__()
        self.partitions = Partitions()
        self.read: dict[int, list[int]] = {}
        self.next: dict[int, int] = {}
        self.hand: list[Taken] = []
        self.given: set[tuple[int, int]] = set()
        self.done: dict[int, set[int]] = {}

    @rule(place=st.sampled_from(PLACES), start=st.integers(0, 50))
    def assign(self, place: tuple[str, int], start: int) -> None:
        if self.partitions.find(place) is None:
            self.partitions.assign([(place, BAND[place[0]])])
            hold = self.partitions.held()[-1].hold
            self.read[hold], self.next[hold], self.done[hold] = [], start, set()

    @rule(place=st.sampled_from(PLACES), count=st.integers(1, 5), gap=st.integers(0, 2))
    def come(self, place: tuple[str, int], count: int, gap: int) -> None:
        partition = self.partitions.find(place)
        if partition is None:
            return
        first = self.next[partition.hold] + (gap if self.read[partition.hold] else 0)
        self.partitions.come([taken(partition, first + number) for number in range(count)])
        if not partition.leaving:
            self.read[partition.hold] += range(first, first + count)
            self.next[partition.hold] = first + count

    @rule(count=st.integers(1, 6))
    def fetch(self, count: int) -> None:
        for one in self.partitions.fetch(count, 1 << 20):
            assert not one.handle.leaving
            assert (one.hold, one.position) not in self.given, "given twice under one hold"
            self.given.add((one.hold, one.position))
            self.hand.append(one)

    @precondition(lambda self: self.hand)
    @rule(data=st.data())
    def finish(self, data: Any) -> None:
        one = self.hand.pop(data.draw(st.integers(0, len(self.hand) - 1)))
        if not one.handle.lost:
            self.done[one.hold].add(one.position)
        self.partitions.done([one])

    @precondition(lambda self: self.hand)
    @rule(data=st.data())
    def back(self, data: Any) -> None:
        one = self.hand.pop(data.draw(st.integers(0, len(self.hand) - 1)))
        self.given.discard((one.hold, one.position))
        self.partitions.back([one])

    @rule(place=st.sampled_from(PLACES))
    def leave(self, place: tuple[str, int]) -> None:
        self.partitions.leave([place])

    @rule(place=st.sampled_from(PLACES))
    def lose(self, place: tuple[str, int]) -> None:
        self.partitions.lose(self.partitions.leave([place]))

    @invariant()
    def marks_never_pass_what_is_not_done(self) -> None:
        for one in self.partitions.held():
            if one.mark is None:
                continue
            open_ = [number for number in self.read[one.hold] if number not in self.done[one.hold]]
            assert one.mark.settled == (min(open_) if open_ else self.next[one.hold])

    @invariant()
    def what_is_in_hand_is_counted(self) -> None:
        for one in self.partitions.held():
            assert one.out == sum(each.handle is one for each in self.hand)
        for band in ("", "high"):
            waiting = [one for some in self.partitions._come for one in some if one.handle.band == band]
            assert self.partitions.waiting(band) == len(waiting)


TestMachine = Machine.TestCase
