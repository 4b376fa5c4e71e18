"""Ketama: the definition's own figures, few keys move, and no node is given more than its part.

The figures were worked out with `openssl md5` and nothing of this package: a node's places are the four little-endian numbers of
MD5(address + n) for n from 0 to 39, and a key belongs to the first place that is not before the first number of MD5(key).
"""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.registry.model import Node
from qiantang.rpc.balance.endpoint import Endpoint, Endpoints
from qiantang.rpc.balance.picking.hashing import FACTOR, ConsistentHash, place, places, seat
from sdk.tests.rpc.balance.fleet import chance, counted, equals, fleet

OWNERS = {
    "user-1": "10.0.0.2:7000",
    "user-2": "10.0.0.1:7000",
    "user-3": "10.0.0.2:7000",
    "user-4": "10.0.0.3:7000",
    "user-5": "10.0.0.2:7000",
    "订单": "10.0.0.1:7000",
    "a" * 100: "10.0.0.1:7000",
    "user-700": "10.0.0.1:7000",
}


def at(*addresses: str) -> Endpoints:
    return tuple(Endpoint(Node(name=one, addresses={"csf1": one}), 0.0) for one in addresses)


def owners(endpoints: Endpoints, keys: list[str]) -> dict[str, str]:
    picker = ConsistentHash(chance())
    return {key: picker.pick(endpoints, key, 0.0).node.name for key in keys}


KEYS = [f"key-{number}" for number in range(4000)]


def test_a_node_has_the_places_that_dubbo_gives_it() -> None:
    found = list(places("10.0.0.1:7000", 40))
    assert len(set(found)) == 160
    assert found[:4] == [3505192455, 3161907116, 801924374, 2780715130]
    assert found[-4:] == [562233045, 1095684063, 3724926483, 1313018574]
    assert sorted(found)[:4] == [745393, 16482940, 19691044, 37985377]
    assert place("user-1") == 1399904214
    assert place("user-5") == 152444985


def test_keys_belong_to_whom_the_definition_says() -> None:
    endpoints = at("10.0.0.3:7000", "10.0.0.1:7000", "10.0.0.2:7000")
    assert owners(endpoints, list(OWNERS)) == OWNERS


def test_another_process_finds_the_same() -> None:
    program = """
import json, random, sys
from qiantang.registry.model import Node
from qiantang.rpc.balance.endpoint import Endpoint
from qiantang.rpc.balance.picking import make
endpoints = tuple(Endpoint(Node(name=one, addresses={"csf1": one}), 5.0) for one in reversed(json.loads(sys.argv[1])))
picker = make("consistent_hash", random.Random(99))
print(json.dumps({f"key-{n}": picker.pick(endpoints, f"key-{n}", 1.0).node.name for n in range(200)}))
"""
    addresses = [f"10.0.0.{number}:7000" for number in range(9)]
    told = subprocess.run(
        [sys.executable, "-c", program, json.dumps(addresses)], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(told.stdout) == owners(at(*addresses), KEYS[:200])


@pytest.mark.parametrize("gone", [0, 7, 19])
def test_only_the_keys_of_a_node_that_leaves_move(gone: int) -> None:
    endpoints = equals(20)
    before, after = owners(endpoints, KEYS), owners(endpoints[:gone] + endpoints[gone + 1 :], KEYS)
    moved = [key for key in KEYS if before[key] != after[key]]
    assert {before[key] for key in moved} == {endpoints[gone].node.name}
    assert len(moved) <= len(KEYS) / 20 * 1.5


def test_keys_are_spread_as_nodes_weigh() -> None:
    endpoints = fleet({"a": 100, "b": 100, "c": 50})
    found = list(owners(endpoints, KEYS).values())
    assert found.count("c") / len(KEYS) == pytest.approx(0.2, abs=0.07)
    assert owners(fleet({"a": 7, "b": 7}), KEYS) == owners(fleet({"a": 100, "b": 100}), KEYS)


def test_slow_start_moves_no_key() -> None:
    endpoints = equals(5)
    before = owners(endpoints, KEYS)
    endpoints[2].weight = 10.0
    assert owners((*endpoints,), KEYS) == before


@given(
    count=st.integers(1, 8),
    calls=st.lists(st.tuples(st.sampled_from(["hot", "hot", "warm", "cold", ""]), st.booleans()), max_size=80),
)
def test_no_node_is_given_more_than_its_part(count: int, calls: list[tuple[str, bool]]) -> None:
    endpoints, picker = equals(count), ConsistentHash(chance())
    for key, ends in calls:
        chosen = picker.pick(endpoints, key, 0.0)
        chosen.begin(0.0)
        total = sum(one.inflight for one in endpoints)
        assert chosen.inflight <= math.ceil(FACTOR * total / count)
        if ends:
            chosen.end(0.1, 0.0, is_fault=False)


def test_what_one_cannot_take_goes_always_to_the_same_next() -> None:
    endpoints, picker = equals(10), ConsistentHash(chance())
    first = picker.pick(endpoints, "hot", 0.0)
    first.inflight = 5
    others = {picker.pick(endpoints, "hot", 0.0) for _ in range(20)}
    assert len(others) == 1
    assert first not in others
    (chosen,) = others
    assert f"{first.node.name} has the key's place" in picker.why(endpoints, chosen, 0.0)
    first.inflight = 0
    assert picker.pick(endpoints, "hot", 0.0) is first
    assert picker.why(endpoints, first, 0.0) == "it has the key's place on the ring"


def test_calls_without_a_key_are_spread() -> None:
    found = counted(ConsistentHash(chance()), equals(5), 5000)
    assert min(found.values()) > 500


def test_the_ring_is_laid_once_for_the_same_nodes() -> None:
    picker, endpoints = ConsistentHash(chance()), equals(5)
    picker.pick(endpoints, "a", 0.0)
    rings = vars(picker)["_rings"]
    first, second = rings.of(endpoints), rings.of((*endpoints,))
    assert second is not first
    assert second.points is first.points
    assert rings.of(endpoints[:4]).points is not first.points


def test_a_place_that_two_nodes_have_is_the_same_ones_for_all() -> None:
    one, other, shared = "10.0.4.174:7000", "10.0.5.22:7000", 3034451181
    assert shared in set(places(one, 40)) & set(places(other, 40))
    for endpoints in (at(one, other), at(other, one)):
        picker = ConsistentHash(chance())
        picker.pick(endpoints, "", 0.0)
        assert vars(picker)["_rings"].of(endpoints).at(shared).node.name == max(one, other)


def test_a_node_is_placed_by_where_it_listens() -> None:
    assert seat(Node(name="a", addresses={"http": "http://h:1", "csf1": "h:2"})) == "h:2"
    assert seat(Node(name="a", addresses={"http": "http://h:1", "grpc": "h:3"})) == "h:3"
    assert seat(Node(name="a", addresses={})) == "a"
