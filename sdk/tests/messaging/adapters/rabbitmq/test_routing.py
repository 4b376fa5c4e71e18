"""Routing keys and bindings: every message finds exactly one queue of a group, whatever its sender knows of the group's queues."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.messaging.adapters.rabbitmq import routing

TAGS = st.text(max_size=64)


def matches(pattern: str, key: str) -> bool:
    """As a topic exchange does, without the sign for any number of words, which is not used."""
    wanted, words = pattern.split("."), key.split(".")
    return len(wanted) == len(words) and all(a in ("*", b) for a, b in zip(wanted, words, strict=True))


def queues_of(key: str, queues: int, tags: list[str]) -> set[int]:
    return {one.queue for one in routing.bindings(queues, tags) if matches(one.pattern, key)}


@given(number=st.integers(0, 1023), queues=st.integers(1, 40), tag=TAGS)
def test_a_message_finds_its_queue_or_the_first_where_the_group_has_it_not_yet(
    number: int, queues: int, tag: str
) -> None:
    key = routing.routing_key(number, tag)
    assert queues_of(key, queues, []) == {number if number < queues else 0}


@given(number=st.integers(0, 63), queues=st.integers(1, 16), tags=st.lists(TAGS.filter(bool), min_size=1, max_size=3))
def test_a_group_gets_its_tags_alone(number: int, queues: int, tags: list[str]) -> None:
    for tag in [*tags, "", "other", "*", "#", "a.b"]:
        found = queues_of(routing.routing_key(number, tag), queues, tags)
        assert bool(found) == (tag in tags)


@given(few=st.integers(1, 40), more=st.integers(1, 40), number=st.integers(0, 1023))
def test_once_a_group_has_grown_nothing_comes_twice(few: int, more: int, number: int) -> None:
    few, more = min(few, more), max(few, more)
    gone = set(routing.outgrown(more))
    left = (set(routing.bindings(few)) - gone) | set(routing.bindings(more))
    assert not gone & set(routing.bindings(more))
    key = routing.routing_key(number, "")
    assert {one.queue for one in left if matches(one.pattern, key)} == {number if number < more else 0}


@given(number=st.integers(0, 1023), tag=TAGS)
def test_a_key_is_three_words_that_fit(number: int, tag: str) -> None:
    key = routing.routing_key(number, tag)
    assert key.count(".") == 2
    assert len(key.encode()) <= 255
    assert "*" not in key
    assert "#" not in key


@pytest.mark.parametrize("tag", ["", "vip", "a.b", "#", "*", "茶", "100%", "%2E", "茶" * 64, "a" * 64])
def test_tags_are_told_apart(tag: str) -> None:
    others = {"vip2", "a%2Eb", "t", "h"} - {tag}
    assert routing.routing_key(0, tag) not in {routing.routing_key(0, one) for one in others}
