"""Narrowing: each sort of route, compiled: which of some nodes it leaves a call, and why."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple, Protocol, TypeAlias

from qiantang.kernel import errors
from qiantang.rpc.balance import matching, ranges
from qiantang.rpc.balance.endpoint import Endpoint, Endpoints
from qiantang.rpc.balance.matching import Call, Consumer, Fits, Matches
from qiantang.rpc.model import routes

Ask: TypeAlias = Callable[[Call], Hashable]
"""What a route wants to know of a call beside its service and method; calls that answer alike are routed alike."""
Healthy: TypeAlias = frozenset[Endpoint]
"""Those that were healthy when the table was made: it says the same of a call as long as it is in use."""
PLAIN = frozenset({"method", "consumer"})
LONGEST_TAG = 128


class Left(NamedTuple):
    """What a route leaves, and why; all where it does not apply."""

    endpoints: Endpoints
    reason: str


class Narrowing(Protocol):
    """A compiled route."""

    ask: Ask | None

    def narrow(self, call: Call, endpoints: Endpoints, healthy: Healthy) -> Left:
        """Give what is left; nothing where nothing fits."""
        ...


def compiled(name: str, route: routes.Route, consumer: Consumer) -> Narrowing:
    """Compile a route.

    Raises:
        InvalidRequestError: it cannot be read; the detail names it.
    """
    try:
        return _compiled(name, route, consumer)
    except errors.InvalidRequestError as error:
        raise errors.InvalidRequestError(f"route {name!r}: {error.detail}") from error


def _compiled(name: str, route: routes.Route, consumer: Consumer) -> Narrowing:
    match route.section:
        case routes.VersionRoute() as section:
            return _Targets(section.when, _of_version(section), consumer)
        case routes.ConditionRoute() as section:
            return _Targets(section.when, (matching.fits(section.to), matching.spoken(section.to)), consumer)
        case routes.TagRoute() as section:
            return _Tags(section, is_forced=route.force)
        case routes.GrayRoute() as section:
            return _Gray(name, section, consumer)
        case routes.ZoneRoute() as section:
            return _Zones(section, consumer.zone, is_forced=route.force)


def place(name: str, key: str) -> float:
    """Give where from 0 to below 100 a key is in a gray route: the same in all processes, another in every route."""
    digest = hashlib.blake2b(f"{name}\0{key}".encode("utf-8", "replace"), digest_size=6).digest()
    return int.from_bytes(digest) * 100 / (1 << 48)


def _of_version(route: routes.VersionRoute) -> tuple[Fits, str]:
    within = ranges.compiled(route.versions, ranges.version) if route.versions else None
    group = route.group
    said = [f"version {route.versions}"] if within else []
    said += [f"group {group}"] if group else []

    def fits(node: matching.Node, service: str) -> bool:
        provided = node.services[service]
        return (not group or provided.group == group) and (within is None or within(provided.version))

    return fits, " and ".join(said) or "any version"


class _When:
    def __init__(self, conditions: list[routes.Condition], consumer: Consumer) -> None:
        self.holds: Matches = matching.matches(conditions, consumer)
        self.is_plain = all(one.of in PLAIN for one in conditions)
        self.spoken = matching.spoken(conditions) or "every call"


class _Targets:
    def __init__(self, conditions: list[routes.Condition], target: tuple[Fits, str], consumer: Consumer) -> None:
        self._when = _When(conditions, consumer)
        self._fits, self._spoken = target
        self.ask: Ask | None = None if self._when.is_plain else self._when.holds

    def narrow(self, call: Call, endpoints: Endpoints, healthy: Healthy) -> Left:
        if not self._when.holds(call):
            return Left(endpoints, f"does not apply: it is for {self._when.spoken}")
        kept = tuple([one for one in endpoints if self._fits(one.node, call.service)])
        return Left(kept, f"{self._when.spoken} goes to {self._spoken}")


class _Tags:
    def __init__(self, route: routes.TagRoute, *, is_forced: bool) -> None:
        self._tag = route.tag
        self._is_forced = is_forced
        self.ask: Ask | None = self._value

    def narrow(self, call: Call, endpoints: Endpoints, healthy: Healthy) -> Left:
        value = self._value(call)
        reason = f"the call has {self._tag}={value}" if value else f"the call has no {self._tag}"
        kept = self._having(value, endpoints)
        if kept or not value or self._is_forced:
            return Left(kept, reason)
        return Left(self._having("", endpoints), f"{reason}, and no node has it: those without {self._tag}")

    def _having(self, value: str, endpoints: Endpoints) -> Endpoints:
        return tuple([one for one in endpoints if one.node.tags.get(self._tag, "") == value])

    def _value(self, call: Call) -> str:
        return call.tags.get(self._tag, "")[: LONGEST_TAG + 1]  # no node has a longer one, and it may be a stranger's


class _Gray:
    def __init__(self, name: str, route: routes.GrayRoute, consumer: Consumer) -> None:
        self._name = name
        self._percent = route.percent
        self._when = _When(route.when, consumer)
        self._key = matching.text(route.key, route.key_name, consumer)
        self._fits = matching.fits(route.to)
        self._spoken = matching.spoken(route.to)
        self.ask: Ask | None = self._is_among

    def narrow(self, call: Call, endpoints: Endpoints, healthy: Healthy) -> Left:
        among = self._is_among(call)
        if among is None:
            return Left(endpoints, f"does not apply: it is for {self._when.spoken}")
        kept = tuple([one for one in endpoints if self._fits(one.node, call.service) == among])
        which = "among" if among else "not among"
        return Left(kept, f"{which} the {self._percent:g} % that go to {self._spoken}")

    def _is_among(self, call: Call) -> bool | None:
        if not self._when.holds(call):
            return None
        key = self._key(call)
        return bool(key) and place(self._name, key or "") < self._percent


class _Zones:
    def __init__(self, route: routes.ZoneRoute, zone: str, *, is_forced: bool) -> None:
        self._route = route
        self._is_forced = is_forced
        self._zone = zone
        self.ask: Ask | None = None

    def narrow(self, call: Call, endpoints: Endpoints, healthy: Healthy) -> Left:
        if not self._zone:
            return Left(endpoints, "does not apply: the caller has no zone")
        own = tuple([one for one in endpoints if one.node.zone == self._zone])
        if not own or self._is_forced:
            return Left(own, f"the caller is in zone {self._zone}")
        mine = _weight(healthy.intersection(own))
        health = _percent(mine, _weight(own))
        capacity = _percent(mine, _weight(healthy.intersection(endpoints)))
        said = f"zone {self._zone} has {health:.0f} % of its weight healthy and {capacity:.0f} % of all that is healthy"
        if health >= self._route.healthy_percent and capacity >= self._route.capacity_percent:
            return Left(own, said)
        return Left(endpoints, f"{said}, too little: to all zones")


def _weight(endpoints: Iterable[Endpoint]) -> float:
    return sum([one.weight for one in endpoints])


def _percent(part: float, whole: float) -> float:
    return part * 100 / whole if whole else 0.0
