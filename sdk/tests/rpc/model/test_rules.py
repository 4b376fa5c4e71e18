"""Rules: what cannot be meant is refused where it is written, with a place and a reason."""

from __future__ import annotations

from typing import Any

import pytest

from qiantang.kernel import errors, wire
from qiantang.rpc.balance import picking
from qiantang.rpc.model.rules import Rule, Target, TimeoutRule


def read(**said: Any) -> Rule:
    return wire.decode(wire.encode(said), Rule)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"target": {"method": "get"}}, "name the service"),
        ({"target": {"service": "Orders", "consumer": "shop"}}, "name service and method"),
        ({"target": {"service": "Orders", "reach": "tenant"}}, "no rule of the tenant"),
        ({"target": {"service": "Orders", "method": "get", "consumer": "a/b/c"}}, "target.consumer"),
        ({"breaker": {"failure_rate": 1.5}}, "breaker.failure_rate"),
        ({"timeout": {"seconds": 3601}}, "timeout.seconds"),
        ({"breaker": {"probes": 0}}, "breaker.probes"),
        ({"retry": {"attempts": 6}}, "retry.attempts"),
        ({"retry": {"on": ["business"]}}, "retry.on"),
        ({"rate": {"per_second": 0}}, "rate.per_second"),
        ({"rate": {"per_second": 1, "warm_up": 1, "pace": 1}}, "exclude each other"),
        ({"gradient": {"least": 10, "start": 5}}, "not between"),
        ({"hot": [{"argument": "a b", "per_second": 1}]}, "argument"),
        ({"hot": [{"argument": "a", "per_second": 1}] * 9}, "hot"),
        ({"faults": [{"delay": 1}]}, "until"),
        ({"faults": [{"until": 1, "delay": 61}]}, "delay"),
        ({"timeout": {"second": 1}}, "second"),
        ({"degrade": {"how": "nothing"}}, "degrade.how"),
        ({"degrade": {"how": "fallback", "value": 1}}, "write how=value"),
        ({"degrade": {"how": "last_good", "age": 0}}, "degrade.age"),
        ({"degrade": {"how": "last_good", "size": 1}}, "degrade.size"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(said: dict[str, Any], why: str) -> None:
    with pytest.raises(errors.InvalidRequestError) as found:
        read(**said)
    assert why in found.value.detail


def test_what_is_written_is_read_again_as_it_was() -> None:
    rule = read(target={"service": "shop.Orders", "method": "get", "consumer": "shop/cart"}, breaker={}, hot=[])
    assert wire.decode(wire.encode(rule), Rule) == rule


def test_the_schema_explains_each_field_that_its_name_does_not() -> None:
    schema = wire.schema(Rule)
    assert set(schema["$defs"]) >= {"Rule", "Target", "BreakerRule", "RetryRule", "FaultRule"}
    for name, model in schema["$defs"].items():
        assert model.get("description"), f"{name} says what it is for"
        assert model["additionalProperties"] is False, f"{name} takes no field that it does not know"


def test_a_rule_is_read_back_as_it_is_written_with_all_that_it_leaves_out() -> None:
    for target in (Target(), Target(service="shop.Orders", method="price", consumer="shop/till")):
        rule = Rule(target=target, timeout=TimeoutRule())
        assert wire.decode(wire.encode(rule), Rule) == rule


@pytest.mark.parametrize("target", [{}, {"service": "shop.Orders", "side": "server"}])
def test_what_is_public_is_about_calls_to_one_service(target: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequestError, match="a public rule is for those who call one service"):
        wire.convert({"public": True, "target": target}, Rule)


def test_every_algorithm_of_balance_can_be_chosen_and_nothing_else() -> None:
    for name in picking.NAMES:
        assert read(balance={"picker": name}).balance is not None
    with pytest.raises(errors.InvalidRequestError):
        read(balance={"picker": "best"})
    with pytest.raises(errors.InvalidRequestError, match="a key decides nothing with random"):
        read(balance={"picker": "random", "key": "req.user"})
