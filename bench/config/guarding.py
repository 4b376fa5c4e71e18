"""Guarding: one permission check of somebody with grants in fifty places, remembered and for the first time."""

from __future__ import annotations

import itertools
import timeit

from bench.figures import Value, rounded
from qiantang_server.app.catalog import CAPABILITIES
from qiantang_server.app.process import declared_permissions
from qiantang_server.identity.rules import roles
from qiantang_server.kernel import access
from qiantang_server.kernel.access import Grant, Target
from qiantang_server.kernel.resources import Kinds

CHECKS = 200_000
FIRST_CHECKS = 10_000
PLACES = 50
APPLICATIONS = 6_000
"""More than the guard remembers answers for, so that each round of them is new to it."""
ROUNDS = 7
PERMISSION = "config.namespace:publish"


def measure() -> dict[str, Value]:
    """Time `access.require`; the best round of each stands."""
    permissions = access.Permissions(declared_permissions(Kinds(kind for room in CAPABILITIES for kind in room.kinds)))
    places = [Target("acme", "prod", f"center-{number:02d}") for number in range(PLACES)]
    lines = roles.BUILT_IN["publisher"].permissions
    grants = access.CompiledGrants([Grant(lines, place, role="publisher") for place in places], permissions)
    principal = access.Principal(kind="user", id="u1", name="ada", tenant="acme", grants=grants)
    targets = [
        Target("acme", "prod", f"center-{number % PLACES:02d}", f"app-{number}") for number in range(APPLICATIONS)
    ]
    fresh = itertools.cycle(targets)
    known = timeit.Timer(lambda: access.require(principal, PERMISSION, targets[0]))
    first = timeit.Timer(lambda: access.require(principal, PERMISSION, next(fresh)))
    return {
        "guard_us": rounded(min(known.repeat(ROUNDS, CHECKS)) / CHECKS * 1e6),
        "guard_first_us": rounded(min(first.repeat(ROUNDS, FIRST_CHECKS)) / FIRST_CHECKS * 1e6),
    }
