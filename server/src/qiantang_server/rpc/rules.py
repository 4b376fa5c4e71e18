"""Rules: what is wrong with a rule or a route of calls, found before it is published."""

from __future__ import annotations

import time
from typing import Any, Final

from qiantang.kernel import errors, wire
from qiantang.kernel.errors import Problem
from qiantang.rpc.balance import narrowing
from qiantang.rpc.balance.matching import Consumer
from qiantang.rpc.governance.policy import SECTIONS
from qiantang.rpc.model.routes import Route
from qiantang.rpc.model.rules import Rule
from qiantang_server.kernel.resources.contents import repeated

_PROVIDERS: Final = ("access", "shedding")
_CALLERS: Final = ("balance", "degrade", "node_breaker", "adaptive", "votes", "outlier", "retry", "hedge")


def check_rule(_name: str, body: Any) -> list[Problem]:
    """List the problems of a rule."""
    rule = wire.convert(body, Rule)
    given = [name for name in SECTIONS if getattr(rule, name) is not None]
    found = [] if given else [Problem(f"the rule does nothing: give it one of {', '.join(SECTIONS)}")]
    found += [
        Problem(f"{name} is done by {who} alone, and the rule is for the other side", name)
        for side, names, who in (("client", _PROVIDERS, "providers"), ("server", _CALLERS, "those who call"))
        if rule.target.side == side
        for name in names
        if name in given
    ]
    found += [
        Problem("the fault has ended already: it would do nothing", f"faults.{place}.until")
        for place, fault in enumerate(rule.faults or ())
        if fault.until <= time.time()
    ]
    if rule.access is not None:
        both = sorted(set(rule.access.allowed) & set(rule.access.refused))
        found += [Problem(f"{name} is named as allowed and as refused", "access.refused") for name in both]
    arguments = [one.argument for one in rule.hot or ()]
    found += [
        Problem(f"there are two limits for {name}", f"hot.{place}.argument") for place, name in repeated(arguments)
    ]
    return found


def check_route(name: str, body: Any) -> list[Problem]:
    """List the problems of a route."""
    route = wire.convert(body, Route)
    try:
        narrowing.compiled(name, route, Consumer())
    except errors.InvalidRequestError as error:
        return [Problem(error.detail, route.sort)]
    return [Problem(f"{one} is named twice", f"services.{place}") for place, one in repeated(route.services)]
