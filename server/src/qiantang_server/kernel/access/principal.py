"""Principal: who asks, with all that he may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qiantang.kernel import scope as scopes
from qiantang_server.kernel.access.grants import CompiledGrants, Grant
from qiantang_server.kernel.access.permissions import Permissions
from qiantang_server.kernel.access.target import PLATFORM, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A user, an application or the platform itself.

    `tenant` is empty for one who belongs to no tenant. `via` says how he proved who he is, `session` which
    session, token or credential it was. An application speaks for its `scope`.
    """

    kind: Literal["user", "application", "system"]
    id: str
    name: str
    grants: CompiledGrants
    tenant: str = ""
    session: str = ""
    via: Literal["session", "token", "credential", "internal"] = "internal"
    address: str = ""
    scope: scopes.Scope | None = None

    def allows(self, permission: str, target: Target) -> bool:
        """Say whether the principal may do this to the whole of `target`."""
        return self.grants.allows(permission, target)

    def reaches(self, permission: str, target: Target) -> bool:
        """Say whether the principal may do this to a part of `target`."""
        return self.grants.reaches(permission, target)

    def knows(self, tenant: str) -> bool:
        """Say whether the principal may know that a tenant exists: it is his own, or he holds something in
        it.
        """
        return (tenant == self.tenant and bool(tenant)) or self.grants.touches(tenant)


def system(permissions: Permissions, name: str = "system") -> Principal:
    """Give the platform itself, which may do everything: for jobs and first starts, never for a request."""
    grants = CompiledGrants([Grant(("*:*",), PLATFORM, role="system")], permissions)
    return Principal(kind="system", id=name, name=name, grants=grants)
