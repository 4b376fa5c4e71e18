"""Routes of the audit trail: the timeline, and its verification. Without a tenant they are about the platform's
chain.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, QueryParameter

from qiantang.identity import model
from qiantang_server.identity.service import Identity
from qiantang_server.kernel import audit
from qiantang_server.kernel.access import Principal

Limit = Annotated[int, QueryParameter(ge=1, le=500)]
Moment = Annotated[int, QueryParameter(ge=0, le=1 << 52, description="milliseconds since 1970 UTC")]
Seq = Annotated[int, QueryParameter(ge=0, le=1 << 52, description="show what is older than this number")]


def provide_wanted(  # one for each filter
    *,
    actor: FromQuery[str] = "",
    action: FromQuery[str] = "",
    outcome: FromQuery[str] = "",
    resource: FromQuery[str] = "",
    environment: FromQuery[str] = "",
    center: FromQuery[str] = "",
    application: FromQuery[str] = "",
    request_id: FromQuery[str] = "",
    since: Moment = 0,
    until: Moment = 0,
) -> audit.Timeline:
    """Give the filters of a timeline; `action` and `resource` match by their beginning."""
    return audit.Timeline(
        chain=audit.PLATFORM_CHAIN,
        actor=actor,
        action=action,
        outcome=outcome,
        resource=resource,
        environment=environment,
        center=center,
        application=application,
        request_id=request_id,
        since=since,
        until=until,
    )


_WANTED = {"wanted": Provide(provide_wanted, sync_to_thread=False)}


async def _page(
    identity: Identity, principal: Principal, wanted: audit.Timeline, after: int, limit: int
) -> model.Page[audit.Record]:
    found, following = await audit.timeline(identity.ground.database, principal, wanted, before=after, limit=limit)
    return model.Page(items=list(found), next=str(following) if following else "")


@get("/records", opt={"permission": "audit.record:list"}, dependencies=_WANTED)
async def list_platform_records(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    wanted: NamedDependency[audit.Timeline],
    after: Seq = 0,
    limit: Limit = 100,
) -> model.Page[audit.Record]:
    """Show what happened on the platform, newest first."""
    return await _page(identity, principal, wanted, after, limit)


@get("/tenants/{tenant:str}/records", opt={"permission": "audit.record:list"}, dependencies=_WANTED)
async def list_records(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    *,
    tenant: FromPath[str],
    wanted: NamedDependency[audit.Timeline],
    after: Seq = 0,
    limit: Limit = 100,
) -> model.Page[audit.Record]:
    """Show what happened in a tenant, newest first."""
    return await _page(identity, principal, replace(wanted, chain=tenant), after, limit)


@post("/verify", opt={"permission": "audit.chain:execute"}, status_code=200)
async def verify_platform(identity: NamedDependency[Identity]) -> audit.Verification:
    """Replay the platform's chain and say where it was broken, if it was."""
    return await audit.verify(identity.ground.database, audit.PLATFORM_CHAIN)


@post("/tenants/{tenant:str}/verify", opt={"permission": "audit.chain:execute"}, status_code=200)
async def verify(identity: NamedDependency[Identity], tenant: FromPath[str]) -> audit.Verification:
    """Replay a tenant's chain and say where it was broken, if it was."""
    return await audit.verify(identity.ground.database, tenant)


ROUTES = [list_platform_records, list_records, verify_platform, verify]
