"""Moving: keys move once nothing of theirs is left behind, and nobody waits for long."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from qiantang.messaging.client.moving import HOLD_SECONDS, LATE_SECONDS, NEARLY, REST_SECONDS, Move


def test_who_begins_and_finds_nothing_left_moves_at_once() -> None:
    move = Move()
    assert move.may_count(1.0)
    move.saw(0, 1.0, counts=True)
    assert move.state == "moved"


def test_what_is_left_is_waited_for_and_then_no_more() -> None:
    move = Move()
    move.saw(5, 10.0, counts=True)
    move.saw(5, 10.0 + HOLD_SECONDS - 0.1, counts=True)
    assert move.state == "holding"
    move.saw(5, 10.0 + HOLD_SECONDS, counts=True)
    assert move.state == "staying"
    now = 10.0 + HOLD_SECONDS + REST_SECONDS
    move.saw(NEARLY, now - 0.1, counts=False)
    assert move.state == "staying", "who sends is not made to wait again so soon"
    move.saw(NEARLY + 1, now, counts=False)
    assert move.state == "staying", "it would take too long"
    move.saw(NEARLY, now, counts=False)
    assert move.state == "holding"
    move.saw(0, now + 1, counts=True)
    assert move.state == "moved"


def test_for_much_that_is_left_nobody_waits_at_all() -> None:
    move = Move()
    move.saw(NEARLY + 1, 10.0, counts=True)
    assert move.state == "staying"


def test_a_look_that_began_while_something_was_on_its_way_does_not_count() -> None:
    move = Move()
    move.begin(1)
    counts = move.may_count(1.0)
    move.end(1, 1.1)
    move.saw(0, 1.2, counts=counts)
    assert move.state == "holding"
    move.saw(0, 1.3, counts=move.may_count(1.2))
    assert move.state == "moved"


def test_what_was_not_answered_may_come_late() -> None:
    move = Move()
    move.begin(1)
    move.end(1, 1.0, unsure=True)
    assert not move.may_count(1.0 + LATE_SECONDS - 0.1)
    assert move.may_count(1.0 + LATE_SECONDS)


def test_a_topic_that_is_to_shrink_no_more_has_nobody_wait() -> None:
    move = Move()
    move.stay()
    move.saw(0, 10**9, counts=False)
    assert move.state == "staying"


class Sending(RuleBasedStateMachine):
    """Somebody sends to a queue whose group goes on by fits and starts; looks take time."""

    def __init__(self) -> None:
        super().__init__()
        self.move = Move()
        self.now = 0.0
        self.sending = 0
        self.left = 0
        self.late = 0.0
        self.held_since: float | None = None
        self.looking: tuple[bool, int] | None = None

    @rule(seconds=st.floats(0.05, 20))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def send(self) -> None:
        if self.move.state == "staying" or (self.move.state == "holding" and self.sending):
            self.move.begin(1)
            self.sending += 1

    @rule(arrives=st.booleans(), answered=st.booleans())
    def answer(self, arrives: bool, answered: bool) -> None:
        if not self.sending:
            return
        self.sending -= 1
        self.move.end(1, self.now, unsure=not answered)
        if answered or arrives:
            self.left += 1
        if not answered:
            self.late = self.now + LATE_SECONDS

    @rule(count=st.integers(1, 5))
    def finish(self, count: int) -> None:
        if self.move.state != "moved":
            self.left = max(0, self.left - count)

    @rule()
    def come_late(self) -> None:
        if self.now < self.late and self.move.state != "moved":
            self.left += 1

    @rule()
    def begin_to_look(self) -> None:
        self.looking = (self.move.may_count(self.now), self.left)

    @rule()
    def see(self) -> None:
        if self.looking is not None:
            counts, found = self.looking
            self.looking = None
            self.move.saw(found, self.now, counts=counts)

    @invariant()
    def nothing_is_left_behind(self) -> None:
        if self.move.state == "moved":
            assert self.left == 0
            assert not self.sending


TestSending = Sending.TestCase
TestSending.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
