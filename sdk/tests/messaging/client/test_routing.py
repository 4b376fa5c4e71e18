"""Routing: keys stay where they are, and what has none is spread by weight."""

from __future__ import annotations

from collections import Counter

from qiantang.messaging.client.routing import BalancedRouter, Route
from qiantang.messaging.model import Frame

ROUTES = [Route("main", "a", 1), Route("main", "b", 1), Route("far", "a", 2)]
KEYS = [f"key-{number}" for number in range(4000)]


def frame(key: str = "") -> Frame:
    return Frame(topic="t", id="1", body=b"", key=key)


def test_without_a_key_they_take_turns_by_weight() -> None:
    router = BalancedRouter()
    chosen = [router.choose(frame(), ROUTES) for _ in range(400)]
    assert Counter(chosen) == {ROUTES[0]: 100, ROUTES[1]: 100, ROUTES[2]: 200}
    assert all(chosen[place : place + 3].count(ROUTES[2]) < 3 for place in range(397)), "smoothly, not in runs"


def test_a_key_stays_at_its_broker_and_keys_are_spread_by_weight() -> None:
    at = {key: BalancedRouter().choose(frame(key), ROUTES) for key in KEYS}
    assert at == {key: BalancedRouter().choose(frame(key), list(reversed(ROUTES))) for key in KEYS}
    counted = Counter(at.values())
    assert all(abs(counted[route] - 1000 * route.weight) < 200 for route in ROUTES), counted


def test_a_broker_that_goes_moves_only_its_own_keys() -> None:
    router = BalancedRouter()
    before = {key: router.choose(frame(key), ROUTES) for key in KEYS}
    after = {key: router.choose(frame(key), ROUTES[:2]) for key in KEYS}
    assert all(before[key] == after[key] for key in KEYS if before[key] != ROUTES[2])
