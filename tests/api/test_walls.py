"""Walls between tenants: every route of the OpenAPI document, for every role, as a stranger and as nobody."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.servers.platform import PASSWORD, Api, Platform

OWN, FOREIGN = "acme/dev/trade/order", "globex/prod/bank/ledger"
METHODS = {"get", "post", "put", "patch", "delete"}
PUBLIC = {
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/identity/first-start",
    "/api/v1/identity/login",
    "/api/v1/identity/token",
}
NOTHING = "0" * 32
FILLED = {
    "name": "application",
    "revision": "1",
    "number": "1",
    "node": "node-1",
    "service": "order.Orders",
    "role": "viewer",
    **dict.fromkeys(("request_id", "user", "grant", "credential", "token", "session"), NOTHING),
}


class Estate:
    """Two tenants with an application each, and a user of every role in the first."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.root = platform.administrator()
        for scope in (OWN, FOREIGN):
            self.root.make_application(scope)
            self.root.set(
                scope,
                {
                    "motto": f"only for {scope.partition('/')[0]}",
                    "password": {"value": {"$secret": {"value": "s3cret"}}},
                },
            )
            self.root.publish(scope)
        roles = [one["name"] for one in self.root.call("GET", "identity/roles")["items"]]
        self.people = {role: self._user(role) for role in roles if role != "platform-admin"}

    def _user(self, role: str) -> Api:
        user = self.root.call("POST", "identity/tenants/acme/users", {"name": f"u-{role}", "password": PASSWORD})
        self.root.call("POST", "identity/grants", {"user": user["id"], "role": role, "pattern": "acme"})
        with httpx.Client(base_url=self.platform.address, timeout=30) as client:
            sign_in = {"name": f"u-{role}", "password": PASSWORD, "tenant": "acme"}
            client.post("/api/v1/identity/login", json=sign_in).raise_for_status()
            made = client.post(
                "/api/v1/identity/tokens",
                json={"name": "tests", "lifetime_days": 1},
                headers={"X-Qiantang": "1", "Origin": self.platform.address},
            )
            made.raise_for_status()
            return self.platform.as_bearer(made.json()["token"])

    def operations(self) -> list[tuple[str, str]]:
        document = self.root.call("GET", "openapi/openapi.json")
        return [
            (method, path) for path, methods in document["paths"].items() for method in methods if method in METHODS
        ]


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    with Platform() as platform:
        yield Estate(platform)


def filled(path: str, scope: str, **more: str) -> str:
    tenant, environment, center, application = scope.split("/")
    places = {
        "tenant": tenant,
        "environment": environment,
        "center": center,
        "application": application,
        **FILLED,
        **more,
    }
    return path.removeprefix("/api/v1/").format(**places)


@pytest.mark.process
def test_nobody_gets_past_any_route_that_is_not_public(estate: Estate) -> None:
    with httpx.Client(base_url=estate.platform.address, timeout=30) as nobody:
        for method, path in estate.operations():
            answer = nobody.request(
                method, f"/api/v1/{filled(path, OWN)}" if path.startswith("/api/") else path, json={}
            )
            if path in PUBLIC:
                assert answer.status_code < 500
            else:
                assert answer.status_code == 401, f"{method} {path}: {answer.status_code} {answer.text[:200]}"


@pytest.mark.process
def test_another_tenants_anything_does_not_exist_for_any_role(estate: Estate) -> None:
    reached = 0
    for role, person in estate.people.items():
        for method, path in estate.operations():
            if "{tenant}" not in path:
                continue
            there = person.answer(method, filled(path, FOREIGN), {}, **{"If-Match": "*"})
            missing = person.answer(method, filled(path, "nothing/prod/bank/ledger"), {}, **{"If-Match": "*"})
            told = f"{role} {method} {path}: {there.status_code} {there.text[:200]}"
            assert there.status_code == missing.status_code == 404, told
            assert there.json()["detail"].replace("globex", "nothing") == missing.json()["detail"], told
            reached += 1
    assert reached > 300


@pytest.mark.process
def test_refusals_are_in_the_own_trail_and_nothing_in_the_strangers(estate: Estate) -> None:
    estate.people["viewer"].answer("GET", f"config/{FOREIGN}/namespaces")
    own = estate.root.call("GET", "audit/tenants/acme/records?outcome=deny&limit=100")["items"]
    assert any(one["tenant"] == "globex" and one["actor_name"] == "u-viewer" for one in own)
    theirs = estate.root.call("GET", "audit/tenants/globex/records?limit=200")["items"]
    assert all("u-viewer" not in str(one) for one in theirs)


@pytest.mark.process
def test_within_the_own_tenant_a_role_does_what_it_may_and_is_told_what_it_lacks(estate: Estate) -> None:
    namespaces = f"config/{OWN}/namespaces/application"
    for role, person in estate.people.items():
        known = {line for one in person.call("GET", "identity/me")["roles"] for line in one["permissions"]}
        for verb, method, path, body in (
            ("read", "GET", namespaces, None),
            ("reveal", "GET", f"{namespaces}/revealed", None),
            ("update", "DELETE", f"{namespaces}/draft", None),
            ("rollback", "POST", f"config/{OWN}/rollback", {"to_revision": 0, "expected_revision": 999}),
            ("approve", "POST", f"config/{OWN}/requests/{'0' * 32}/approve", {}),
        ):
            answer = person.answer(method, path, body, **{"If-Match": "*"})
            if f"config.namespace:{verb}" in known:
                assert answer.status_code in {200, 204, 404, 412}, f"{role} {verb}: {answer.text}"
            else:
                assert answer.status_code == 403, f"{role} {verb}: {answer.status_code} {answer.text}"
                assert answer.json()["facts"]["permission"] == f"config.namespace:{verb}"


@pytest.mark.process
def test_searches_and_lists_show_nothing_of_others(estate: Estate) -> None:
    admin = estate.people["tenant-admin"]
    assert [one["name"] for one in admin.call("GET", "identity/tenants")["items"]] == ["acme"]
    found = admin.call("GET", "config/search/acme?words=only+for")["items"]
    assert {one["bundle"].partition("/")[0] for one in found} == {"acme"}
    assert admin.answer("GET", "config/search/globex?words=only+for").status_code == 404
    assert not admin.call("GET", "config/search/acme?words=s3cret")["items"]
    for method, path in estate.operations():
        if method == "get" and "/audit/" not in path:  # the own trail names what one asked for oneself
            assert "globex" not in admin.answer(method, filled(path, OWN)).text, path
