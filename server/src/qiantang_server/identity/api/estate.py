"""Routes of the estate: tenants, environments, centers, applications."""

from __future__ import annotations

from typing import Annotated

from litestar import delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from qiantang.identity import model
from qiantang_server.identity.service import Identity
from qiantang_server.kernel.access import Principal

Limit = Annotated[int, QueryParameter(ge=1, le=500)]
Words = Annotated[str, QueryParameter(max_length=128, description="only what holds this in name or title, in any case")]
Sort = Annotated[str, QueryParameter(max_length=64, description="a name, with - in front the other way round")]
TENANT = "/tenants/{tenant:str}"
ENVIRONMENT = TENANT + "/environments/{environment:str}"
CENTER = TENANT + "/centers/{center:str}"
APPLICATION = CENTER + "/applications/{application:str}"


@get("/tenants", opt={"permission": "identity.tenant:list"})
async def list_tenants(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    after: FromQuery[str] = "",
    limit: Limit = 100,
    words: Words = "",
) -> model.Page[model.Tenant]:
    """List tenants in order of name."""
    return await identity.estate.list_tenants(principal, after, limit, words=words)


@post("/tenants", opt={"permission": "identity.tenant:create"})
async def create_tenant(
    principal: NamedDependency[Principal], identity: NamedDependency[Identity], data: JSONBody[model.NewTenant]
) -> model.Tenant:
    """Make a tenant."""
    return await identity.estate.create_tenant(principal, data)


@get(TENANT, opt={"permission": "identity.tenant:read"})
async def read_tenant(identity: NamedDependency[Identity], tenant: FromPath[str]) -> model.Tenant:
    """Read a tenant."""
    return await identity.estate.read_tenant(tenant)


@patch(TENANT, opt={"permission": "identity.tenant:update"})
async def change_tenant(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    data: JSONBody[model.TenantChange],
) -> model.Tenant:
    """Change or disable a tenant."""
    return await identity.estate.change_tenant(principal, tenant, data)


@get(TENANT + "/environments", opt={"permission": "identity.environment:list"})
async def list_environments(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    *,
    tenant: FromPath[str],
    after: FromQuery[str] = "",
    limit: Limit = 100,
    words: Words = "",
) -> model.Page[model.Environment]:
    """List a tenant's environments in order of name."""
    return await identity.estate.list_environments(principal, tenant, after, limit, words=words)


@post(TENANT + "/environments", opt={"permission": "identity.environment:create"})
async def create_environment(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    data: JSONBody[model.NewEnvironment],
) -> model.Environment:
    """Make an environment."""
    return await identity.estate.create_environment(principal, tenant, data)


@patch(ENVIRONMENT, opt={"permission": "identity.environment:update"})
async def change_environment(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    *,
    tenant: FromPath[str],
    environment: FromPath[str],
    data: JSONBody[model.EnvironmentChange],
) -> model.Environment:
    """Change or protect an environment."""
    return await identity.estate.change_environment(principal, tenant, environment, data)


@delete(ENVIRONMENT, opt={"permission": "identity.environment:delete"})
async def delete_environment(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    environment: FromPath[str],
) -> None:
    """Delete an environment; its applications' mirrors are told that it is gone."""
    await identity.estate.delete_environment(principal, tenant, environment)


@get(TENANT + "/centers", opt={"permission": "identity.center:list"})
async def list_centers(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    *,
    tenant: FromPath[str],
    after: FromQuery[str] = "",
    limit: Limit = 100,
    words: Words = "",
) -> model.Page[model.Center]:
    """List a tenant's centers in order of name."""
    return await identity.estate.list_centers(principal, tenant, after, limit, words=words)


@post(TENANT + "/centers", opt={"permission": "identity.center:create"})
async def create_center(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    data: JSONBody[model.NewCenter],
) -> model.Center:
    """Make a center."""
    return await identity.estate.create_center(principal, tenant, data)


@patch(CENTER, opt={"permission": "identity.center:update"})
async def change_center(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    center: FromPath[str],
    data: JSONBody[model.CenterChange],
) -> model.Center:
    """Change a center."""
    return await identity.estate.change_center(principal, tenant, center, data)


@delete(CENTER, opt={"permission": "identity.center:delete"})
async def delete_center(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    center: FromPath[str],
) -> None:
    """Delete a center that has no applications."""
    await identity.estate.delete_center(principal, tenant, center)


@get(TENANT + "/applications", opt={"permission": "identity.application:list"})
async def find_applications(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    *,
    tenant: FromPath[str],
    center: FromQuery[str] = "",
    words: Words = "",
    sort: Sort = "",
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> model.Page[model.Application]:
    """List a tenant's applications over all centers, in order of center and name unless sorted.

    They can be sorted by name, title, center and created_at.
    """
    asked = {"center": center, "words": words, "sort": sort}
    return await identity.estate.find_applications(principal, tenant, after, limit, **asked)


@get(CENTER + "/applications", opt={"permission": "identity.application:list"})
async def list_applications(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    *,
    tenant: FromPath[str],
    center: FromPath[str],
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> model.Page[model.Application]:
    """List a center's applications in order of name."""
    return await identity.estate.list_applications(principal, tenant, center, after, limit)


@post(CENTER + "/applications", opt={"permission": "identity.application:create"})
async def create_application(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    *,
    tenant: FromPath[str],
    center: FromPath[str],
    data: JSONBody[model.NewApplication],
) -> model.Application:
    """Make an application."""
    return await identity.estate.create_application(principal, tenant, center, data)


@get(APPLICATION, opt={"permission": "identity.application:read"})
async def read_application(
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    center: FromPath[str],
    application: FromPath[str],
) -> model.Application:
    """Read an application."""
    return await identity.estate.read_application(tenant, center, application)


@patch(APPLICATION, opt={"permission": "identity.application:update"})
async def change_application(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    *,
    tenant: FromPath[str],
    center: FromPath[str],
    application: FromPath[str],
    data: JSONBody[model.ApplicationChange],
) -> model.Application:
    """Change an application."""
    return await identity.estate.change_application(principal, tenant, center, application, data)


@delete(APPLICATION, opt={"permission": "identity.application:delete"})
async def delete_application(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    *,
    tenant: FromPath[str],
    center: FromPath[str],
    application: FromPath[str],
) -> None:
    """Delete an application; its mirrors are told that it is gone."""
    await identity.estate.delete_application(principal, tenant, center, application)


ROUTES = [
    list_tenants,
    create_tenant,
    read_tenant,
    change_tenant,
    list_environments,
    create_environment,
    change_environment,
    delete_environment,
    list_centers,
    create_center,
    change_center,
    delete_center,
    find_applications,
    list_applications,
    create_application,
    read_application,
    change_application,
    delete_application,
]
