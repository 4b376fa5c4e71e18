"""Policies: the most specific rule counts, whole sections at a time, and everybody can see which one it was."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from qiantang.kernel import wire
from qiantang.rpc.governance.policy import DEFAULTS, SECTIONS, Placed, Policies, level_of, merge
from qiantang.rpc.model.rules import (
    AccessRule,
    AdaptiveRule,
    BreakerRule,
    ConcurrencyRule,
    HotRule,
    Rule,
    Target,
    TimeoutRule,
)

LEVELS: dict[str, dict[str, str]] = {
    "consumer": {"service": "Orders", "method": "get", "consumer": "shop/cart"},
    "method": {"service": "Orders", "method": "get"},
    "service": {"service": "Orders"},
    "application": {},
    "tenant": {"reach": "tenant"},
}


def body(target: dict[str, str] | None = None, **sections: Any) -> bytes:
    return wire.encode({"target": target or {}, **msgspec.to_builtins(sections)})


def taken(side: Any = "client", **documents: bytes) -> Policies:
    policies = Policies(side)
    assert not policies.replace(documents).problems
    return policies


def timeout(policies: Policies, service: str = "Orders", method: str = "get", *caller: str) -> float:
    section = policies.policy(service, method, *caller).sections.timeout
    assert section is not None
    return section.seconds


@given(st.sets(st.sampled_from(list(LEVELS))), st.randoms(use_true_random=False))
def test_the_most_specific_rule_counts_in_whatever_order_they_come(levels: set[str], chance: Any) -> None:
    names = list(levels)
    chance.shuffle(names)
    seconds = {name: float(place + 10) for place, name in enumerate(LEVELS)}
    rules = {f"r{place}": body(LEVELS[name], timeout=TimeoutRule(seconds[name])) for place, name in enumerate(names)}
    expected = next((seconds[name] for name in LEVELS if name in levels), 3.0)
    assert timeout(taken(**rules), "Orders", "get", "shop", "cart") == expected
    for_others = next((seconds[name] for name in list(LEVELS)[1:] if name in levels), 3.0)
    assert timeout(taken(**rules), "Orders", "get", "shop", "till") == for_others


def test_sections_count_as_a_whole_and_each_apart() -> None:
    policies = taken(
        all=body(timeout=TimeoutRule(9.0), concurrency=ConcurrencyRule(5)),
        one=body(LEVELS["method"], breaker={"min_calls": 7}),
    )
    policy = policies.policy("Orders", "get").sections
    assert (policy.timeout, policy.concurrency) == (TimeoutRule(9.0), ConcurrencyRule(5))
    assert policy.breaker == BreakerRule(min_calls=7)
    assert policies.policy("Orders", "put").sections.breaker is None


def test_a_rule_for_an_application_counts_before_one_for_its_center() -> None:
    policies = taken(
        a=body(LEVELS["method"] | {"consumer": "shop"}, timeout=TimeoutRule(1.0)),
        b=body(LEVELS["method"] | {"consumer": "shop/cart"}, timeout=TimeoutRule(2.0)),
    )
    assert timeout(policies, "Orders", "get", "shop", "cart") == 2.0
    assert timeout(policies, "Orders", "get", "shop", "till") == 1.0
    assert timeout(policies, "Orders", "get", "bank", "cart") == 3.0


def test_the_side_and_the_switch_of_a_rule() -> None:
    documents = {
        "c": body({"side": "client"}, timeout=TimeoutRule(1.0)),
        "s": body({"side": "server"}, timeout=TimeoutRule(2.0)),
        "off": wire.encode({"enabled": False, "target": LEVELS["method"], "timeout": {"seconds": 9.0}}),
    }
    assert timeout(taken("client", **documents)) == 1.0
    assert timeout(taken("server", **documents)) == 2.0


def test_the_adaptive_default_gives_way_to_a_breaker_that_is_asked_for() -> None:
    assert taken().policy("Orders", "get").sections.adaptive == AdaptiveRule()
    assert taken(b=body(breaker=BreakerRule())).policy("Orders", "get").sections.adaptive is None
    both = taken(b=body(breaker=BreakerRule(), adaptive=AdaptiveRule(protect=9)))
    assert both.policy("Orders", "get").sections.adaptive == AdaptiveRule(protect=9)


def test_who_is_refused_anywhere_is_refused() -> None:
    policies = taken(
        "server",
        tenant=body({"reach": "tenant"}, access=AccessRule(refused=["bank"])),
        own=body(LEVELS["method"], access=AccessRule(allowed=["bank", "shop"], refused=["shop/till"])),
    )
    policy = policies.policy("Orders", "get")
    assert policy.sections.access == AccessRule(allowed=["bank", "shop"], refused=["bank", "shop/till"])
    assert policy.origins["access"] == "own, tenant"


def test_explained_is_every_value_with_its_rule() -> None:
    policies = taken(
        slow=body(LEVELS["method"], timeout=TimeoutRule(0.8), hot=[HotRule(argument="id", per_second=5)]),
    )
    explained = policies.policy("Orders", "get").explain()
    told = [str(one) for one in explained]
    assert "timeout.seconds = 0.8 (rule slow, method)" in told
    assert "hot[0].per_second = 5.0 (rule slow, method)" in told
    assert "node_breaker.consecutive = 5 (default)" in told
    sections = policies.policy("Orders", "get").sections
    for name in SECTIONS:
        said = any(one.value_of.partition(".")[0].partition("[")[0] == name for one in explained)
        assert said == (getattr(sections, name) is not None)


INVALID = [b"{", b'{"timeout":{"seconds":-1}}', b'{"timeouts":{}}', b'{"target":{"method":"get"}}', b"[]"]


@pytest.mark.parametrize("document", INVALID)
def test_a_rule_that_is_not_valid_leaves_its_last_good_state_and_is_told(document: bytes) -> None:
    policies = taken(a=body(timeout=TimeoutRule(1.0)), b=body(concurrency=ConcurrencyRule(5)))
    report = policies.replace({"a": document, "b": body(concurrency=ConcurrencyRule(6)), "c": document})
    assert report.applied == ("b",)
    assert set(report.problems) == {"a", "c"}
    assert "last good" in report.problems["a"]
    assert "does not count" in report.problems["c"]
    assert timeout(policies) == 1.0
    assert policies.policy("Orders", "get").sections.concurrency == ConcurrencyRule(6)
    assert policies.ids() == {"", "a", "b"}
    policies.replace({})
    assert timeout(policies) == 3.0, "what was removed is gone"


def test_two_rules_for_the_same_are_told_and_the_first_counts() -> None:
    policies = Policies("client")
    report = policies.replace({"b": body(timeout=TimeoutRule(2.0)), "a": body(timeout=TimeoutRule(1.0))})
    assert report.applied == ("a",)
    assert "rule a" in report.problems["b"]
    assert timeout(policies) == 1.0


def test_calls_under_way_keep_their_policy() -> None:
    policies = taken(a=body(timeout=TimeoutRule(1.0)))
    held = policies.policy("Orders", "get")
    assert policies.policy("Orders", "get") is held, "found once"
    policies.replace({"a": body(timeout=TimeoutRule(2.0))})
    assert held.sections.timeout == TimeoutRule(1.0)
    assert timeout(policies) == 2.0


def test_callers_that_no_rule_names_share_a_policy() -> None:
    policies = taken(a=body(LEVELS["consumer"], timeout=TimeoutRule(1.0)))
    found = {id(policies.policy("Orders", "get", "shop", f"a{number}")) for number in range(100)}
    assert len(found) == 1


@pytest.mark.parametrize("name", list(LEVELS))
def test_levels_are_told(name: str) -> None:
    assert level_of(Target(**LEVELS[name])) == name  # type: ignore[arg-type]


def test_the_defaults_count_where_there_are_no_rules() -> None:
    policy = merge([], "Orders", "get", ())
    assert policy.sections == DEFAULTS
    assert set(policy.origins.values()) == {""}
    assert merge([Placed("a", Rule(timeout=TimeoutRule(1.0)))], "x", "y", ()).origins["timeout"] == "a"
