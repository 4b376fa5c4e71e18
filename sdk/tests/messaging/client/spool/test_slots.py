"""Slots: against a simple model, and with a sender and a drainer: no message of a key overtakes an older one."""

from __future__ import annotations

from collections import Counter, deque

import hypothesis.strategies as st
import pytest
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from qiantang.messaging.client.spool.slots import NO_KEY, SLOTS, Slots, State, slot_of

slots = st.tuples(st.sampled_from(["a", "b"]), st.integers(NO_KEY, 2))


def test_the_slot_of_a_key_is_fixed() -> None:
    assert [slot_of(key) for key in ("", "a", "customer-1", "客户")] == [NO_KEY, 67, 125, 149]


@given(st.text())
def test_every_key_has_a_slot(key: str) -> None:
    assert slot_of(key) in range(SLOTS) if key else slot_of(key) == NO_KEY


class Model(RuleBasedStateMachine):
    """What waits is a list of slots; all else follows from it."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = Slots()
        self.waiting: list[tuple[str, int]] = []
        self.away = False

    @rule()
    def go_away(self) -> None:
        self.slots.go_away()
        self.away = True

    @rule()
    def come_back(self) -> None:
        self.slots.come_back()
        self.away = False

    @rule(some=st.lists(slots, max_size=4))
    def enter(self, some: list[tuple[str, int]]) -> None:
        self.slots.enter(Counter(some))
        self.waiting += some

    @precondition(lambda self: self.waiting)
    @rule(count=st.integers(1, 4))
    def leave(self, count: int) -> None:
        some, self.waiting = self.waiting[:count], self.waiting[count:]
        emptied = self.slots.leave(Counter(some))
        assert sorted(emptied) == sorted(set(some) - set(self.waiting))

    @rule(slot=slots)
    def leave_too_many(self, slot: tuple[str, int]) -> None:
        before = self.slots.counts()
        with pytest.raises(ValueError, match="cannot leave"):
            self.slots.leave({("a", 0): 0, slot: self.waiting.count(slot) + 1})
        assert self.slots.counts() == before

    @invariant()
    def agrees(self) -> None:
        assert self.slots.total == len(self.waiting)
        assert self.slots.counts() == Counter(self.waiting)
        assert self.slots.is_away == self.away
        for topic in ("a", "b"):
            for slot in range(NO_KEY, 3):
                waits = self.waiting.count((topic, slot))
                assert self.slots.pending(topic, slot) == waits
                expected = State.SPOOLING if self.away else State.DRAINING if waits else State.ONLINE
                assert self.slots.state(topic, slot) is expected
                assert self.slots.must_spool(topic, slot) == (self.away or (waits > 0 and slot != NO_KEY))


class Sending(RuleBasedStateMachine):
    """A sender that asks the slots, a broker that comes and goes, and a drainer: order by slot is kept all the same."""

    @initialize(away=st.booleans())
    def begin(self, away: bool) -> None:
        self.slots = Slots(away=away)
        self.away = away
        self.store: deque[tuple[tuple[str, int], int]] = deque()
        self.arrived: list[tuple[tuple[str, int], int]] = []
        self.number = 0

    @rule(slot=slots)
    def send(self, slot: tuple[str, int]) -> None:
        self.number += 1
        if self.slots.must_spool(*slot):
            self.slots.enter({slot: 1})
            self.store.append((slot, self.number))
        elif self.away:  # it finds out, and what it finds out with goes to the tail
            self.slots.go_away()
            self.slots.enter({slot: 1})
            self.store.append((slot, self.number))
        else:
            self.arrived.append((slot, self.number))

    @rule()
    def lose(self) -> None:
        self.away = True

    @rule()
    def gain(self) -> None:
        self.away = False
        self.slots.come_back()

    @precondition(lambda self: self.store and not self.away)
    @rule(count=st.integers(1, 3))
    def drain(self, count: int) -> None:
        for _ in range(min(count, len(self.store))):
            one = self.store.popleft()
            self.arrived.append(one)
            self.slots.leave({one[0]: 1})

    @invariant()
    def keeps_order(self) -> None:
        for slot in {one for one, _ in self.arrived if one[1] != NO_KEY}:
            numbers = [number for one, number in self.arrived if one == slot]
            assert numbers == sorted(numbers)
        assert len(self.arrived) + len(self.store) == self.number
        assert self.slots.total == len(self.store)


TestModel = Model.TestCase
TestSending = Sending.TestCase
