"""Names on RocketMQ: of its alphabet, of its length, and never two of one."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from qiantang.messaging.adapters.rocketmq import names


def test_names() -> None:
    assert names.topic_name("order.created") == "order%2Ecreated"
    assert names.topic_name("order_created", "high") == "order_created%2Ehigh"
    assert names.group_name("order-created", "billing") == "billing%2Eorder-created"


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200))
def test_any_two_stay_apart_and_fit(one: str, other: str) -> None:
    for name in (names.topic_name(one), names.topic_name(one, "low")):
        assert re.fullmatch(r"[%|a-zA-Z0-9_-]{1,127}", name)
    assert (names.topic_name(one) == names.topic_name(other)) == (one == other)


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200))
def test_a_group_that_ends_with_its_member_says_since_when_it_is_there(topic: str, group: str) -> None:
    name = names.passing_name(topic, group, 1_800_000_000.5)
    assert names.began(name) == 1_800_000_000.0
    assert len(f"%RETRY%{name}") <= 127
    assert names.began(names.group_name(topic, group)) is None


def test_names_of_others_say_nothing() -> None:
    for name in ("%EPH%", "%EPH%xyz%a", "a%EPH%12%b", "%RETRY%%EPH%12%b", "group", "%EPH%-1%a"):
        assert names.began(name) is None
