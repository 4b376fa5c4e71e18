"""Routes of people: users, roles, grants. Without a tenant in the path they are about the platform."""

from __future__ import annotations

from typing import Annotated

from litestar import delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from qiantang.identity import model
from qiantang_server.identity.api.estate import Sort
from qiantang_server.identity.rules.wanted import Level, State, WantedGrants
from qiantang_server.identity.service import Identity
from qiantang_server.kernel.access import Principal

Limit = Annotated[int, QueryParameter(ge=1, le=500)]
Words = Annotated[str, QueryParameter(max_length=128, description="only who holds this in name or title, in any case")]
TENANT = "/tenants/{tenant:str}"
_BY_PATTERN = "the pattern in the body says where; it is checked there"


def provide_wanted(  # one for each filter
    *,
    user: Annotated[str, QueryParameter(max_length=64, description="only of this user, by id or name")] = "",
    role: Annotated[str, QueryParameter(max_length=64)] = "",
    place: Annotated[
        str, QueryParameter(max_length=300, description="only there, as acme/prod; the last part as typed")
    ] = "",
    level: Annotated[Level, QueryParameter(description="what of a scope is named last")] = "",
    standing: Annotated[
        State, QueryParameter(name="state", description="only what counts now, later, for a time, or no more")
    ] = "",
    words: Annotated[
        str, QueryParameter(max_length=128, description="only what holds this in user, role, giver or reason")
    ] = "",
) -> WantedGrants:
    """Give the filters of a list of grants."""
    return WantedGrants(user=user, role=role, place=place, level=level, state=standing, words=words)


_WANTED = {"wanted": Provide(provide_wanted, sync_to_thread=False)}


@get("/users", opt={"permission": "identity.user:list"})
async def list_all_users(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    *,
    after: FromQuery[str] = "",
    limit: Limit = 100,
    words: Words = "",
    sort: Sort = "",
) -> model.Page[model.User]:
    """List every account that who asks may see, those of the platform among them, in the order they were made unless sorted.

    They can be sorted by name, title, tenant, created_at and signed_in_at.
    """
    return await identity.people.list_users(principal, None, after, limit, words=words, sort=sort)


@post("/users", opt={"permission": "identity.user:create"})
async def create_platform_user(
    principal: NamedDependency[Principal], identity: NamedDependency[Identity], data: JSONBody[model.NewUser]
) -> model.User:
    """Make an account of the platform."""
    return await identity.people.create_user(principal, "", data)


@get("/users/{user:str}", opt={"permission": "identity.user:read"})
async def read_platform_user(identity: NamedDependency[Identity], user: FromPath[str]) -> model.User:
    """Read an account of the platform."""
    return await identity.people.read_user("", user)


@patch("/users/{user:str}", opt={"permission": "identity.user:update"})
async def change_platform_user(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    user: FromPath[str],
    data: JSONBody[model.UserChange],
) -> model.User:
    """Change an account of the platform."""
    return await identity.people.change_user(principal, "", user, data)


@delete("/users/{user:str}", opt={"permission": "identity.user:delete"})
async def delete_platform_user(
    principal: NamedDependency[Principal], identity: NamedDependency[Identity], user: FromPath[str]
) -> None:
    """Delete an account of the platform."""
    await identity.people.delete_user(principal, "", user)


@post("/users/{user:str}/explain", opt={"permission": "identity.user:read"}, status_code=200)
async def explain_platform_user(
    identity: NamedDependency[Identity], user: FromPath[str], data: JSONBody[model.AccessQuestion]
) -> model.AccessAnswer:
    """Say why a user of the platform may do something, or what he lacks."""
    return await identity.people.explain("", user, data)


@get(TENANT + "/users", opt={"permission": "identity.user:list"})
async def list_users(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    *,
    tenant: FromPath[str],
    after: FromQuery[str] = "",
    limit: Limit = 100,
    words: Words = "",
    sort: Sort = "",
) -> model.Page[model.User]:
    """List a tenant's accounts, in the order they were made unless sorted by name, title, created_at or signed_in_at."""
    return await identity.people.list_users(principal, tenant, after, limit, words=words, sort=sort)


@post(TENANT + "/users", opt={"permission": "identity.user:create"})
async def create_user(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    data: JSONBody[model.NewUser],
) -> model.User:
    """Make an account of a tenant."""
    return await identity.people.create_user(principal, tenant, data)


@get(TENANT + "/users/{user:str}", opt={"permission": "identity.user:read"})
async def read_user(identity: NamedDependency[Identity], tenant: FromPath[str], user: FromPath[str]) -> model.User:
    """Read an account of a tenant."""
    return await identity.people.read_user(tenant, user)


@patch(TENANT + "/users/{user:str}", opt={"permission": "identity.user:update"})
async def change_user(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    user: FromPath[str],
    data: JSONBody[model.UserChange],
) -> model.User:
    """Change an account of a tenant."""
    return await identity.people.change_user(principal, tenant, user, data)


@delete(TENANT + "/users/{user:str}", opt={"permission": "identity.user:delete"})
async def delete_user(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    user: FromPath[str],
) -> None:
    """Delete an account of a tenant."""
    await identity.people.delete_user(principal, tenant, user)


@post(TENANT + "/users/{user:str}/explain", opt={"permission": "identity.user:read"}, status_code=200)
async def explain_user(
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    user: FromPath[str],
    data: JSONBody[model.AccessQuestion],
) -> model.AccessAnswer:
    """Say why a user may do something, or what he lacks."""
    return await identity.people.explain(tenant, user, data)


@get("/roles", opt={"authenticated": "the built-in roles are the same for everybody"})
async def list_built_in_roles(identity: NamedDependency[Identity]) -> model.Page[model.Role]:
    """List the built-in roles."""
    return model.Page(items=await identity.granting.list_roles(""))


@get("/permissions", opt={"authenticated": "what may be permitted is the same for everybody"})
async def list_permissions(identity: NamedDependency[Identity]) -> list[model.Permission]:
    """List every permission that the installed capabilities declare, with its meaning, in order of name."""
    return identity.granting.list_permissions()


@get(TENANT + "/roles", opt={"permission": "identity.role:list"})
async def list_roles(identity: NamedDependency[Identity], tenant: FromPath[str]) -> model.Page[model.Role]:
    """List the built-in roles and a tenant's own."""
    return model.Page(items=await identity.granting.list_roles(tenant))


@post(TENANT + "/roles", opt={"permission": "identity.role:create"})
async def create_role(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    data: JSONBody[model.NewRole],
) -> model.Role:
    """Make a role of a tenant."""
    return await identity.granting.create_role(principal, tenant, data)


@patch(TENANT + "/roles/{role:str}", opt={"permission": "identity.role:update"})
async def change_role(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    role: FromPath[str],
    data: JSONBody[model.RoleChange],
) -> model.Role:
    """Change a role of a tenant."""
    return await identity.granting.change_role(principal, tenant, role, data)


@delete(TENANT + "/roles/{role:str}", opt={"permission": "identity.role:delete"})
async def delete_role(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    role: FromPath[str],
) -> None:
    """Delete a role of a tenant that nobody holds."""
    await identity.granting.delete_role(principal, tenant, role)


@get("/grants", opt={"permission": "identity.grant:list"}, dependencies=_WANTED)
async def list_all_grants(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    wanted: NamedDependency[WantedGrants],
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> model.Page[model.RoleGrant]:
    """List the grants that who asks may see, in the order they were made."""
    return await identity.granting.list_grants(principal, None, after, limit, wanted=wanted)


@get(TENANT + "/grants", opt={"permission": "identity.grant:list"}, dependencies=_WANTED)
async def list_grants(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    *,
    tenant: FromPath[str],
    wanted: NamedDependency[WantedGrants],
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> model.Page[model.RoleGrant]:
    """List the grants in a tenant that who asks may see, in the order they were made."""
    return await identity.granting.list_grants(principal, tenant, after, limit, wanted=wanted)


@post("/grants", opt={"authenticated": _BY_PATTERN})
async def create_grant(
    principal: NamedDependency[Principal], identity: NamedDependency[Identity], data: JSONBody[model.NewGrant]
) -> model.RoleGrant:
    """Give a user a role in the places of a pattern."""
    return await identity.granting.grant(principal, data)


@delete("/grants/{grant:str}", opt={"authenticated": _BY_PATTERN})
async def delete_grant(
    principal: NamedDependency[Principal], identity: NamedDependency[Identity], grant: FromPath[str]
) -> None:
    """Take a grant back."""
    await identity.granting.take_back(principal, grant)


@post("/grants/preview", opt={"authenticated": _BY_PATTERN}, status_code=200)
async def preview_grant(
    principal: NamedDependency[Principal], identity: NamedDependency[Identity], data: JSONBody[model.NewGrant]
) -> model.GrantEffect:
    """Say what a grant would change, without giving it. Needs `identity.grant:list` on the whole of its pattern."""
    return await identity.effects.preview(principal, data)


@post(TENANT + "/grants/preview", opt={"permission": "identity.grant:list"}, status_code=200)
async def preview_grant_in_tenant(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    data: JSONBody[model.NewGrant],
) -> model.GrantEffect:
    """Say what a grant in a tenant would change, without giving it."""
    return await identity.effects.preview(principal, data, tenant)


@post("/grants/{grant:str}/preview-removal", opt={"authenticated": _BY_PATTERN}, status_code=200)
async def preview_removal(
    principal: NamedDependency[Principal], identity: NamedDependency[Identity], grant: FromPath[str]
) -> model.GrantEffect:
    """Say what its user would lose with a grant, without taking it back."""
    return await identity.effects.preview_removal(principal, grant)


@post(TENANT + "/grants/{grant:str}/preview-removal", opt={"permission": "identity.grant:list"}, status_code=200)
async def preview_removal_in_tenant(
    principal: NamedDependency[Principal],
    identity: NamedDependency[Identity],
    tenant: FromPath[str],
    grant: FromPath[str],
) -> model.GrantEffect:
    """Say what its user would lose with a grant in a tenant, without taking it back."""
    return await identity.effects.preview_removal(principal, grant, tenant)


ROUTES = [
    list_all_users,
    create_platform_user,
    read_platform_user,
    change_platform_user,
    delete_platform_user,
    explain_platform_user,
    list_users,
    create_user,
    read_user,
    change_user,
    delete_user,
    explain_user,
    list_built_in_roles,
    list_permissions,
    list_roles,
    create_role,
    change_role,
    delete_role,
    list_all_grants,
    list_grants,
    create_grant,
    delete_grant,
    preview_grant,
    preview_grant_in_tenant,
    preview_removal,
    preview_removal_in_tenant,
]
