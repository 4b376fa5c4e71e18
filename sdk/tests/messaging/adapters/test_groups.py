"""Groups of the broker in memory: the rules that every broker is measured by, as properties."""

from __future__ import annotations

from collections import defaultdict

import hypothesis.strategies as st
from hypothesis import given

from qiantang.messaging.adapters.memory.groups import Entry, Group
from qiantang.messaging.model import Frame


def entry(number: int, key: str = "", *, due: float = 0.0, priority: int = 4, expires_at: int = 0) -> Entry:
    frame = Frame(topic="t", id=f"{number}", body=b"", key=key, priority=priority, expires_at=expires_at)
    return Entry(frame, number, "0", number, due)


def taken(group: Group, member: str = "m", count: int = 100, now: float = 100.0) -> list[int]:
    return [one.number for one in group.take(member, count, 1 << 20, now)]


def test_priority_then_arrival() -> None:
    group = Group()
    for number, priority in enumerate((0, 4, 9, 4)):
        group.add(entry(number, priority=priority), 0)
    assert taken(group) == [2, 1, 3, 0]


def test_a_held_back_frame_comes_when_it_is_due_and_can_be_taken_back_before() -> None:
    group = Group()
    group.add(entry(1, due=50.0), 0)
    group.add(entry(2, due=60.0), 0)
    assert (taken(group, now=10), group.next_due()) == ([], 50.0)
    assert group.cancel("2", 10)
    assert not group.cancel("2", 10)
    assert group.unfinished() == 1
    assert taken(group, now=70) == [1]
    assert not group.cancel("1", 70)
    group.done([1])
    assert group.unfinished() == 0


def test_what_has_expired_is_finished_unseen() -> None:
    for ordered in (False, True):
        group = Group(ordered=ordered)
        group.add(entry(1, "k", expires_at=90_000), 0)
        group.add(entry(2, "k"), 0)
        assert taken(group, now=91) == [2]
        group.done([2])
        assert group.unfinished() == 0


def test_a_key_belongs_to_one_member_until_nothing_of_it_is_held() -> None:
    group = Group(ordered=True)
    for number in range(4):
        group.add(entry(number, "k"), 0)
    assert taken(group, "a", 2) == [0, 1]
    assert taken(group, "b") == []
    group.done([0])
    assert taken(group, "b") == []
    group.done([1])
    assert taken(group, "b") == [2, 3]


def test_a_key_waits_with_its_first_frame() -> None:
    group = Group(ordered=True)
    for number, key in ((1, "k"), (2, "k"), (3, "other"), (4, "k")):
        group.add(entry(number, key), 0)
    assert taken(group, "a", 2) == [1, 2]
    group.later(1, 200.0)
    group.back([2])
    assert taken(group, "a", now=150) == [3]
    (again,) = group.take("a", 1, 1 << 20, 201.0)
    assert (again.number, again.attempt) == (1, 2)
    assert taken(group, "a", now=201) == [2, 4]


def test_what_was_offered_twice_is_given_once() -> None:
    group = Group(ordered=True)
    for number in (1, 2):
        group.add(entry(number, "k"), 0)
    assert taken(group, count=1) == [1]
    group.back([1])
    assert taken(group, count=2) == [1, 2]
    group.done([1, 2])
    assert taken(group) == []
    assert group.unfinished() == 0


def test_what_waited_twice_for_its_time_comes_once() -> None:
    group = Group(ordered=True)
    for number in (1, 2, 3):
        group.add(entry(number, "k"), 0)
    assert taken(group, count=2) == [1, 2]
    group.later(2, 200.0)
    group.back([1])
    assert taken(group, count=1) == [1], "the second waits, offered before and after the first"
    group.back([1])
    assert taken(group, count=1) == [1]
    group.done([1])
    assert taken(group, now=300) == [2, 3]
    group.done([2, 3])
    assert taken(group, now=400) == []
    assert group.unfinished() == 0


def test_only_the_asked_queues_are_given() -> None:
    group = Group()
    group.add(entry(1), 0)
    other = entry(2)
    other.queue = "1"
    group.add(other, 0)
    third = entry(3)
    third.queue = "1"
    group.add(third, 0)
    group.ask("asking", ["1"])
    assert [one.number for one in group.take("any", 9, 1 << 20, 1.0)] == [1], "what somebody asks for is his"
    assert [one.number for one in group.take("asking", 1, 1 << 20, 1.0)] == [2]
    group.ask("asking", ())
    assert [one.number for one in group.take("any", 9, 1 << 20, 1.0)] == [3]


@given(st.data())
def test_the_machine(data: st.DataObject) -> None:
    """Whatever members do: each frame is finished once, those of a key in order, and no key is with two members."""
    group = Group(ordered=True)
    held: dict[str, list[Entry]] = defaultdict(list)
    finished: dict[str, list[int]] = defaultdict(list)
    now, added = 0.0, 0
    for _ in range(data.draw(st.integers(0, 80))):
        now += 1.0
        step = data.draw(st.sampled_from(["add", "add", "take", "done", "back", "later", "drop"]))
        member = data.draw(st.sampled_from(["x", "y"]))
        if step == "add":
            added += 1
            group.add(entry(added, data.draw(st.sampled_from(["a", "b"])), priority=data.draw(st.integers(3, 5))), now)
        elif step == "take":
            held[member] += group.take(member, data.draw(st.integers(1, 5)), 1 << 20, now)
        elif held[member] and step == "done":
            one = held[member].pop(0)
            finished[one.frame.key].append(one.number)
            group.done([one.number])
        elif held[member] and step in {"back", "later"}:
            # as a consumer does it: the first that fails, and what is behind it of the same key
            first, *rest = held[member]
            if step == "later":
                group.later(first.number, now + 2)
            else:
                group.back([first.number])
            group.back([one.number for one in rest if one.frame.key == first.frame.key])
            held[member] = [one for one in rest if one.frame.key != first.frame.key]
        elif step == "drop":
            group.drop(member)
            held[member].clear()
        keys = {name: {one.frame.key for one in some} for name, some in held.items()}
        assert not keys.get("x", set()) & keys.get("y", set())
        assert group.in_flight == sum(map(len, held.values()))
    group.drop("x")
    group.drop("y")
    while rest := group.take("z", 1000, 1 << 20, now + 10):
        for one in rest:
            finished[one.frame.key].append(one.number)
        group.done([one.number for one in rest])
    assert group.unfinished() == 0
    assert sorted(number for numbers in finished.values() for number in numbers) == list(range(1, added + 1))
    assert all(numbers == sorted(numbers) for numbers in finished.values())
