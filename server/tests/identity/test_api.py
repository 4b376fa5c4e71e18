"""Identity over HTTP: the browser's and the program's way in, and the guard over every route and every role."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from litestar import Litestar, Request
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.testing import AsyncTestClient

from qiantang.identity import model
from qiantang.kernel import protocol, wire
from qiantang_server.identity import api
from qiantang_server.identity.capability import PERMISSIONS
from qiantang_server.identity.rules import roles
from qiantang_server.kernel import access, audit
from qiantang_server.kernel.web import gate, problems
from server.tests.identity.estate import DECLARED, ORDERS, PASSWORD, ROOT, Estate

Client = AsyncTestClient[Litestar]
BROWSER = {"x-qiantang": "1", "sec-fetch-site": "same-origin"}


def who_asks(request: Request[Any, Any, Any]) -> access.Principal:
    return request.user


@pytest.fixture
async def client(estate: Estate) -> AsyncGenerator[Client]:
    identity = estate.identity
    denials = identity.ground.denials
    application = Litestar(
        route_handlers=api.routers(identity),
        dependencies={"principal": Provide(who_asks, sync_to_thread=False)},
        middleware=[DefineMiddleware(gate.Gate, authenticator=identity, denials=denials, secure=False)],
        exception_handlers=problems.HANDLERS,
        logging_config=None,
    )
    async with AsyncTestClient(application, base_url="http://testserver.local") as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def token_of(estate: Estate, name: str, tenant: str = "acme") -> str:
    principal = await estate.sign_in(name, tenant=tenant)
    command = model.NewAccessToken(name="cli", lifetime_days=1)
    return (await estate.identity.access_tokens.create_token(principal, command)).token


async def test_a_browser_signs_in_and_out(client: Client, estate: Estate) -> None:
    await estate.user("ann", ("developer", "acme/dev"))
    answer = await client.post(
        "/api/v1/identity/login", json={"name": "ann", "password": PASSWORD, "tenant": "acme"}, headers=BROWSER
    )
    assert answer.status_code == 200
    me = wire.decode(answer.content, model.Me)
    assert (me.name, me.via, [(one.role, one.pattern) for one in me.roles]) == (
        "ann",
        "session",
        [("developer", "acme/dev/*/*")],
    )
    set_cookies = answer.headers.get_list("set-cookie")
    assert len(set_cookies) == 2
    for cookie in set_cookies:
        assert "httponly" in cookie.lower()
        assert "samesite=lax" in cookie.lower()
        assert "path=/" in cookie.lower()
    assert answer.headers["cache-control"] == "no-store"
    assert (await client.get("/api/v1/identity/me")).status_code == 200
    refused = await client.post("/api/v1/identity/logout")
    assert (refused.status_code, refused.json()["code"]) == (403, "access.cross_site")
    assert (await client.post("/api/v1/identity/logout", headers=BROWSER)).status_code == 204
    assert (await client.get("/api/v1/identity/me")).status_code == 401


async def test_over_tls_the_cookies_are_bound_to_the_host(client: Client, estate: Estate) -> None:
    await estate.user("ann")
    estate.identity.secure = True
    answer = await client.post("/api/v1/identity/login", json={"name": "ann", "password": PASSWORD, "tenant": "acme"})
    found = answer.headers.get_list("set-cookie")
    assert sorted(cookie.partition("=")[0] for cookie in found) == ["__Host-qiantang", "__Host-qiantang-device"]
    assert all("secure" in cookie.lower() and "domain" not in cookie.lower() for cookie in found)


async def test_another_site_cannot_sign_anybody_in(client: Client, estate: Estate) -> None:
    await estate.user("ann")
    body = {"name": "ann", "password": PASSWORD, "tenant": "acme"}
    for headers in (
        {"sec-fetch-site": "cross-site", "x-qiantang": "1"},
        {"sec-fetch-site": "same-origin"},
        {"origin": "https://evil.test", "x-qiantang": "1"},
    ):
        answer = await client.post("/api/v1/identity/login", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "identity.foreign_site")
    assert (await client.post("/api/v1/identity/login", json=body)).status_code == 200, "a program says no site"


async def test_an_application_proves_itself(client: Client, estate: Estate) -> None:
    issued = await estate.credential()
    answer = await client.post(protocol.TOKEN_PATH, content=wire.encode(estate.request(issued)))
    token = wire.decode(answer.content, protocol.Token)
    assert (answer.status_code, token.scope) == (200, ORDERS)
    me = await client.get("/api/v1/identity/me", headers=bearer(token.token))
    assert me.json()["kind"] == "application"
    late = await client.post(protocol.TOKEN_PATH, content=wire.encode(estate.request(issued, offset_ms=99_000)))
    assert (late.status_code, late.json()["code"]) == (401, "identity.clock_skew")
    assert late.json()["facts"]["server_time"] == estate.clock()
    await estate.identity.estate.delete_application(ROOT, "acme", "sales", "orders")
    gone = await client.get("/api/v1/identity/me", headers=bearer(token.token))
    assert (gone.status_code, gone.json()["code"]) == (410, "identity.application_gone")


async def test_unknown_fields_and_bad_names_are_refused(client: Client, estate: Estate) -> None:
    await estate.user("boss", ("tenant-admin", "acme"))
    headers = bearer(await token_of(estate, "boss"))
    for body in ({"name": "x", "colour": "red"}, {"name": "Not A Name"}, {"name": "x" * 65}, {}, [], None):
        answer = await client.post("/api/v1/identity/tenants/acme/environments", json=body, headers=headers)
        assert answer.status_code in {400, 422}, body


async def test_the_whole_estate_is_built_over_http(client: Client, estate: Estate) -> None:
    await estate.user("chief", ("platform-admin", "*"), tenant="")
    headers = bearer(await token_of(estate, "chief", tenant=""))
    base = "/api/v1/identity"
    place = f"{base}/tenants/gamma/centers/shop/applications/cart"
    user = await post(client, f"{base}/tenants", {"name": "gamma"}, headers)
    await post(client, f"{base}/tenants/gamma/environments", {"name": "live", "protected": True}, headers)
    await post(client, f"{base}/tenants/gamma/centers", {"name": "shop"}, headers)
    await post(client, f"{base}/tenants/gamma/centers/shop/applications", {"name": "cart"}, headers)
    user = await post(client, f"{base}/tenants/gamma/users", {"name": "gil", "password": PASSWORD}, headers)
    await post(client, f"{base}/tenants/gamma/roles", {"name": "reader", "permissions": ["config.*:read"]}, headers)
    grant = {"user": user["id"], "role": "reader", "pattern": "gamma/live"}
    given = await post(client, f"{base}/grants", grant, headers)
    issued = await post(client, f"{place}/environments/live/credentials", {}, headers)
    rotated = await post(client, f"{place}/environments/live/credentials/{issued['id']}/rotate", {}, headers)
    listed = await client.get(f"{place}/environments/live/credentials", headers=headers)
    assert {one["id"] for one in listed.json()["items"]} == {issued["id"], rotated["id"]}
    assert "secret" not in listed.text
    for path, expected in (
        (f"{place}/environments/live/credentials/{issued['id']}", 204),
        (f"{base}/grants/{given['id']}", 204),
        (f"{base}/tenants/gamma/roles/reader", 204),
        (f"{base}/tenants/gamma/users/{user['id']}", 204),
        (place, 204),
        (f"{base}/tenants/gamma/centers/shop", 204),
        (f"{base}/tenants/gamma/environments/live", 409),
    ):
        assert (await client.delete(path, headers=headers)).status_code == expected, path
    records = await client.get("/api/v1/audit/tenants/gamma/records?outcome=allow&limit=3", headers=headers)
    assert next(one["action"] for one in records.json()["items"]) == "identity.center:delete"
    older = await client.get(
        f"/api/v1/audit/tenants/gamma/records?after={records.json()['next']}&limit=500", headers=headers
    )
    assert older.json()["next"] == ""
    assert older.json()["items"][-1]["action"] == "identity.tenant:create"
    verified = await client.post("/api/v1/audit/tenants/gamma/verify", headers=headers)
    assert verified.json()["intact"] is True
    assert (await client.post("/api/v1/audit/verify", headers=headers)).json()["intact"] is True


async def test_applications_are_found_over_all_centers(client: Client, estate: Estate) -> None:
    await estate.user("ann", ("viewer", "acme/*/sales/orders"))
    headers = bearer(await token_of(estate, "ann"))
    path = "/api/v1/identity/tenants/acme/applications"
    found = await client.get(path, headers=headers)
    assert [(one["center"], one["name"]) for one in found.json()["items"]] == [("sales", "orders")]
    for query, count in (("words=ORD", 1), ("words=stock", 0), ("center=none", 0), ("after=sales/orders", 0)):
        answer = await client.get(f"{path}?{query}", headers=headers)
        assert (answer.status_code, len(answer.json()["items"])) == (200, count), query
    for query in ("limit=0", "limit=501", "words=" + "x" * 129, "words=%00"):
        assert (await client.get(f"{path}?{query}", headers=headers)).status_code in {400, 422}, query
    assert (await client.get(path.replace("acme", "beta"), headers=headers)).status_code == 404
    listed = (await client.get("/api/v1/identity/permissions", headers=headers)).json()
    assert {"name": "identity.grant:grant", "meaning": PERMISSIONS["identity.grant:grant"]} in listed


async def post(client: Client, path: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    answer = await client.post(path, json=body, headers=headers)
    assert answer.status_code == 201, (path, answer.text)
    return answer.json()


ROUTES = [
    (method, route.path_format, handler.opt)
    for router in api.routers(None)  # type: ignore[arg-type]  # only its routes are looked at
    for route in Litestar(
        route_handlers=[router], dependencies={"principal": Provide(who_asks, sync_to_thread=False)}
    ).routes
    for handler in getattr(route, "route_handlers", [])
    for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"})
    if handler.fn.__module__.startswith("qiantang")
]
NAMES = {
    "environment": "dev", "center": "sales", "application": "orders", "user": "0" * 32, "role": "reader",
    "grant": "0" * 32, "credential": "qtc-0", "session": "0" * 32, "token": "0" * 16,
}  # fmt: skip
FILLED = [(method, path, opt) for method, path, opt in ROUTES if "permission" in opt and "{tenant" in path]


def filled(path: str, tenant: str) -> str:
    for name, value in {**NAMES, "tenant": tenant}.items():
        path = path.replace("{" + name + "}", value).replace("{" + name + ":str}", value)
    return path


def test_every_route_says_what_it_needs() -> None:
    assert len(ROUTES) > 50
    for method, path, opt in ROUTES:
        assert opt.get("permission") or opt.get("public") or opt.get("authenticated"), (method, path)
        assert opt.get("permission", "identity.tenant:list") in PERMISSIONS, (method, path)
    public = {path for _, path, opt in ROUTES if "public" in opt}
    assert public == {f"/api/v1/identity/{last}" for last in ("first-start", "login", "token")}


@pytest.mark.parametrize("role", sorted(roles.BUILT_IN))
async def test_another_tenant_is_not_there_for_any_role_on_any_route(client: Client, estate: Estate, role: str) -> None:
    if roles.only_for_platform(role):
        return
    await estate.user("ann", (role, "acme"))
    headers = bearer(await token_of(estate, "ann"))
    for method, path, _ in FILLED:
        for tenant in ("beta", "never-was"):
            answer = await client.request(method, filled(path, tenant), headers=headers, json={})
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, path, answer.text)
    found, _ = await audit.timeline(estate.identity.ground.database, ROOT, audit.Timeline(chain="acme", outcome="deny"))
    assert found
    assert {record.tenant for record in found} <= {"beta", "never-was"}
    await estate.identity.ground.denials.flush(all_=True)
    found, _ = await audit.timeline(estate.identity.ground.database, ROOT, audit.Timeline(chain="acme", outcome="deny"))
    assert sum(record.count for record in found) == 2 * len(FILLED), "each refusal is counted"


@pytest.mark.parametrize("role", sorted(roles.BUILT_IN))
async def test_the_own_tenant_lets_through_what_the_role_says(client: Client, estate: Estate, role: str) -> None:
    pattern = "*" if roles.only_for_platform(role) else "acme"
    tenant = "" if pattern == "*" else "acme"
    await estate.user("ann", (role, pattern), tenant=tenant)
    headers = bearer(await token_of(estate, "ann", tenant=tenant))
    allowed = DECLARED.expand(roles.BUILT_IN[role].permissions)
    for method, path, opt in FILLED:
        # a method that would change something is sent an impossible body: it is judged before the body is read
        answer = await client.request(method, filled(path, "acme"), headers=headers, json={"impossible": 1})
        refused = answer.status_code == 403
        assert refused == (opt["permission"] not in allowed), (method, path, answer.status_code, answer.text)
        assert answer.status_code < 500
        if refused:
            assert answer.json()["facts"]["permission"] == opt["permission"]
        if method == "DELETE" and not refused:
            await restore(estate)


async def restore(estate: Estate) -> None:
    """Put back what a permitted delete took away."""
    for making in (
        lambda: estate.identity.estate.create_environment(ROOT, "acme", model.NewEnvironment(name="dev")),
        lambda: estate.identity.estate.create_center(ROOT, "acme", model.NewCenter(name="sales")),
        lambda: estate.identity.estate.create_application(ROOT, "acme", "sales", model.NewApplication(name="orders")),
    ):
        try:
            await making()
        except Exception as error:
            assert "already" in str(error), error


async def test_nobody_without_proof_gets_anywhere(client: Client) -> None:
    for method, path, opt in ROUTES:
        if "public" in opt:
            continue
        for headers in ({}, bearer("forged"), {"cookie": "qiantang=forged"}):
            answer = await client.request(method, filled(path, "acme"), headers=headers, json={})
            assert answer.status_code == 401, (method, path)
