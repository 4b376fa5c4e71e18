"""Which failures are written down: the rule that says most of a message counts."""

from __future__ import annotations

import pytest

from qiantang.messaging.model import FailureRule, failure

RULES = [
    FailureRule(consume=False),
    FailureRule(center="trade", send=False),
    FailureRule(topic="loud", send=False, consume=False),
    FailureRule(topic="loud", center="trade"),
]


@pytest.mark.parametrize(
    ("topic", "center", "kinds"),
    [
        ("orders", "stock", {"send"}),
        ("orders", "trade", {"consume"}),
        ("loud", "stock", set[str]()),
        ("loud", "trade", {"send", "consume"}),
    ],
)
def test_the_rule_that_says_most_counts(topic: str, center: str, kinds: set[str]) -> None:
    assert failure.kinds_of(RULES, topic, center) == kinds
    assert failure.kinds_of(reversed(RULES), topic, center) == kinds


def test_without_rules_all_are_and_without_one_for_it_none_is() -> None:
    assert failure.kinds_of([], "t", "c") == {"send", "consume"}
    assert failure.kinds_of([FailureRule(topic="other")], "t", "c") == frozenset()
