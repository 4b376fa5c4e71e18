"""Guarding: one permission check of somebody with grants in fifty places, remembered and for the first time."""

from __future__ import annotations

import timeit

from bench.figures import Value, rounded
from qiantang_server.app.catalog import CAPABILITIES
from qiantang_server.app.process import declared_permissions
from qiantang_server.identity.rules import roles
from qiantang_server.kernel import access
from qiantang_server.kernel.resources import Kinds

CHECKS = 200_000
PLACES = 50
ROUNDS = 7
PERMISSION = "config.namespace:publish"


def measure() -> dict[str, Value]:
    """Time `access.require`; the best round of each stands."""
    declared = declared_permissions(Kinds(kind for room in CAPABILITIES for kind in room.kinds))
    permissions = access.Permissions(declared)
    places = [access.Target("acme", "prod", "trade", f"app-{number}") for number in range(PLACES)]
    lines = roles.BUILT_IN["publisher"].permissions
    grants = access.CompiledGrants([access.Grant(lines, place, role="publisher") for place in places], permissions)
    principal = access.Principal(kind="user", id="u1", name="ada", tenant="acme", grants=grants)
    known = timeit.Timer(lambda: access.require(principal, PERMISSION, places[-1]))
    # each application's target is new in the first pass, and there are fewer than the memory of answers holds
    fresh = [access.Target("acme", "prod", "trade", "app-49") for _ in range(1)]

    def first() -> None:
        grants._memo.clear()
        access.require(principal, PERMISSION, fresh[0])

    return {
        "guard_us": rounded(min(known.repeat(ROUNDS, CHECKS)) / CHECKS * 1e6),
        "guard_first_us": rounded(min(timeit.Timer(first).repeat(ROUNDS, CHECKS // 20)) / (CHECKS // 20) * 1e6),
    }
