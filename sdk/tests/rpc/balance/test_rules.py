"""How rules are written: one union, with bounds, where a typing mistake is an error."""

from __future__ import annotations

from typing import Any

import pytest

from qiantang.kernel import errors, wire
from qiantang.rpc.balance import rules

WRITTEN: list[dict[str, Any]] = [
    {"route": "version", "versions": ">=1.2,<2", "group": "vip"},
    {"route": "condition", "when": [{"of": "method", "values": ["get"]}], "to": [{"of": "zone", "values": ["a"]}]},
    {"route": "tag", "tag": "lane", "force": True},
    {"route": "gray", "percent": 5, "to": [{"of": "tag", "name": "release", "values": ["canary"]}]},
    {"route": "zone", "healthy_percent": 50},
]


def read(written: dict[str, Any]) -> rules.Rule:
    model: Any = rules.Rule
    return wire.convert(written, model)


@pytest.mark.parametrize("written", WRITTEN, ids=lambda one: str(one["route"]))
def test_each_sort_is_read_and_written_back(written: dict[str, Any]) -> None:
    rule = read(written)
    assert read(wire.builtins(rule)) == rule
    assert wire.builtins(rule)["route"] == written["route"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"route": "unknown"},
        {"route": "zone", "helthy_percent": 50},
        {"route": "zone", "healthy_percent": 101},
        {"route": "gray", "percent": -1, "to": WRITTEN[3]["to"]},
        {"route": "gray", "percent": 5, "to": []},
        {"route": "condition", "to": [{"of": "zone", "values": []}]},
        {"route": "condition", "to": [{"of": "zone", "values": ["a"] * 65}]},
        {"route": "tag", "tag": ""},
        {"route": "tag", "priority": 1001},
        {"route": "tag", "services": ["not a name"]},
    ],
)
def test_what_is_out_of_bounds_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequestError):
        read(wrong)


def test_the_schema_describes_every_field_that_a_person_fills_in() -> None:
    schema = wire.schema(rules.Rule)
    silent = [
        f"{title}.{name}"
        for title, model in schema["$defs"].items()
        for name, field in model["properties"].items()
        if "description" not in field and name not in {"route", "description"}
    ]
    assert not silent
    assert all(model["description"] for model in schema["$defs"].values())
