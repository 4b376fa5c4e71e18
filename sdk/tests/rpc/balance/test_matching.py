"""What conditions see of a call, and targets of a node."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from qiantang.kernel import errors
from qiantang.registry.model import Node, Provided
from qiantang.rpc.balance import matching
from qiantang.rpc.balance.matching import Call, Consumer
from qiantang.rpc.model.routes import Condition, Operator, Target

CONSUMER = Consumer(application="shop", zone="east")


class Inner(msgspec.Struct):
    user_id: str
    amount: float = 12.5


@dataclasses.dataclass
class Outer:
    inner: Inner
    paid: bool = True

    @property
    def secret(self) -> str:
        raise AssertionError("a rule ran code of an argument")


CALL = Call(
    service="order.Orders",
    method="get",
    key="k",
    tags={"lane": "blue"},
    headers={"x-user": "vip-7"},
    arguments={"req": Outer(Inner("u1")), "n": 9, "plain": {"a": {"b": "c"}}, "none": None},
)


def holds(of: Any, name: str, operator: Operator, *values: str, negate: bool = False) -> bool:
    one = Condition(of=of, name=name, operator=operator, values=list(values), negate=negate)
    return matching.matches([one], CONSUMER)(CALL)


@pytest.mark.parametrize(
    ("of", "name", "operator", "values"),
    [
        ("method", "", "equals", ["get"]),
        ("method", "", "in", ["put", "get"]),
        ("method", "", "prefix", ["ge"]),
        ("consumer", "", "equals", ["shop"]),
        ("header", "X-User", "prefix", ["gold-", "vip-"]),
        ("tag", "lane", "equals", ["blue"]),
        ("argument", "n", "range", [">=9,<10"]),
        ("argument", "n", "equals", ["9"]),
        ("argument", "req.inner.user_id", "equals", ["u1"]),
        ("argument", "req.inner.amount", "range", ["<1", ">12,<13"]),
        ("argument", "req.paid", "equals", ["true"]),
        ("argument", "plain.a.b", "in", ["c"]),
    ],
)
def test_a_condition_holds_and_its_opposite_does_not(of: str, name: str, operator: Operator, values: list[str]) -> None:
    assert holds(of, name, operator, *values)
    assert not holds(of, name, operator, *values, negate=True)
    assert not holds(of, name, operator, ">=100" if operator == "range" else "other")


@pytest.mark.parametrize(
    "path", ["missing", "n.x", "none", "plain.a", "req.secret", "req.__class__", "req.inner.__init__", "plain.keys", ""]
)
def test_what_is_not_there_fits_nothing_and_every_negation(path: str) -> None:
    if not path:
        with pytest.raises(errors.InvalidRequestError, match="which argument"):
            holds("argument", path, "equals", "x")
        return
    assert not holds("argument", path, "prefix", "")
    assert holds("argument", path, "prefix", "", negate=True)


def test_all_conditions_must_hold_and_none_is_every_call() -> None:
    get = Condition(of="method", values=["get"])
    put = Condition(of="method", values=["put"])
    assert not matching.matches([get, put], CONSUMER)(CALL)
    assert matching.matches([get, get], CONSUMER)(CALL)
    assert matching.matches([], CONSUMER)(CALL)


@pytest.mark.parametrize(
    ("of", "name", "operator", "value"),
    [
        ("tag", "release", "equals", "canary"),
        ("zone", "", "prefix", "ea"),
        ("cluster", "", "in", "blue"),
        ("node", "", "equals", "n1"),
        ("version", "", "range", ">=1.2,<2"),
        ("group", "", "equals", "vip"),
    ],
)
def test_a_target_fits_the_node(of: Any, name: str, operator: Operator, value: str) -> None:
    services = {"order.Orders": Provided(version="1.10.0", group="vip")}
    tags: Mapping[str, str] = {"release": "canary"}
    node = Node(name="n1", addresses={}, services=services, zone="east", cluster="blue", tags=dict(tags))
    target = Target(of=of, name=name, operator=operator, values=[value])
    assert matching.fits([target])(node, "order.Orders")
    assert not matching.fits([msgspec.structs.replace(target, negate=True)])(node, "order.Orders")


def test_what_cannot_be_read_is_told() -> None:
    with pytest.raises(errors.InvalidRequestError, match="equals takes one value and has 2"):
        matching.matches([Condition(of="method", values=["a", "b"])], CONSUMER)
    with pytest.raises(errors.InvalidRequestError, match="not a range"):
        matching.fits([Target(of="version", operator="range", values=["1.x"])])
    with pytest.raises(errors.InvalidRequestError, match="which tag"):
        matching.fits([Target(of="tag", values=["a"])])
