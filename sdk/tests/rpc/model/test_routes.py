"""How routes are written: one section each, with bounds, where a typing mistake is an error."""

from __future__ import annotations

from typing import Any

import pytest

from qiantang.kernel import errors, wire
from qiantang.rpc.model.routes import SECTIONS, Route

WRITTEN: list[dict[str, Any]] = [
    {"version": {"versions": ">=1.2,<2", "group": "vip"}, "services": ["shop.Orders"], "public": True},
    {"condition": {"when": [{"of": "method", "values": ["get"]}], "to": [{"of": "zone", "values": ["a"]}]}},
    {"tag": {"tag": "lane"}, "force": True},
    {"gray": {"percent": 5, "to": [{"of": "tag", "name": "release", "values": ["canary"]}]}, "priority": 5},
    {"zone": {"healthy_percent": 50}},
]


def read(written: dict[str, Any]) -> Route:
    return wire.convert(written, Route)


@pytest.mark.parametrize(("written", "sort"), list(zip(WRITTEN, SECTIONS, strict=True)), ids=SECTIONS)
def test_each_sort_is_read_and_written_back(written: dict[str, Any], sort: str) -> None:
    route = read(written)
    assert read(wire.builtins(route)) == route
    assert route.sort == sort
    assert route.section == getattr(route, sort)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"unknown": {}},
        {"zone": {}, "tag": {}},
        {"zone": {"helthy_percent": 50}},
        {"zone": {"healthy_percent": 101}},
        {"gray": {"percent": -1, "to": WRITTEN[3]["gray"]["to"]}},
        {"gray": {"percent": 5, "to": []}},
        {"condition": {"to": [{"of": "zone", "values": []}]}},
        {"condition": {"to": [{"of": "zone", "values": ["a"] * 65}]}},
        {"tag": {"tag": ""}},
        {"tag": {}, "priority": 1001},
        {"tag": {}, "services": ["not a name"]},
        {"tag": {}, "public": True},
    ],
)
def test_what_is_out_of_bounds_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequestError):
        read(wrong)


def test_the_schema_describes_every_field_that_a_person_fills_in() -> None:
    schema = wire.schema(Route)
    silent = [
        f"{title}.{name}"
        for title, model in schema["$defs"].items()
        for name, field in model["properties"].items()
        if "description" not in field and name not in {*SECTIONS, "description"}
    ]
    assert not silent
    assert all(model["description"] for model in schema["$defs"].values())
