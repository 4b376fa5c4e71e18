"""user, role, grant: accounts by name, in the tenant that is meant; passwords go in and never come out."""

from __future__ import annotations

from typing import Any

import pytest

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def people(estate: Any) -> None:
    estate.put("tenants/acme/users/u1", name="bob")
    estate.put("tenants/acme/users/u2", name="u1")
    estate.put("tenants/beta/users/u3", name="bob")
    estate.put("users/u4", name="root")


def test_users_are_listed_of_a_tenant_of_the_platform_and_of_all(signed_in: Any) -> None:
    assert signed_in("user", "list", "-o", "name", "--sort", "name").stdout == "bob\nu1\n"
    assert signed_in("user", "list", "--platform", "-o", "name").stdout == "root\n"
    signed_in("context", "set", "-t", "")
    assert signed_in("user", "list", "-o", "name").stdout == "bob\nu1\nbob\nroot\n"


def test_a_name_goes_before_an_id_and_stays_in_its_tenant(signed_in: Any) -> None:
    assert signed_in.json("user", "show", "bob")["id"] == "u1"
    assert signed_in.json("user", "show", "u1")["id"] == "u2"
    assert signed_in.json("user", "show", "u2")["id"] == "u2"
    assert signed_in.json("user", "show", "bob", "-t", "beta")["id"] == "u3"
    assert "no user 'u3' of tenant acme" in signed_in("user", "show", "u3", code=3).stderr
    assert "no user 'bob' of the platform" in signed_in("user", "show", "bob", "--platform", code=3).stderr


def test_a_user_is_made_with_a_password_that_is_not_shown(signed_in: Any, estate: Any, posted: Any) -> None:
    result = signed_in("user", "create", "eve", "--title", "Eve", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert estate.passwords == [PASSWORD]
    assert posted("POST")[0][0] == "tenants/acme/users"
    assert PASSWORD not in result.output
    signed_in("user", "create", "adm", "--platform", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert posted("POST")[1][0] == "users"
    assert "give --password-stdin" in signed_in("user", "create", "x", code=2).stderr
    assert "stdin holds no password" in signed_in("user", "create", "x", "--password-stdin", stdin="", code=2).stderr
    signed_in("context", "set", "-t", "")
    assert "in which tenant?" in signed_in("user", "create", "x", "--password-stdin", stdin="y\n", code=2).stderr


@pytest.mark.usefixtures("at_terminal")
def test_a_password_is_asked_for_twice(signed_in: Any, estate: Any) -> None:
    result = signed_in("user", "create", "eve", stdin=f"{PASSWORD}\nother\n{PASSWORD}\n{PASSWORD}\n")
    assert estate.passwords == [PASSWORD]
    assert PASSWORD not in result.output


def test_a_user_is_disabled_enabled_and_given_a_password(signed_in: Any, estate: Any) -> None:
    assert signed_in.json("user", "disable", "bob")["disabled"] is True
    assert signed_in.json("user", "enable", "bob")["disabled"] is False
    signed_in("user", "password", "bob", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert estate.passwords == [PASSWORD]


def test_everybody_may_ask_about_himself_and_the_entitled_about_others(signed_in: Any, estate: Any) -> None:
    answer = signed_in.json("user", "explain", "bob", "config.namespace:publish", "acme/prod")
    assert answer["allowed"] is False
    assert (answer["explanation"], answer["misses"]) == ("it is not granted", ["role x elsewhere"])
    assert signed_in("user", "explain", "ann", "config.namespace:publish", "-o", "name").stdout == "denied\n"
    signed_in("user", "explain", "root", "config.namespace:publish", "--platform")
    asked = [(path, question.permission, question.pattern) for path, question in estate.questions]
    assert asked == [
        ("tenants/acme/users/u1/explain", "config.namespace:publish", "acme/prod"),
        ("me/explain", "config.namespace:publish", "*"),
        ("users/u4/explain", "config.namespace:publish", "*"),
    ]


def test_roles_are_listed_shown_and_made(signed_in: Any, estate: Any, posted: Any) -> None:
    made = signed_in.json("role", "create", "lead", "config.*:read", "config.namespace:publish")
    assert made["permissions"] == ["config.*:read", "config.namespace:publish"]
    assert posted("POST")[0][0] == "tenants/acme/roles"
    assert signed_in("role", "list", "-o", "name").stdout == "lead\n"
    assert "config.namespace:publish" in signed_in("role", "show", "lead").stdout
    assert "no role 'boss' of tenant acme" in signed_in("role", "show", "boss", code=3).stderr
    signed_in("role", "create", "empty", code=2)


@pytest.mark.parametrize(
    ("words", "user", "pattern"),
    [
        (("bob", "developer", "acme/dev"), "u1", "acme/dev"),
        (("bob", "developer", "beta"), "u3", "beta"),
        (("root", "auditor", "beta", "--platform"), "u4", "beta"),
        (("root", "platform-admin", "*"), "u4", "*"),
    ],
)
def test_a_grant_goes_to_the_user_of_the_scopes_tenant(
    signed_in: Any, posted: Any, words: tuple[str, ...], user: str, pattern: str
) -> None:
    signed_in.environment["QIANTANG_CLI_TENANT"] = "gamma"
    signed_in("grant", "add", *words, "--until", "+8h", "--reason", "on call")
    ((target, data),) = posted("POST")
    assert (target, data["user"], data["role"], data["pattern"]) == ("grants", user, words[1], pattern)
    assert data["expires"] > 1_700_000_000_000
    assert (data["not_before"], data["reason"]) == (0, "on call")


def test_grants_are_listed_of_those_that_are_wanted(signed_in: Any, estate: Any, posted: Any) -> None:
    usual = {"role": "viewer", "pattern": "acme", "not_before": 0, "expires": 0, "granted_by": "x", "reason": ""}
    estate.put("tenants/acme/grants/g1", user="u1", user_name="bob", **usual)
    estate.put("tenants/acme/grants/g2", user="u2", user_name="u1", **usual)
    assert signed_in("grant", "list", "-o", "name").stdout == "g1\ng2\n"
    signed_in("grant", "list", "--user", "bob", "--place", "acme/prod", "--level", "environment")
    signed_in("grant", "list", "--role", "viewer", "--state", "now", "--words", "on call")
    assert [target for target, _data in posted("GET")] == [
        "tenants/acme/grants?limit=500",
        "tenants/acme/grants?limit=500&place=acme%2Fprod&user=bob&level=environment",
        "tenants/acme/grants?limit=500&role=viewer&state=now&words=on+call",
    ]


def test_a_moment_that_is_none_is_said(signed_in: Any) -> None:
    assert "is no moment" in signed_in("grant", "add", "bob", "viewer", "acme", "--until", "soon", code=2).stderr
