"""States outlive rules that change their thresholds, and no rule or node that is gone."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from qiantang.kernel import wire
from qiantang.rpc.governance.limits import Pacing, TokenBucket, WarmUp
from qiantang.rpc.governance.policy import MethodPolicy, Policies
from qiantang.rpc.governance.shedding import Load
from qiantang.rpc.governance.states import Place, States
from qiantang.rpc.governance.verdict import Outcome, Ticket

GET = Place("Orders", "get")
NODE = Place("Orders", "get", "n1")
ALL: dict[str, Any] = {
    "breaker": {},
    "adaptive": {},
    "outlier": {},
    "votes": {},
    "hedge": {},
    "concurrency": {"most": 5},
    "gradient": {},
    "rate": {"per_second": 5},
    "hot": [{"argument": "a", "per_second": 1}, {"argument": "b", "per_second": 1}],
    "faults": [{"until": 1e9, "abort_share": 1.0}],
}


def policy(sections: dict[str, Any], rule: str = "r") -> MethodPolicy:
    policies = Policies("client")
    assert not policies.replace({rule: wire.encode(msgspec.to_builtins(sections))}).problems
    return policies.policy("Orders", "get")


def test_another_threshold_does_not_reset_a_breaker_and_another_window_does() -> None:
    states = States(random.Random(1))
    breaker = states.breaker(policy({"breaker": {"min_calls": 20}}), GET)
    assert breaker is not None
    for _ in range(10):
        ticket = Ticket(100.0, 103.0)
        breaker.enter(100.0, ticket)
        breaker.leave(100.0, ticket, Outcome.INTERNAL)
    again = states.breaker(policy({"breaker": {"min_calls": 5}}), GET)
    assert again is breaker
    assert (breaker.settings.min_calls, breaker.window.failures) == (5, 10)
    assert states.breaker(policy({"breaker": {"window": 20}}), GET) is not breaker
    assert states.breaker(policy({"breaker": {}}, "other"), GET) is not breaker, "another rule begins anew"


def test_methods_and_nodes_have_states_of_their_own() -> None:
    states, found = States(random.Random(1)), policy(ALL)
    assert states.breaker(found, GET) is not states.breaker(found, Place("Orders", "put"))
    node = states.breaker(found, NODE)
    assert node is not None
    assert node.settings.consecutive == 5, "a node's breaker is the one for nodes"
    assert states.outliers(found, GET) is states.outliers(found, Place("Orders", "put")), "of the service"
    assert states.votes(found, GET) is states.votes(found, NODE)


def test_each_section_has_its_piece_and_what_is_not_asked_for_has_none() -> None:
    states, found = States(random.Random(1)), policy(ALL)
    makers = (
        states.breaker,
        states.adaptive,
        states.retries,
        states.hedge,
        states.concurrency,
        states.gradient,
        states.rate,
    )
    pieces = [maker(found, GET) for maker in makers]
    assert all(piece is not None for piece in pieces)
    assert pieces == [maker(found, GET) for maker in makers]
    assert [argument for argument, _ in states.hot(found, GET)] == ["a", "b"]
    assert states.faults(found, GET, 0.0) is not None
    nothing = policy({})
    for maker in (states.breaker, states.hedge, states.concurrency, states.gradient, states.rate):
        assert maker(nothing, GET) is None
    assert states.adaptive(policy({"breaker": {}}), GET) is None
    assert states.hot(nothing, GET) == []
    assert states.faults(nothing, GET, 0.0) is None


def test_the_rate_is_of_the_kind_that_is_asked_for() -> None:
    states = States(random.Random(1))
    for extra, kind in (({}, TokenBucket), ({"warm_up": 5}, WarmUp), ({"pace": 1}, Pacing)):
        assert type(states.rate(policy({"rate": {"per_second": 5, **extra}}), GET)) is kind


def test_every_piece_takes_new_settings_where_it_is() -> None:
    states = States(random.Random(1))
    sections = {name: section for name, section in ALL.items() if name != "faults"}
    held: list[object] = []
    for _ in range(3):
        found = policy(sections)
        makers = (states.breaker, states.adaptive, states.retries, states.hedge, states.concurrency)
        pieces = [maker(found, GET) for maker in (*makers, states.gradient, states.rate, states.outliers, states.votes)]
        pieces += [piece for _, piece in states.hot(found, GET)]
        held = held or pieces
        assert all(one is other for one, other in zip(pieces, held, strict=True))
    votes = states.votes(policy({"votes": {"lifetime": 7}}), GET)
    assert votes is not None
    assert votes.settings.lifetime == 7


def test_one_shedder_for_all_methods_of_a_rule() -> None:
    states, load = States(random.Random(1)), Load()
    first = states.shedding(policy({"shedding": {}}), load)
    assert first is states.shedding(policy({"shedding": {"lag": 0.5}}), load)
    assert first is not None
    assert first.settings.lag == 0.5
    assert first is not states.shedding(policy({"shedding": {}}, "other"), load)
    assert states.shedding(policy({}), load) is None


def test_subscribers_alone_only_where_the_rule_says_so() -> None:
    states = States(random.Random(1))
    for only in (True, False):
        access = states.access(policy({"access": {"subscribers_only": only, "refused": ["bank"]}}), ["shop/cart"])
        assert access is not None
        assert access.enter("shop", "cart") is None
        assert (access.enter("shop", "till") is not None) == only
        assert access.enter("bank", "loans") is not None
    assert states.access(policy({}), []) is None


def test_rules_and_nodes_that_are_gone_leave_nothing() -> None:
    states, found = States(random.Random(1)), policy(ALL)
    states.breaker(found, GET)
    for node in ("n1", "n2", "n3"):
        states.breaker(found, NODE._replace(node=node))
    states.breaker(found, Place("Stock", "get", "stock/n1"))
    states.keep_nodes({"n2", "stock/n1"})
    assert len(states) == 3
    states.keep({""})
    assert len(states) == 2, "node breakers are of the defaults"
    states.keep(())
    assert len(states) == 0
