"""What the control plane delivers of the catalog becomes what an application provides and what it may call."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from qiantang.catalog.model import kinds
from qiantang.kernel import errors, resource, scope, wire
from sdk.tests.catalog.model.shop import ORDERS, document

OWN = scope.Scope(tenant="acme", environment="prod", center="trade", application="till")
SHOP = scope.Scope(tenant="acme", environment="prod", center="trade", application="shop")
OTHER = scope.Scope(tenant="acme", environment="prod", center="bank", application="shop")


def snapshot(place: scope.Scope, *entries: tuple[str, str, Any]) -> resource.Snapshot:
    found = [
        resource.Entry(kind=kind, name=name, digest="d", content=msgspec.Raw(wire.encode(body)))
        for kind, name, body in entries
    ]
    bundle = resource.Bundle(scope=place, capability=kinds.CAPABILITY)
    return resource.Snapshot(bundle=bundle, position=resource.Position(revision=1), digest="d", entries=found)


def offered(name: str = "shop.Orders", **more: Any) -> tuple[str, str, Any]:
    body = kinds.body_of("shop.Orders", ORDERS) if name == "shop.Orders" else kinds.body_of(name, document(name=name))
    return ("service", name, {**body, "state": "online", **more})


def subscribed(place: scope.Scope, *services: str) -> tuple[str, str, Any]:
    body = {"center": place.center, "application": place.application, "services": list(services)}
    return ("subscription", f"{place.center}.{place.application}", body)


def test_a_provider_knows_its_services_and_who_may_call_them() -> None:
    found = kinds.assemble(
        snapshot(
            OWN,
            offered(),
            offered("shop.Stock", access="subscribers", subscribers=["bank/ledger", "trade"], state="offline"),
        )
    )
    assert {name: body.state for name, body in found.provided.items()} == {
        "shop.Orders": "online",
        "shop.Stock": "offline",
    }
    assert found.subscribers == {"shop.Stock": {"bank/ledger", "trade"}}
    stock = found.provided["shop.Stock"]
    assert kinds.may_call(stock, "bank/ledger")
    assert kinds.may_call(stock, "trade/anything")
    assert not kinds.may_call(stock, "bank/other")
    assert not kinds.may_call(stock, "trader/anything")
    assert kinds.may_call(found.provided["shop.Orders"], "bank/other")
    assert (found.given, found.awaited) == ({}, frozenset())


def test_a_consumer_is_given_what_it_named_and_is_online_and_knows_what_it_waits_for() -> None:
    own = snapshot(OWN, subscribed(SHOP, "shop.Orders", "shop.Stock"), subscribed(OTHER, "shop.Orders", "shop.None"))
    linked = [
        snapshot(SHOP, offered(), offered("shop.Stock", state="offline"), offered("shop.Unasked")),
        snapshot(OTHER, offered()),
    ]
    found = kinds.assemble(own, linked)
    assert {name: [one.provider for one in offers] for name, offers in found.given.items()} == {
        "shop.Orders": ["trade/shop", "bank/shop"]
    }
    assert found.given["shop.Orders"][0].body.document == ORDERS
    assert found.awaited == {("trade/shop", "shop.Stock"), ("bank/shop", "shop.None")}
    assert kinds.assemble(own).awaited == found.awaited | {("trade/shop", "shop.Orders"), ("bank/shop", "shop.Orders")}


def test_what_is_no_body_of_the_catalog_is_told_by_its_name() -> None:
    with pytest.raises(errors.InvalidRequestError, match="ServiceBody"):
        kinds.assemble(snapshot(OWN, ("service", "shop.Orders", {"version": "1"})))


def test_a_definition_takes_the_place_of_an_earlier_one_and_leaves_the_rest() -> None:
    first = kinds.body_of("shop.Orders", msgspec.structs.replace(ORDERS, description="of the shop"))
    assert (first["version"], first["digest"], first["document"]["description"]) == (
        "1.4.0",
        ORDERS.digest,
        "of the shop",
    )
    assert wire.convert(first, kinds.ServiceBody).state == "registered"
    before = {**first, "state": "online", "access": "subscribers", "subscribers": ["a/b"], "description": "ours"}
    later = msgspec.structs.replace(ORDERS, version="1.5.0", description="code says so")
    after = kinds.body_of("shop.Orders", later, before)
    assert {name for name in after if after[name] != before[name]} == {"version", "document"}
    with pytest.raises(errors.InvalidRequestError, match="none of shop"):
        kinds.body_of("shop.Stock", ORDERS)
    with pytest.raises(errors.InvalidRequestError, match="version"):
        kinds.body_of("shop.Orders", msgspec.structs.replace(ORDERS, version="1 beta"))
