"""What is delivered to an application of rules and routes, its own and those of its sources."""

from __future__ import annotations

from typing import Any

import msgspec

from qiantang.kernel import resource, scope, wire
from qiantang.rpc.model import kinds
from qiantang.rpc.model.routes import Route, ZoneRoute
from qiantang.rpc.model.rules import Rule, Target, TimeoutRule


def snapshot(application: str, **entries: tuple[str, Any]) -> resource.Snapshot:
    place = scope.Scope.parse(f"acme/prod/shop/{application}")
    return resource.Snapshot(
        bundle=resource.Bundle(scope=place, capability=kinds.CAPABILITY),
        position=resource.Position(epoch=1, revision=1),
        digest="",
        entries=[
            resource.Entry(kind=kind, name=name, digest="", content=msgspec.Raw(wire.encode(body)))
            for name, (kind, body) in entries.items()
        ],
    )


def public(service: str) -> Rule:
    return Rule(target=Target(service=service), public=True, timeout=TimeoutRule())


def test_the_own_is_apart_from_what_sources_say() -> None:
    own = snapshot("till", quick=("rule", Rule(timeout=TimeoutRule())), near=("route", Route(zone=ZoneRoute())))
    theirs = snapshot("order", quick=("rule", public("shop.Orders")), old=("route", Route(zone=ZoneRoute())))
    found = kinds.assemble(own, [theirs])
    assert set(found.own) == {"quick"}
    assert set(found.linked) == {"~shop/order:quick"}
    assert set(found.rules) == {"quick", "~shop/order:quick"}
    assert set(found.routes) == {"near", "~shop/order:old"}
    assert sorted(found.rules) == ["quick", "~shop/order:quick"], "of two for the same target the own one counts"


def test_nobody_elses_rule_counts_for_all_calls() -> None:
    theirs = snapshot(
        "order",
        all=("rule", Rule(timeout=TimeoutRule())),
        private=("rule", Rule(target=Target(service="shop.Orders"))),
        newer=("rule", {"something": "else"}),
    )
    assert set(kinds.assemble(snapshot("till"), [theirs]).linked) == {"~shop/order:newer"}, "who takes it says why not"


def test_a_token_is_never_shown() -> None:
    assert "geheim" not in repr(kinds.Token(token="geheim", expires_in=1))
