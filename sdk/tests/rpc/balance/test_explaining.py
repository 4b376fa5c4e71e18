"""Why this node: what each rule left, who was there to pick from, and why it was this one."""

from __future__ import annotations

import pytest

from qiantang.kernel import wire
from qiantang.registry.model import Node, Provided
from qiantang.rpc.balance import picking
from qiantang.rpc.balance.endpoint import Endpoint
from qiantang.rpc.balance.explaining import Explanation, explain
from qiantang.rpc.balance.matching import Call, Consumer
from qiantang.rpc.balance.routing import Router
from sdk.tests.rpc.balance.fleet import chance

from .writing import tag_route, zone_route

NODES = tuple(
    Endpoint(Node(name=name, addresses={}, services={"s.S": Provided()}, zone=zone, tags=tags), 0.0)
    for name, zone, tags in (("a", "east", {}), ("b", "east", {}), ("c", "west", {}), ("d", "east", {"lane": "blue"}))
)
CALL = Call(service="s.S", method="get", key="k")


@pytest.mark.parametrize("name", picking.NAMES)
def test_the_whole_way_is_told_and_can_be_sent(name: str) -> None:
    router = Router({"lanes": tag_route(), "near": zone_route()}, Consumer(zone="east"))
    table = router.table(NODES)
    told = explain(table, picking.make(name, chance()), CALL, 1.0)
    assert [(step.rule, step.kind, step.kept, step.dropped) for step in told.steps] == [
        ("", "service", ["a", "b", "c", "d"], []),
        ("lanes", "tag", ["a", "b", "c"], ["d"]),
        ("near", "zone", ["a", "b"], ["c"]),
    ]
    assert told.choice is not None
    assert told.choice.algorithm == name
    assert told.choice.node in {"a", "b"}
    assert [one.node for one in told.choice.candidates] == ["a", "b"]
    assert wire.decode(wire.encode(told), Explanation) == told


def test_it_reads_as_lines() -> None:
    router = Router({"lanes": tag_route(), "near": zone_route()}, Consumer(zone="east"))
    told = explain(router.table(NODES), picking.make("consistent_hash", chance()), CALL, 1.0)
    assert told.choice is not None
    assert str(told).splitlines() == [
        "s.S.get",
        "service: 4 of 4, ready and provide s.S",
        "tag lanes: 3 of 4 (a, b, c), the call has no lane",
        "zone near: 2 of 3 (a, b), zone east has 100 % of its weight healthy and 67 % of all that is healthy",
        f"consistent_hash: {told.choice.node}, it has the key's place on the ring",
    ]


def test_a_call_that_nobody_may_take_says_which_rule_is_to_blame() -> None:
    router = Router({"lanes": tag_route(force=True), "near": zone_route()}, Consumer(zone="east"))
    call = Call(service="s.S", method="get", tags={"lane": "green"})
    told = explain(router.table(NODES), picking.make("random", chance()), call, 1.0)
    assert told.choice is None
    assert [step.rule for step in told.steps] == ["", "lanes"]
    assert told.steps[-1].kept == []
    assert "the forced tag rule 'lanes' leaves none of 4 (the call has lane=green)" in told.error
    assert str(told).endswith(told.error)
