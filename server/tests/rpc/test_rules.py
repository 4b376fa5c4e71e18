"""Rules and routes that would do nothing, or the opposite of something else, are found before they are published."""

from __future__ import annotations

import time
from typing import Any

import pytest

from qiantang_server.rpc.capability import KINDS

BY_NAME = {kind.name: kind for kind in KINDS}


def problems(kind: str, body: dict[str, Any]) -> str:
    return "; ".join(f"{one.path}: {one.message}" for one in BY_NAME[kind].checked("name", body))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, "the rule does nothing"),
        ({"target": {"side": "client"}, "shedding": {}}, "shedding: shedding is done by providers alone"),
        ({"target": {"side": "server"}, "retry": {}}, "retry: retry is done by those who call alone"),
        ({"faults": [{"until": 1.0}]}, "faults.0.until: the fault has ended already"),
        ({"access": {"allowed": ["a", "b"], "refused": ["b"]}}, "access.refused: b is named"),
        (
            {"hot": [{"argument": "a", "per_second": 1}, {"argument": "a", "per_second": 2}]},
            "hot.1.argument: there are two limits for a",
        ),
        ({"unknown": {}}, "unknown"),
    ],
)
def test_rules(body: dict[str, Any], why: str) -> None:
    assert why in problems("rule", body)


def test_a_rule_that_does_something_is_taken() -> None:
    assert not problems("rule", {"target": {"service": "shop.Orders"}, "rate": {"per_second": 5}, "public": True})
    assert not problems("rule", {"faults": [{"until": time.time() + 60, "delay": 1}]})


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, "a route has one of"),
        ({"version": {"versions": "1.x"}}, "version: route 'name': '1.x' is not a range"),
        ({"zone": {}, "services": ["a.B", "a.B"]}, "services.1: a.B is named twice"),
    ],
)
def test_routes(body: dict[str, Any], why: str) -> None:
    assert why in problems("route", body)
    assert not problems("route", {"zone": {}})


def test_a_source_is_a_link() -> None:
    assert BY_NAME["source"].links({"center": "shop", "application": "order"}) == (("shop", "order"),)
