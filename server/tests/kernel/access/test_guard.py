"""Who is let through, what the others are told, and what lists show."""

from __future__ import annotations

import itertools

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from qiantang.kernel import errors
from qiantang_server.kernel import access

PERMISSIONS = access.Permissions(
    dict.fromkeys(["config.item:list", "config.item:read", "config.item:update", "identity.user:read"], "meaning")
)


def user(*grants: access.Grant, tenant: str = "acme") -> access.Principal:
    compiled = access.CompiledGrants(grants, PERMISSIONS, tenant)
    return access.Principal(kind="user", id="u1", name="ann", tenant=tenant, grants=compiled)


DEVELOPER = access.Grant(("config.*:*",), access.Target("acme", "dev"), role="developer")


def test_another_tenant_does_not_exist() -> None:
    principal = user(DEVELOPER, access.Grant(("*:*",), access.Target("beta"), role="stray"))
    with pytest.raises(errors.NotFoundError) as caught:
        access.require(principal, "config.item:read", access.Target("beta", "dev"))
    assert isinstance(caught.value, errors.NotFoundError)


def test_the_own_tenant_says_what_is_missing_and_what_came_nearest() -> None:
    principal = user(DEVELOPER)
    access.require(principal, "config.item:read", access.Target("acme", "dev", "sales", "orders"))
    with pytest.raises(access.NotPermittedError) as caught:
        access.require(principal, "config.item:read", access.Target("acme", "prod", "sales", "orders"))
    assert caught.value.facts == {
        "permission": "config.item:read",
        "scope": "acme/prod/sales/orders",
        "nearest": "role developer holds it on acme/dev/*/* only",
    }
    with pytest.raises(access.NotPermittedError, match="without this permission"):
        access.require(principal, "identity.user:read", access.Target("acme", "dev"))


def test_the_own_tenant_without_any_grant_is_forbidden_not_missing() -> None:
    with pytest.raises(access.NotPermittedError):
        access.require(user(), "config.item:read", access.Target("acme"))


def test_the_platform_is_no_tenants_business() -> None:
    admin = user(access.Grant(("*:*",), access.PLATFORM, role="forged"))
    with pytest.raises(access.NotPermittedError):
        access.require(admin, "config.item:read", access.PLATFORM)
    access.require(access.system(PERMISSIONS), "config.item:read", access.PLATFORM)


def test_a_list_is_let_through_for_its_part() -> None:
    principal = user(DEVELOPER)
    access.require(principal, "config.item:list", access.Target("acme"))
    with pytest.raises(access.NotPermittedError):
        access.require(principal, "config.item:read", access.Target("acme"))


def test_the_path_of_a_permission_is_explained() -> None:
    answer = access.explain(user(DEVELOPER), "config.item:update", access.Target("acme", "dev", "sales"))
    assert answer.allowed
    assert str(answer) == "config.item:update on acme/dev/sales/*: role developer on acme/dev/*/*"


part = st.sampled_from(["*", "a", "b"])
patterns = st.lists(st.builds(access.Target, part, part, part, part), max_size=5)
NAMES = ["a", "b", "c"]


@given(patterns, st.sampled_from(["", "a"]), st.integers(min_value=1, max_value=4))
@settings(max_examples=80, deadline=None)
def test_a_list_shows_exactly_what_the_check_reaches(held: list[access.Target], tenant: str, depth: int) -> None:
    principal = user(*(access.Grant(("config.item:list",), pattern) for pattern in held), tenant=tenant)
    table = sa.Table("rows", sa.MetaData(), *(sa.Column(name, sa.String(8)) for name in ["tenant", "e", "c", "a"]))
    engine = sa.create_engine("sqlite://")
    columns = list(table.c)[:depth]
    condition = access.visible(principal, "config.item:list", access.Columns(*columns))
    rows = list(itertools.product(NAMES, repeat=depth))
    try:
        with engine.begin() as connection:
            table.create(connection)
            connection.execute(
                table.insert(),
                [dict(zip([column.name for column in columns], row, strict=True)) for row in rows],
            )
            shown = {tuple(row) for row in connection.execute(sa.select(*columns).where(condition))}
    finally:
        engine.dispose()
    assert shown == {row for row in rows if principal.reaches("config.item:list", access.Target(*row))}
