"""What is wrong with services and subscriptions before they are published, in themselves and as changes."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest

from qiantang.kernel import errors
from qiantang_server.catalog import rules
from qiantang_server.catalog.capability import KINDS
from server.tests.catalog.market import FewerOrders, Orders, body

SERVICE, SUBSCRIPTION = KINDS


class MoreOrders(Orders):
    async def pay(self, number: int) -> None: ...


def edited(path: str, value: Any, **more: Any) -> dict[str, Any]:
    made = copy.deepcopy(body(**more))
    node = made
    *parts, last = path.split(".")
    for part in parts:
        node = node[part]
    node[last] = value
    return made


def said(problems: list[errors.Problem]) -> list[tuple[str, str]]:
    return [(one.path, one.message) for one in problems]


@pytest.mark.parametrize(
    ("made", "path", "words"),
    [
        (edited("version", "1.0.1"), "document.version", "the definition says '1.0.0', the service '1.0.1'"),
        (edited("group", "blue"), "document.group", "the definition says"),
        (edited("digest", "0" * 32), "document.digest", "the definition says"),
        (edited("document.name", "shop.Other"), "document.name", "the definition says"),
        (edited("document.methods", []), "document.methods", "no methods"),
        (edited("document.methods", body()["document"]["methods"] * 2), "document.methods.1", "defined twice"),
        (edited("subscribers", ["a", "a/b", "a"]), "subscribers.2", "a is named twice"),
        (edited("subscribers", ["a/b/c"]), "", "subscribers"),
        (edited("state", "gone"), "", "state"),
        (edited("access", "all"), "", "access"),
        (edited("digest", "x"), "", "digest"),
        (edited("colour", "red"), "", "colour"),
    ],
)
def test_a_service_and_its_definition_are_one_thing(made: Any, path: str, words: str) -> None:
    found = said(SERVICE.checked("shop.Orders", made))
    assert [one for one in found if one[0] == path and words in one[1]], found


def test_good_ones_pass() -> None:
    assert SERVICE.checked("shop.Orders", body(state="online", access="subscribers", subscribers=["a", "b/c"])) == []
    made = {"center": "trade", "application": "shop", "services": ["shop.Orders", "Other"]}
    assert SUBSCRIPTION.checked("trade.shop", made) == []
    assert list(SUBSCRIPTION.links(made)) == [("trade", "shop")]


@pytest.mark.parametrize(
    "services", [[], ["no name"], ["a", "b", "a"], ["1a"], ["a\n"]], ids=["none", "space", "twice", "digit", "line"]
)
def test_a_subscription_names_services_once(services: list[str]) -> None:
    assert SUBSCRIPTION.checked("x", {"center": "trade", "application": "shop", "services": services})


@pytest.mark.parametrize("name", ["", "1shop", "shop Orders", "shop/Orders", "a" * 129, "shop\n", "钱塘"])
def test_what_is_no_name_of_a_service_is_none(name: str) -> None:
    with pytest.raises(errors.InvalidRequestError):
        SERVICE.check_name(name)


def change(before: Any, after: Any) -> list[tuple[str, str]]:
    return said(SERVICE.check_change("shop.Orders", before, after))


def test_states_go_on_and_never_back_to_registered() -> None:
    states = ("registered", "online", "offline")
    refused = {(one, other) for one in states for other in states if change(body(state=one), body(state=other))}
    assert refused == {("online", "registered"), ("offline", "registered")}
    assert change(None, body(state="online")) == []


def test_what_is_online_or_has_subscribers_is_not_removed() -> None:
    assert change(body(), None) == []
    assert change(body(state="offline"), None) == []
    assert [path for path, _ in change(body(state="online", subscribers=["a"]), None)] == ["state", "subscribers"]
    many = [f"a/b{number}" for number in range(9)]
    assert "a/b4, …" in change(body(subscribers=many), None)[0][1]


def test_a_breaking_change_needs_another_major_version() -> None:
    before = body(version="1.2.0", state="online")
    found = change(before, body(version="1.3.0", of=FewerOrders, state="online"))
    assert found == [
        (
            "document.methods.price",
            "the method was removed: who calls 1.2.0 would fail, so it needs another major version than 1.3.0",
        )
    ]
    assert change(before, body(version="2.0.0", of=FewerOrders, state="online")) == []
    assert change(before, body(version="1.3.0", of=MoreOrders, state="online")) == []
    assert change(body(), body(of=FewerOrders)), "registered, too"


def test_a_definition_that_was_edited_is_not_taken_for_what_code_says() -> None:
    made = edited("document.schemas.Line.properties.count.default", 2)
    assert [path for path, _ in change(None, made)] == ["digest"]
    assert [path for path, _ in change(body(), made)] == ["digest"]
    assert change(None, body()) == []


def test_numbers_that_a_browser_writes_otherwise_are_the_same_definition() -> None:
    before = body(state="online")
    as_browser = json.loads(json.dumps(before).replace("3.0,", "3,").replace("3.0}", "3}"))
    assert json.dumps(as_browser) != json.dumps(before), "the timeout of three seconds"
    assert change(before, {**as_browser, "state": "offline"}) == []


def test_what_changed_is_shown_by_method_with_what_it_means() -> None:
    found = rules.differences(body(version="1.0.0"), body(version="2.0.0", of=MoreOrders))
    shown = {one.path: (one.before, one.after) for one in found}
    assert shown["version"] == ("1.0.0", "2.0.0")
    assert shown["document.methods.pay"][0] is None
    assert shown["compatibility.pay"] == (None, "compatible: a method is new")
    assert not [path for path in shown if path.startswith("document.methods.price")]
    found = rules.differences(body(), body(state="online"))
    assert [(one.path, one.before, one.after) for one in found] == [("state", "registered", "online")]
    assert [one.path for one in rules.differences(None, body())] == [""]
    assert [one.path for one in rules.differences(body(), None)] == [""]


def test_only_what_is_online_is_given_to_others_and_nothing_that_is_for_people() -> None:
    assert [rules.is_public(body(state=one)) for one in ("registered", "online", "offline")] == [False, True, False]
    assert rules.deliver(body(description="ours")).keys() == body().keys() - {"description"}


def test_what_services_are_found_by() -> None:
    made = body(state="online", description="sells tea")
    assert dict(rules.service_texts(made)) == {
        "state": "online",
        "version": "1.0.0",
        "description": "sells tea",
        "methods.price": "price",
    }
    made = {"center": "trade", "application": "shop", "services": ["a.B"]}
    assert list(rules.subscription_texts(made)) == [("services.a.B", "trade/shop")]


def test_bodies_of_the_shape_alone_do_not_make_rules_fail() -> None:
    """A draft is saved by its shape; what the rules say of it must be said, whatever is in the definition."""
    document = {
        "name": "a",
        "version": "1",
        "methods": [{"name": "m", "arguments": {"type": 5}, "result": {"anyOf": 1}}],
    }
    odd = {"version": "2", "digest": "0" * 32, "document": document}
    assert SERVICE.checked("shop.Orders", odd)
    assert rules.differences(body(), odd)
    assert change(body(), odd)
    assert msgspec.json.encode(rules.differences(odd, body()))
    assert list(rules.service_texts(odd))
