"""Routing: which nodes a call may go to. Rules are compiled once; what they leave a class of calls is worked out once per table."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Final, NamedTuple

from qiantang.kernel import wire
from qiantang.rpc import errors
from qiantang.rpc.balance import narrowing
from qiantang.rpc.balance.endpoint import Endpoints
from qiantang.rpc.balance.matching import Call, Consumer
from qiantang.rpc.balance.narrowing import Ask, Healthy, Left, Narrowing
from qiantang.rpc.model import routes
from qiantang.rpc.model.reports import Report, read_all

MOST_CLASSES: Final = 1024
"""Classes of calls that a table knows at once: tags of calls may be anything, and all of them must not be kept."""


SERVICE: Final = "service"
"""Kind of the first step."""


class Step(wire.Wire, frozen=True):
    """What one rule did: `kept` and `dropped` name nodes. The first step is no rule: it leaves the ready nodes of the service."""

    rule: str
    kind: str
    kept: list[str]
    dropped: list[str]
    reason: str

    def __str__(self) -> str:
        """Read as `kind rule: 2 of 5 (a, b), reason`."""
        named = f" ({', '.join(self.kept)})" if self.dropped and self.kept else ""
        title = " ".join(filter(None, (self.kind, self.rule)))
        return f"{title}: {len(self.kept)} of {len(self.kept) + len(self.dropped)}{named}, {self.reason}"


class _Rule(NamedTuple):
    name: str
    rule: routes.Route
    narrowing: Narrowing

    @property
    def kind(self) -> str:
        return self.rule.sort

    def is_about(self, service: str) -> bool:
        return not self.rule.services or service in self.rule.services

    def narrow(self, call: Call, endpoints: Endpoints, healthy: Healthy) -> Left:
        """Give what is left; all where nothing would be, unless the rule is forced."""
        left = self.narrowing.narrow(call, endpoints, healthy)
        if left.endpoints or self.rule.force:
            return left
        return Left(endpoints, f"{left.reason}: no such node, so it is passed over")


class _Refused(NamedTuple):
    detail: str


class RouteBook:
    """The routes of one process for its calls, as they were delivered."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._routes: dict[str, routes.Route] = {}

    def replace(self, documents: Mapping[str, bytes]) -> tuple[Router, Report]:
        """Take the routes that were delivered, by id. One that is not valid leaves its last good state in force."""
        self._routes, problems = read_all(documents, self._routes, self._read)
        applied = tuple(name for name in self._routes if name not in problems)
        return Router(self._routes, self._consumer), Report(applied, problems)

    def _read(self, name: str, document: bytes) -> routes.Route:
        found = wire.decode(document, routes.Route)
        narrowing.compiled(name, found, self._consumer)
        return found


class Router:
    """Rules by their names, for one consumer."""

    def __init__(self, by_name: Mapping[str, routes.Route], consumer: Consumer) -> None:
        """Compile them.

        Raises:
            InvalidRequestError: one cannot be read; the detail names it.
        """
        enabled = sorted(
            ((name, rule) for name, rule in by_name.items() if rule.enabled),
            key=lambda one: (routes.SECTIONS.index(one[1].sort), -one[1].priority, one[0]),
        )
        self.rules = [_Rule(name, rule, narrowing.compiled(name, rule, consumer)) for name, rule in enabled]
        named = {service for one in self.rules for service in one.rule.services}
        self.asks = {service: self._asks(service) for service in named}
        self.asks_of_others = self._asks("")

    def _asks(self, service: str) -> tuple[Ask, ...]:
        return tuple([one.narrowing.ask for one in self.rules if one.narrowing.ask and one.is_about(service)])

    def table(self, endpoints: Endpoints, before: Table | None = None) -> Table:
        """Give the table for these endpoints: the one before where nothing that it was made of has changed.

        Ask again when the registry's snapshot or a weight changed, and every second or so, since zones depend on health.
        """
        return before if before is not None and before.is_of(self, endpoints) else Table(self, endpoints)


class Table:
    """What a router's rules leave of some endpoints, for each class of calls.

    It never changes its mind: health is that of when it was made.
    """

    def __init__(self, router: Router, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        self._router = router
        self._asks = router.asks
        self._asks_of_others = router.asks_of_others
        self._healthy = _healthy(endpoints)
        self._classes: dict[Hashable, Endpoints | _Refused] = {}
        self._same: dict[Endpoints, Endpoints] = {}

    def is_of(self, router: Router, endpoints: Endpoints) -> bool:
        """Say whether a new table would be the same."""
        return router is self._router and endpoints is self.endpoints and self._healthy == _healthy(endpoints)

    def route(self, call: Call) -> Endpoints:
        """Give the endpoints that the call may go to, at least one: the same tuple to all calls that may go to the same.

        Raises:
            UnknownServiceError: there is none, since no ready node provides the service or a forced rule leaves none.
        """
        asks = self._asks.get(call.service, self._asks_of_others)
        if asks:
            kind: Hashable = (call.service, call.method, *[ask(call) for ask in asks])
        else:
            kind = (call.service, call.method)
        found = self._classes.get(kind)
        if found is None:
            found = self._learn(kind, call)
        if isinstance(found, _Refused):
            raise errors.UnknownServiceError(found.detail)
        return found

    def explain(self, call: Call) -> list[Step]:
        """Say what each rule leaves of the nodes, up to the first that leaves none. The last step keeps what `route` gives."""
        steps: list[Step] = []
        before = self.endpoints
        for name, kind, left in self._narrowed(call):
            kept = frozenset(left.endpoints)
            dropped = [one.name for one in before if one not in kept]
            names = [one.name for one in left.endpoints]
            steps.append(Step(rule=name, kind=kind, kept=names, dropped=dropped, reason=left.reason))
            before = left.endpoints
        return steps

    def _learn(self, kind: Hashable, call: Call) -> Endpoints | _Refused:
        found = self._found(call)
        if len(self._classes) >= MOST_CLASSES:
            self._classes.clear()
            self._same.clear()
        self._classes[kind] = found
        return found

    def _found(self, call: Call) -> Endpoints | _Refused:
        endpoints = self.endpoints
        for name, kind, left in self._narrowed(call):
            if not left.endpoints:
                return _Refused(_refusal(name, kind, call, len(endpoints), left.reason))
            endpoints = left.endpoints
        return self._same.setdefault(endpoints, endpoints)

    def _narrowed(self, call: Call) -> Iterator[tuple[str, str, Left]]:
        left = _providing(call.service, self.endpoints)
        yield "", SERVICE, left
        for one in self._router.rules:
            if not left.endpoints:
                return
            if one.is_about(call.service):
                left = one.narrow(call, left.endpoints, self._healthy)
                yield one.name, one.kind, left


def _healthy(endpoints: Endpoints) -> Healthy:
    return frozenset([one for one in endpoints if one.is_healthy])


def _providing(service: str, endpoints: Endpoints) -> Left:
    kept = tuple([one for one in endpoints if one.node.state == "ready" and service in one.node.services])
    return Left(endpoints if len(kept) == len(endpoints) else kept, f"ready and provide {service}")


def _refusal(name: str, kind: str, call: Call, count: int, reason: str) -> str:
    if not name:
        return f"no node can take {call.service}.{call.method}: of {count} nodes that are known none is ready and provides it"
    return (
        f"no node may take {call.service}.{call.method}: the forced {kind} rule {name!r} leaves none of {count} ({reason}); "
        "start a node that fits, or change the rule"
    )
