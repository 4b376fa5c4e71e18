"""Granting: nobody gives what he does not hold, and nobody takes over somebody who holds more than he does."""

from __future__ import annotations

from collections.abc import Iterable

from qiantang.identity.errors import BeyondOwnRightsError
from qiantang_server.kernel import access
from qiantang_server.kernel.access import CompiledGrants, Grant, Permissions, Principal, Target
from qiantang_server.kernel.access.guard import Refused

_SHOWN = 5


def require_whole(principal: Principal, permission: str, target: Target) -> None:
    """Let pass who holds a permission on the whole of a place. The guard lets a list pass that holds it on a part.

    Raises:
        NotVisibleError: the principal may not even know that the tenant exists.
        NotPermittedError: he holds it on a part of the place at most.
    """
    if principal.allows(permission, target):
        return
    access.require(principal, permission, target)
    facts = {"permission": permission, "scope": str(target)}
    error = access.NotPermittedError(f"{permission} is held on a part of {target} only, not on the whole", facts=facts)
    error.refused = Refused(permission, target)
    raise error


def require_held(principal: Principal, permissions: Iterable[str], pattern: Target, what: str) -> None:
    """Let pass if the principal holds every one of `permissions` on the whole of `pattern`.

    Raises:
        BeyondOwnRightsError: names the first few that he lacks.
    """
    missing = sorted(name for name in permissions if not principal.allows(name, pattern))
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise BeyondOwnRightsError(
            f"{what} needs rights on {pattern} that you do not hold: {', '.join(missing[:_SHOWN])}{more}",
            facts={"missing": missing[:100], "scope": str(pattern)},
        )


def require_above(principal: Principal, other: CompiledGrants, what: str) -> None:
    """Let pass if the principal holds all that `other` comes to: before he sets a password or locks somebody out.

    Raises:
        BeyondOwnRightsError: he lacks something of it.
    """
    for grant in other.grants:
        require_held(principal, grant.permissions, grant.pattern, what)


def narrowed(owner: Iterable[Grant], permissions: Permissions, lines: tuple[str, ...], pattern: Target) -> list[Grant]:
    """Cut an owner's grants down to what a token of his is for. What the owner loses, the token loses."""
    wanted = permissions.expand(lines)
    found: list[Grant] = []
    for grant in owner:
        place = grant.pattern.intersection(pattern)
        held = tuple(sorted(permissions.expand(grant.permissions) & wanted))
        if place is not None and held:
            found.append(Grant(held, place, grant.role, grant.id))
    return found
