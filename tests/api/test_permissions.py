"""Permissions: each one that is declared opens something, and the roles speak only of those that there are."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import qiantang_server.config.service.effective
import qiantang_server.config.service.exchange
import qiantang_server.identity.service.granting
import qiantang_server.kernel.web.watch
import qiantang_server.messaging.service.dead_letters
from qiantang_server.identity.rules import roles
from qiantang_server.kernel import access
from tests.api.routes import DECLARED, KINDS, routes

ROUTES = routes()
BY_BODY: list[ModuleType] = [
    qiantang_server.config.service.effective,
    qiantang_server.config.service.exchange,
    qiantang_server.identity.service.granting,
    qiantang_server.kernel.web.watch,
    qiantang_server.messaging.service.dead_letters,
]
"""Where permissions are asked for because the place, or the wish, stands in a body or a query."""


def asked_in_code() -> Iterator[str]:
    for module in BY_BODY:
        text = inspect.getsource(module)
        yield from (name for name in DECLARED if f'"{name}"' in text)


def test_every_declared_permission_is_asked_for_somewhere() -> None:
    used = {route.permission for route in ROUTES} | set(asked_in_code())
    assert set(DECLARED) - used == set(), "declared, granted, and good for nothing"


def test_every_route_says_what_it_needs_in_permissions_that_exist() -> None:
    assert len(ROUTES) > 80
    for route in ROUTES:
        told = [key for key in ("permission", "verb", "authenticated", "public") if route.opt.get(key)]
        assert told, f"{route} says neither what it needs nor why it needs nothing"
        assert not (route.public and "{" in route.path), f"{route}: public, and about somebody's"
        if route.permission:
            assert route.permission in DECLARED, str(route)


def test_only_what_comes_before_anybody_is_known_is_public() -> None:
    assert {route.path for route in ROUTES if route.public} == {
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/identity/first-start",
        "/api/v1/identity/login",
        "/api/v1/identity/token",
    }


@pytest.mark.parametrize("role", sorted(roles.BUILT_IN))
def test_every_line_of_a_built_in_role_speaks_of_declared_permissions(role: str) -> None:
    permissions = access.Permissions(DECLARED)
    for line in roles.BUILT_IN[role].permissions:
        if line.startswith("!") and "*" in line:
            continue  # keeps back what may come with another room
        assert permissions.expand([line.removeprefix("!")]), f"{role}: {line} matches nothing, so it promises nothing"


def test_an_applications_rights_are_declared() -> None:
    assert set(roles.APPLICATION) <= set(DECLARED)


def test_the_roles_keep_their_titles_word() -> None:
    permissions = access.Permissions(DECLARED)
    held = {name: permissions.expand(role.permissions) for name, role in roles.BUILT_IN.items()}
    verbs = {name: {one.rpartition(":")[2] for one in found} for name, found in held.items()}
    namespace = KINDS.of("config")[0].permission
    for name, own in held.items():
        title = roles.BUILT_IN[name].title
        if "without secrets" in title or "but secrets" in title:
            assert "reveal" not in verbs[name], name
            assert "watch.bundle:read" not in own, name
        if "without editing" in title:
            assert not {"create", "update", "delete"} & verbs[name], name
        if "roll back" in title:
            assert namespace("rollback") in own, name
    assert held["viewer"] <= held["auditor"] <= held["tenant-admin"]
    assert held["operator"] & {namespace("publish"), namespace("update")} == set()
    assert verbs["viewer"] <= {"read", "list"}
    assert held["tenant-admin"] == set(DECLARED)


@given(
    st.lists(st.sampled_from(sorted(DECLARED)) | st.sampled_from(sorted(f"!{name}" for name in DECLARED)), max_size=8)
)
def test_what_is_taken_away_stays_away_whatever_the_order(lines: list[str]) -> None:
    permissions = access.Permissions(DECLARED)
    held = permissions.expand(lines)
    assert held == permissions.expand(reversed(lines))
    assert held == {line for line in lines if not line.startswith("!") and f"!{line}" not in lines}
