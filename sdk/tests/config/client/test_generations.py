"""The bookkeeping of replaced resources: whatever the order, each is drained once, and only when it may be."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from qiantang.config.client.generations import MAX_WAITING, Generation, Generations


class Replacing(RuleBasedStateMachine):
    used = Bundle("used")
    retired = Bundle("retired")

    def __init__(self) -> None:
        super().__init__()
        self.generations: Generations[int] = Generations()
        self.drained: list[Generation[int]] = []
        self.expired: set[int] = set()
        self.built = 0

    def end(self, generations: list[Generation[int]]) -> None:
        for one in generations:
            assert one.retired
            assert one not in self.drained, "drained twice"
            self.drained.append(one)

    @rule(target=retired)
    def replace(self) -> object:
        before = self.generations.current
        waiting = self.generations.waiting
        self.built += 1
        self.end(self.generations.replace(self.built))
        if len(waiting) == MAX_WAITING and before is not None and before.users:
            self.expired.add(waiting[0].item)
        return before if before is not None else multiple()

    @rule(target=used)
    def enter(self) -> object:
        generation = self.generations.enter()
        assert (generation is None) == (self.built == 0)
        return generation if generation is not None else multiple()

    @rule(generation=consumes(used))
    def leave(self, generation: Generation[int]) -> None:
        self.end(self.generations.leave(generation))

    @rule(generation=retired, now=st.booleans())
    def expire(self, generation: Generation[int], now: bool) -> None:
        if now:
            self.expired.add(generation.item)
            self.end(self.generations.expire(generation))

    @invariant()
    def none_is_drained_while_it_is_used_unless_its_time_is_over(self) -> None:
        for one in self.drained:
            assert one.users == 0 or one.item in self.expired
        current = self.generations.current
        assert current is None or not (current.retired or current.drained)

    @invariant()
    def what_waits_is_bounded_and_nothing_else_is_left_over(self) -> None:
        waiting = self.generations.waiting
        assert len(waiting) <= MAX_WAITING
        assert all(one.users > 0 and one.retired and not one.drained for one in waiting)
        current = int(self.generations.current is not None)
        assert len(self.drained) + len(waiting) + current == self.built

    @invariant()
    def the_current_one_is_the_last_that_was_built(self) -> None:
        current = self.generations.current
        assert (current.item if current is not None else 0) == self.built


TestReplacing = Replacing.TestCase
