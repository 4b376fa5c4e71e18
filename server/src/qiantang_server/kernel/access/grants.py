"""Grants: what somebody was given, compiled so that a check is one look into a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from qiantang_server.kernel.access.permissions import Permissions
from qiantang_server.kernel.access.target import ANY, Target

_MEMO_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class Grant:
    """These permissions (wildcards allowed) in these places; `role` and `id` say where it comes from."""

    permissions: tuple[str, ...]
    pattern: Target
    role: str = ""
    id: str = ""


class CompiledGrants:
    """The sum of somebody's grants. Deny by default; answers are remembered, within a bound.

    With `tenant`, every pattern is first cut down to that tenant: a tenant's user holds nothing outside of
    it, whatever his rows say.
    """

    __slots__ = ("_by_permission", "_memo", "_tenants", "grants")

    def __init__(self, grants: Iterable[Grant], permissions: Permissions, tenant: str = "") -> None:
        bounds = Target(tenant or ANY)
        kept: list[Grant] = []
        patterns: dict[str, set[Target]] = {}
        for grant in grants:
            pattern = grant.pattern.intersection(bounds)
            if pattern is None:
                continue
            expanded = permissions.expand(grant.permissions)
            kept.append(Grant(tuple(sorted(expanded)), pattern, grant.role, grant.id))
            for permission in expanded:
                patterns.setdefault(permission, set()).add(pattern)
        self.grants = tuple(kept)
        shared: dict[frozenset[Target], tuple[Target, ...]] = {}
        self._by_permission = {
            permission: shared.setdefault(frozenset(found), _minimal(found)) for permission, found in patterns.items()
        }
        self._tenants = frozenset(grant.pattern.tenant for grant in kept)
        self._memo: dict[tuple[str, Target], bool] = {}

    def __repr__(self) -> str:
        return f"CompiledGrants({len(self.grants)} grants)"

    def allows(self, permission: str, target: Target) -> bool:
        """Say whether some grant holds `permission` for the whole of `target`."""
        key = (permission, target)
        known = self._memo.get(key)
        if known is None:
            known = any(pattern.covers(target) for pattern in self.patterns(permission))
            if len(self._memo) >= _MEMO_LIMIT:
                self._memo.clear()
            self._memo[key] = known
        return known

    def reaches(self, permission: str, target: Target) -> bool:
        """Say whether some grant holds `permission` for a part of `target`: enough to be shown that part in a
        list.
        """
        return any(pattern.overlaps(target) for pattern in self.patterns(permission))

    def patterns(self, permission: str) -> tuple[Target, ...]:
        """Give the places where `permission` is held, none of them inside another."""
        return self._by_permission.get(permission, ())

    def permissions(self) -> frozenset[str]:
        """Give every permission that is held somewhere."""
        return frozenset(self._by_permission)

    def touches(self, tenant: str) -> bool:
        """Say whether there is any grant at all in a tenant."""
        return tenant in self._tenants or ANY in self._tenants


def _minimal(patterns: set[Target]) -> tuple[Target, ...]:
    return tuple(
        sorted(
            pattern for pattern in patterns if not any(other != pattern and other.covers(pattern) for other in patterns)
        )
    )
