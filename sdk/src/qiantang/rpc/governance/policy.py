"""Policy: the rules that count for a method, found once and kept until the rules change.

For each section the most specific rule counts as a whole: method for one consumer, method, service, application, tenant,
defaults; of two rules for the same target the first by id. Lists of who is refused add up. A policy is never changed: calls
under way keep theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from qiantang.kernel import admission, wire
from qiantang.rpc.model import rules
from qiantang.rpc.model.reports import Report, read_all
from qiantang.rpc.model.rules import Rule, Target

Level = Literal["consumer", "method", "service", "application", "tenant", "default"]
Side = Literal["client", "server"]
DEFAULT: Final = ""
"""The id of what no rule says."""
MOST_CACHED: Final = 10_000
_RANKS: Final[dict[Level, int]] = {
    "consumer": 0,
    "method": 1,
    "service": 2,
    "application": 3,
    "tenant": 4,
    "default": 5,
}
_NO_SECTION: Final = frozenset({"target", "enabled", "public", "description"})
SECTIONS: Final = tuple(name for name in Rule.__struct_fields__ if name not in _NO_SECTION)
DEFAULTS: Final = Rule(
    timeout=rules.TimeoutRule(),
    node_breaker=rules.BreakerRule(consecutive=5),
    adaptive=rules.AdaptiveRule(),
    votes=rules.VotesRule(),
    outlier=rules.OutlierRule(),
    retry=rules.RetryRule(),
)
"""What counts where no rule says otherwise. `adaptive` gives way to a breaker that a rule asks for."""


class Placed(NamedTuple):
    """A rule under its id."""

    id: str
    rule: Rule


class Explained(NamedTuple):
    """One value of a policy, and where it comes from."""

    value_of: str
    value: Any
    rule: str
    level: Level

    def __str__(self) -> str:
        """Read as `timeout.seconds = 3.0 (default)`."""
        where = f"rule {self.rule}, {self.level}" if self.rule else self.level
        return f"{self.value_of} = {self.value!r} ({where})"


class MethodPolicy:
    """What counts for one method, for one consumer. `sections` holds them as one `Rule`; `origins` says which rule gave each."""

    __slots__ = ("_levels", "origins", "sections")

    def __init__(self, sections: Rule, origins: Mapping[str, str], levels: Mapping[str, Level]) -> None:
        self.sections = sections
        self.origins = origins
        self._levels = levels

    def explain(self) -> list[Explained]:
        """Say of each value which rule gave it."""
        found: list[Explained] = []
        for name in SECTIONS:
            section = getattr(self.sections, name)
            if section is None:
                continue
            rule, level = self.origins[name], self._levels[name]
            found += [Explained(path, value, rule, level) for path, value in _values(name, section)]
        return found


class Policies:
    """The policies of one process as client, or as server. Rules are swapped as a whole, in one store of an attribute."""

    def __init__(self, side: Side) -> None:
        self._side: Side = side
        self._book = _Book((), side)

    def replace(self, documents: Mapping[str, bytes], check: Callable[[Rule], None] | None = None) -> Report:
        """Take the rules as they were delivered, by id. One that is not valid leaves its last good state in force.

        `check` raises InvalidRequestError for a rule that reads well, and still cannot work here.
        """

        def read(_id: str, document: bytes) -> Rule:
            found = wire.decode(document, Rule)
            if check is not None:
                check(found)
            return found

        good, problems = read_all(documents, {placed.id: placed.rule for placed in self._book.rules}, read)
        placed = tuple(Placed(rule_id, rule) for rule_id, rule in good.items())
        self._book = _Book(placed, self._side)
        problems |= {rule: why for rule, why in _conflicts(placed).items() if rule not in problems}
        return Report(tuple(rule_id for rule_id in good if rule_id not in problems), problems)

    def policy(self, service: str, method: str, center: str = "", application: str = "") -> MethodPolicy:
        """Give what counts for a method, for calls of an application."""
        return self._book.policy(service, method, center, application)

    def has(self, *sections: str) -> bool:
        """Say whether any rule that counts here has one of these sections."""
        return any(getattr(one.rule, name) is not None for one in self._book.here for name in sections)

    def ids(self) -> frozenset[str]:
        """Give the ids of the rules that are known, and that of the defaults."""
        return frozenset((DEFAULT, *(placed.id for placed in self._book.rules)))


class _Book:
    def __init__(self, placed: tuple[Placed, ...], side: Side) -> None:
        self.rules = placed
        self.here = [one for one in placed if one.rule.enabled and one.rule.target.side in {side, "both"}]
        self._consumers = {
            (one.rule.target.service, one.rule.target.method, one.rule.target.consumer)
            for one in self.here
            if one.rule.target.consumer
        }
        self._cache: dict[tuple[str, str, tuple[str, ...]], MethodPolicy] = {}

    def policy(self, service: str, method: str, center: str, application: str) -> MethodPolicy:
        names: tuple[str, ...] = ()
        if self._consumers:
            both = admission.names_of(center, application)
            names = tuple(name for name in both if (service, method, name) in self._consumers)
        key = service, method, names
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) >= MOST_CACHED:
                self._cache.clear()
            found = self._cache[key] = merge(self.here, service, method, names)
        return found


def merge(placed: Iterable[Placed], service: str, method: str, consumers: tuple[str, ...]) -> MethodPolicy:
    """Find what counts for a method; `consumers` are the names by which the caller is meant, the most specific first."""
    fitting = [one for one in placed if _fits(one.rule.target, service, method, consumers)]
    fitting.sort(key=lambda one: _rank(one, consumers))
    chosen: dict[str, Any] = {}
    origins: dict[str, str] = {}
    levels: dict[str, Level] = {}
    for one in (*fitting, Placed(DEFAULT, DEFAULTS)):
        for name in SECTIONS:
            section = getattr(one.rule, name)
            if (
                section is None
                or name in chosen
                or (one.rule is DEFAULTS and name == "adaptive" and "breaker" in chosen)
            ):
                continue
            chosen[name], origins[name] = section, one.id
            levels[name] = level_of(one.rule.target) if one.id else "default"
    _add_refused(chosen, origins, fitting)
    return MethodPolicy(Rule(**chosen), origins, levels)


def level_of(target: Target) -> Level:
    """Say how specific a target is."""
    if target.consumer:
        return "consumer"
    if target.method:
        return "method"
    if target.service:
        return "service"
    return target.reach


def _fits(target: Target, service: str, method: str, consumers: tuple[str, ...]) -> bool:
    if target.consumer and target.consumer not in consumers:
        return False
    return target.service in {"", service} and target.method in {"", method}


def _rank(placed: Placed, consumers: tuple[str, ...]) -> tuple[int, int, str]:
    target = placed.rule.target
    place = consumers.index(target.consumer) if target.consumer else 0
    return _RANKS[level_of(target)], place, placed.id


def _add_refused(chosen: dict[str, Any], origins: dict[str, str], fitting: list[Placed]) -> None:
    access = {one.id: one.rule.access for one in fitting if one.rule.access is not None}
    if len(access) > 1:
        refused = sorted({who for one in access.values() for who in one.refused})
        chosen["access"] = msgspec.structs.replace(chosen["access"], refused=refused)
        origins["access"] = ", ".join(access)


def _conflicts(placed: Iterable[Placed]) -> dict[str, str]:
    """Give the rules of which a section counts for nothing, since another one of the same target has it as well."""
    first: dict[tuple[Target, str], str] = {}
    found: dict[str, str] = {}
    for one in placed:
        for name in SECTIONS if one.rule.enabled else ():
            if getattr(one.rule, name) is None or name == "access":
                continue
            other = first.setdefault((one.rule.target, name), one.id)
            if other != one.id:
                found[one.id] = f"its {name} counts for nothing: rule {other} has the same target, and comes first"
    return found


def _values(path: str, section: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(section, msgspec.Struct):
        for name in section.__struct_fields__:
            yield f"{path}.{name}", getattr(section, name)
    else:
        for place, one in enumerate(section):
            yield from _values(f"{path}[{place}]", one)
