"""Manifest of identity."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

from qiantang_server.identity import api, pages
from qiantang_server.identity.service import Identity
from qiantang_server.identity.settings import IdentitySettings
from qiantang_server.kernel import access
from qiantang_server.kernel.capability import Capability, Kernel, Opened
from qiantang_server.kernel.jobs import Job, JobContext
from qiantang_server.kernel.web import WebSettings

PERMISSIONS = {
    "identity.tenant:list": "see which tenants there are",
    "identity.tenant:read": "see a tenant",
    "identity.tenant:create": "make tenants",
    "identity.tenant:update": "rename, disable and enable a tenant",
    "identity.environment:list": "see a tenant's environments",
    "identity.environment:create": "make environments",
    "identity.environment:update": "rename and protect environments",
    "identity.environment:delete": "delete an environment with the credentials and grants in it",
    "identity.center:list": "see a tenant's centers",
    "identity.center:create": "make centers",
    "identity.center:update": "rename centers",
    "identity.center:delete": "delete empty centers",
    "identity.application:list": "see a center's applications",
    "identity.application:read": "see an application",
    "identity.application:create": "make applications",
    "identity.application:update": "rename an application and give it another owner",
    "identity.application:delete": "delete an application with its credentials and grants",
    "identity.credential:list": "see an application's credentials, without their secrets",
    "identity.credential:create": "make and rotate an application's credentials",
    "identity.credential:delete": "revoke an application's credentials",
    "identity.user:list": "see who has an account",
    "identity.user:read": "see an account and why it may do what it may",
    "identity.user:create": "make accounts",
    "identity.user:update": "rename, disable and enable accounts and set their passwords",
    "identity.user:delete": "delete accounts",
    "identity.role:list": "see a tenant's roles",
    "identity.role:create": "make roles of a tenant",
    "identity.role:update": "change roles of a tenant",
    "identity.role:delete": "delete roles of a tenant",
    "identity.grant:list": "see who holds which role",
    "identity.grant:grant": "give roles, of no more than one holds",
    "identity.grant:delete": "take roles back",
    "audit.record:list": "read the audit trail",
    "audit.chain:execute": "verify the audit trail",
}


def _jobs(identity: Identity) -> list[Job]:
    house = identity.housekeeping

    async def expire(_context: JobContext) -> None:
        await house.expire()

    async def rotate_keys(_context: JobContext) -> None:
        await house.rotate_keys()

    async def prune_audit(_context: JobContext) -> None:
        await house.prune_audit()

    return [
        Job("identity-expire", timedelta(minutes=1), expire),
        Job("identity-signing-keys", timedelta(hours=1), rotate_keys),
        Job("audit-prune", timedelta(hours=6), prune_audit),
    ]


@asynccontextmanager
async def open_identity(kernel: Kernel) -> AsyncGenerator[Opened]:
    """Open the room. What `authenticator` and `directory` hold is the room's service itself."""
    settings = cast("IdentitySettings", kernel.settings["identity"])
    web = cast("WebSettings", kernel.settings["web"])
    permissions = access.Permissions(kernel.permissions)
    service = Identity(kernel.database, kernel.sealing, permissions, settings, secure=web.over_tls)
    async with service as identity:
        routes = [*api.routers(identity), pages.router(pages.Site(identity, kernel, web.base_path))]
        found = identity.finding
        yield Opened(
            routes=routes,
            jobs=_jobs(identity),
            finders=[found.applications, found.environments, found.users, found.credentials],
            authenticator=identity,
            directory=identity,
        )


IDENTITY = Capability(
    name="identity",
    title="Identity",
    open=open_identity,
    settings=IdentitySettings,
    permissions=PERMISSIONS,
    migrations=Path(__file__).parent / "migrations",
)
