"""Every route by every role, in the own tenant and in another's: what is expected comes from the routes' own `opt`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.api.holders import FOREIGN, MARK, MISSING, OWN, Holder, House
from tests.api.routes import ANY, Place, Route, routes
from tests.servers.platform import Platform

pytestmark = pytest.mark.process

ROUTES = routes()
NOTHING = "0" * 32
REST = {
    "name": "application",
    "revision": "1",
    "number": "1",
    "node": "node-1",
    "service": "order.Orders",
    "role": "viewer",
    "kind": "namespace",
    **dict.fromkeys(("request_id", "user", "grant", "credential", "token", "session"), NOTHING),
}
QUERIES = {
    "GET /api/v1/config/search/{tenant}": "?words=motto",
    "GET /api/v1/search/{tenant}": "?words=motto",
    "GET /api/v1/catalog/offers/{tenant}": "?words=shop",
    "GET /api/v1/stream": "?topics=work:acme,work:globex",
}
IMPOSSIBLE = {"impossible": 1}
"""A body that no route takes: who may is told so, who may not never comes that far."""

INSTANCE = {"name": "i1"}


def _fetch(names: dict[str, str]) -> Any:
    return {"instance": INSTANCE, "bundle": {"scope": names, "capability": "config"}}


def _acknowledge(names: dict[str, str]) -> Any:
    return {"scope": names, "instance": INSTANCE, "held": []}


def _stream(names: dict[str, str]) -> Any:
    return {"scope": names, "instance": INSTANCE, "capabilities": ["config"]}


def _grant(names: dict[str, str]) -> Any:
    return {"user": NOTHING, "role": "viewer", "pattern": "/".join(names.values())}


BY_BODY: dict[str, tuple[str, Callable[[dict[str, str]], Any]]] = {
    "POST /api/v1/watch/fetch": ("watch.bundle:read", _fetch),
    "POST /api/v1/watch/acknowledge": ("watch.bundle:read", _acknowledge),
    "POST /api/v1/watch/stream": ("watch.bundle:read", _stream),
    "POST /api/v1/identity/grants": ("identity.grant:grant", _grant),
    "POST /api/v1/identity/grants/preview": ("identity.grant:list", _grant),
}
"""Routes whose place stands in the body, with what they need there."""

BY_QUERY = {
    "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/effective": "config.namespace:reveal",
    "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/export": "config.namespace:reveal",
    "GET /api/v1/config/{tenant}/{environment}/{center}/{application}/export/{name}": "config.namespace:reveal",
}
"""Routes that need more where `reveal=true` is asked for."""

ABOUT_ONESELF = {
    "POST /api/v1/identity/logout",
    "GET /api/v1/identity/me",
    "POST /api/v1/identity/me/explain",
    "POST /api/v1/identity/me/password",
    "GET /api/v1/identity/sessions",
    "DELETE /api/v1/identity/sessions/{session}",
    "GET /api/v1/identity/tokens",
    "POST /api/v1/identity/tokens",
    "DELETE /api/v1/identity/tokens/{token}",
    "DELETE /api/v1/identity/grants/{grant}",
    "POST /api/v1/identity/grants/{grant}/preview-removal",
    "GET /api/v1/identity/roles",
    "GET /api/v1/identity/permissions",
    "GET /api/v1/config/search/{tenant}",
    "GET /api/v1/catalog/offers/{tenant}",
    "GET /api/v1/kinds",
    "GET /api/v1/rpc/keys",
    "GET /api/v1/bundles/{tenant}",
    "GET /api/v1/work/{tenant}",
    "GET /api/v1/search/{tenant}",
    "GET /api/v1/stream",
}
"""Routes that everybody may call who is known: what they give is his own, or the same for all."""

OF_APPLICATIONS = {
    "POST /api/v1/registry/sessions",
    "POST /api/v1/registry/renew",
    "POST /api/v1/registry/close",
    "POST /api/v1/registry/register",
    "POST /api/v1/registry/deregister",
    "POST /api/v1/registry/vote",
    "POST /api/v1/registry/votes",
    "POST /api/v1/registry/publish",
    "POST /api/v1/registry/definitions",
    "POST /api/v1/registry/stream",
    "POST /api/v1/rpc/tokens",
}
"""Routes that an application alone may call, by its credential, which says as well what they are about."""


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with Platform() as platform:
        yield House(platform)


def operations(house: House) -> set[str]:
    """Give what the served document lists."""
    document = house.root.call("GET", "openapi/openapi.json")
    methods = {"get", "post", "put", "patch", "delete"}
    return {
        f"{method.upper()} {path}" for path, found in document["paths"].items() for method in found if method in methods
    }


def send(holder: Holder | None, route: Route, names: dict[str, str], house: House, body: Any = None) -> httpx.Response:
    """Call a route; what would take something away is aimed at something that is not there."""
    rest = dict(REST)
    if route.method == "DELETE":
        last = route.path.rpartition("{")[2].partition("}")[0]
        names, rest = (
            {**names, **({last: "ghost"} if last in names else {})},
            {**rest, "name": "ghost", "role": "ghost"},
        )
    path = route.filled({**rest, **names})
    if route.method == "GET":
        path += QUERIES.get(str(route), "")
    headers = {"If-Match": "*"}
    client = holder.api.client if holder is not None else httpx.Client(base_url=house.platform.address, timeout=30)
    content = None if route.method == "GET" else json.dumps(IMPOSSIBLE if body is None else body)
    if content:
        headers["Content-Type"] = "application/json"
    with client.stream(route.method, path, content=content, headers=headers) as answer:
        if "event-stream" not in answer.headers.get("content-type", ""):
            answer.read()
        else:
            answer._content = b""
    if holder is None:
        client.close()
    return answer


def place_of(route: Route, names: dict[str, str]) -> Place:
    if route.method == "DELETE":
        last = route.path.rpartition("{")[2].partition("}")[0]
        names = {**names, **({last: "ghost"} if last in names else {})}
    return route.place(names)


def test_every_route_has_an_expectation_and_every_expectation_a_route(house: House) -> None:
    known = {str(route) for route in ROUTES}
    documented = operations(house)
    assert documented <= known, "served, and unknown to these tests"
    streams = {"POST /api/v1/watch/stream", "POST /api/v1/registry/stream", "GET /api/v1/stream"}
    assert known - documented <= {*streams, "GET /", "GET /metrics"}, "served, and in no document"
    assert set(BY_BODY) | set(BY_QUERY) | ABOUT_ONESELF | OF_APPLICATIONS <= known
    for route in ROUTES:
        by_name = str(route) in BY_BODY or str(route) in ABOUT_ONESELF | OF_APPLICATIONS
        expected = route.public or route.permission or by_name
        assert expected, f"{route}: who may call it? ({dict(route.opt)})"


def test_nobody_gets_nowhere_whatever_he_shows(house: House) -> None:
    shown = ({}, {"Authorization": "Bearer forged"}, {"Authorization": "Basic YTpi"}, {"Cookie": "qiantang=forged"})
    with httpx.Client(base_url=house.platform.address, timeout=30) as client:
        for route in ROUTES:
            if route.public:
                continue
            for headers in shown:
                path = route.filled({**REST, **OWN})
                answer = client.request(route.method, path, headers=headers, content=b"{}")
                assert answer.status_code == 401, (str(route), headers, answer.text)
                assert answer.json()["code"] in {"unauthenticated", "identity.token_ended"}, answer.text
                assert answer.headers["www-authenticate"] == "Bearer"


def test_in_the_own_tenant_each_may_what_his_role_says_and_is_told_what_he_lacks(house: House) -> None:
    judged = 0
    for holder in house.holders:
        for route in ROUTES:
            if route.public or not (route.permission or str(route) in BY_BODY):
                continue
            permission, body = route.permission, None
            place = place_of(route, OWN)
            if str(route) in BY_BODY:
                permission, make = BY_BODY[str(route)]
                body, place = make(OWN), ("acme", "dev", "trade", "order")
            answer = send(holder, route, OWN, house, body)
            told = f"{holder.name} {route}: {answer.status_code} {answer.text[:300]}"
            judged += 1
            if holder.may(permission, place):
                assert answer.status_code not in {401, 403}, told
                assert answer.status_code < 500, told
                if answer.status_code == 404:
                    assert "tenant" not in answer.json()["detail"], told
            else:
                assert answer.status_code == 403, told
                assert answer.json()["code"] == "access.not_permitted", told
                assert answer.json()["facts"]["permission"] == permission, told
    assert judged > 600


def test_people_are_no_applications_whatever_they_may(house: House) -> None:
    for holder in house.holders:
        for route in ROUTES:
            if str(route) not in OF_APPLICATIONS:
                continue
            answer = send(holder, route, OWN, house, {})
            told = f"{holder.name} {route}: {answer.status_code} {answer.text[:300]}"
            if holder.name == "application":
                assert answer.status_code in {200, 422}, told
            else:
                assert answer.status_code == 403, told
                assert answer.json()["code"] in {"registry.applications_only", "forbidden"}, told


def test_secrets_asked_for_in_a_query_need_the_right_to_see_them(house: House) -> None:
    for holder in house.holders:
        for name, permission in BY_QUERY.items():
            path = name.partition(" ")[2].format(**OWN, **REST) + "?reveal=true"
            answer = holder.api.client.get(path)
            read = holder.may("config.namespace:read", tuple(OWN.values()))  # type: ignore[arg-type]
            reveal = holder.may(permission, tuple(OWN.values()))  # type: ignore[arg-type]
            told = f"{holder.name} {name}: {answer.status_code} {answer.text[:200]}"
            assert (answer.status_code == 200) == (read and reveal), told
            if not (read and reveal):
                assert answer.status_code == 403, told
                lacked = permission if read else "config.namespace:read"
                assert answer.json()["facts"]["permission"] == lacked, told


def comparable(answer: httpx.Response, tenant: str) -> Any:
    """Give all of an answer that could tell something, but for the name that was asked about and the request's id."""
    headers = {
        name: value for name, value in answer.headers.items() if name not in {"date", "x-request-id", "content-length"}
    }
    problem = answer.json() | {"request_id": ""}
    return answer.status_code, headers, json.loads(json.dumps(problem).replace(tenant, "TENANT"))


def test_another_tenants_anything_is_not_there_and_looks_like_nothing(house: House) -> None:
    judged = 0
    for holder in house.holders:
        if holder.knows("globex"):
            continue
        for route in ROUTES:
            make = BY_BODY.get(str(route), ("", None))[1]
            if make is None and "{tenant}" not in route.path:
                continue
            answers = [
                send(holder, route, names, house, make(names) if make else None)
                for names in (FOREIGN, {**FOREIGN, "application": "none", "environment": "none"}, MISSING)
            ]
            told = f"{holder.name} {route}: {[(one.status_code, one.text[:200]) for one in answers]}"
            assert [one.status_code for one in answers] == [404] * 3, told
            assert answers[0].json()["code"] == "not_found", told
            there, named_wrong, missing = answers
            assert comparable(there, "globex") == comparable(missing, "nowhere"), told
            assert comparable(there, "globex") == comparable(named_wrong, "globex"), told
            assert "etag" not in there.headers, told
            assert MARK not in there.text, told
            judged += 1
    assert judged > 500


def test_what_belongs_to_another_tenant_by_its_id_is_like_what_there_is_not(house: House) -> None:
    admin = next(holder for holder in house.holders if holder.name == "tenant-admin").api
    order = "identity/tenants/acme/centers/trade/applications/order"
    foreign_credential, reason = house.credentials["globex"]["id"], {"reason": "x"}
    cases: list[tuple[str, str, Any, str, str]] = [
        ("DELETE", "identity/grants/{}", None, house.foreign_grant, NOTHING),
        ("POST", "identity/grants/{}/preview-removal", None, house.foreign_grant, NOTHING),
        ("POST", "identity/tenants/acme/grants/{}/preview-removal", None, house.foreign_grant, NOTHING),
        ("GET", "identity/tenants/acme/users/{}", None, house.foreign_user, NOTHING),
        ("PATCH", "identity/tenants/acme/users/{}", {"title": "x"}, house.foreign_user, NOTHING),
        ("DELETE", "identity/tenants/acme/users/{}", None, house.foreign_user, NOTHING),
        ("DELETE", order + "/environments/dev/credentials/{}", None, foreign_credential, "qtc-" + NOTHING),
        ("POST", order + "/environments/dev/credentials/{}/rotate", {}, foreign_credential, "qtc-" + NOTHING),
        ("GET", "config/acme/dev/trade/order/effective?namespace={}", None, "ledger", "none"),
        ("PATCH", "identity/tenants/acme/roles/{}", {"title": "x"}, "keeper", "keeper2"),
        *(
            ("POST", f"catalog/acme/dev/trade/order/access-requests/{{}}/{act}", reason, house.foreign_request, NOTHING)
            for act in ("accept", "refuse", "withdraw")
        ),
    ]
    for method, path, body, there, missing in cases:
        found = admin.answer(method, path.format(there), body)
        none = admin.answer(method, path.format(missing), body)
        assert found.status_code == none.status_code, (path, found.text)
        if found.is_error:
            assert found.json()["code"] == none.json()["code"], path
            assert found.json()["detail"].replace(there, "X") == none.json()["detail"].replace(missing, "X"), path
    for body, wrong in (
        ({"user": house.foreign_user, "role": "viewer", "pattern": "acme"}, "user"),
        ({"user": NOTHING, "role": "viewer", "pattern": "acme"}, "user"),
    ):
        answer = admin.answer("POST", "identity/grants", body)
        assert (answer.status_code, wrong in answer.text) == (422, True), answer.text
        assert "globex" not in answer.text
    owners = [admin.answer("PATCH", order, {"owner": one}) for one in (house.foreign_user, NOTHING)]
    assert {one.status_code for one in owners} == {422}
    assert owners[0].text.count(house.foreign_user) == owners[1].text.count(NOTHING)


def test_lists_searches_and_errors_say_nothing_of_others(house: House) -> None:
    reads = [route for route in ROUTES if route.method == "GET" and not route.path.startswith("/api/v1/audit")]
    for holder in house.holders:
        if holder.knows("globex"):
            continue
        for route in reads:
            if route.public:
                continue
            text = send(holder, route, OWN, house).text
            ids = (house.foreign_user, house.foreign_grant, house.foreign_request, house.credentials["globex"]["id"])
            for word in ("globex", MARK, *ids):
                assert word not in text, f"{holder.name} {route}"
        listed = holder.api.answer("GET", "identity/tenants")
        if listed.status_code == 200:
            assert [one["name"] for one in listed.json()["items"]] in ([], ["acme"])
        found = holder.api.answer("GET", f"config/search/acme?words={MARK}")
        assert found.status_code == 200
        assert found.json() == {"items": [], "next": ""}, "neither hits nor a count nor a next page"
    admin = next(holder for holder in house.holders if holder.name == "tenant-admin").api
    everybody = admin.call("GET", "identity/users?limit=500")["items"]
    assert {one["tenant"] for one in everybody} == {"acme"}
    grants = admin.call("GET", "identity/grants?limit=500")["items"]
    assert {one["pattern"].partition("/")[0] for one in grants} == {"acme"}


@pytest.mark.parametrize(
    "name", [*BY_BODY, "GET /api/v1/config/search/{tenant}", "DELETE /api/v1/identity/grants/{grant}"]
)
def test_a_refusal_is_in_the_own_trail_wherever_the_place_stood(house: House, name: str) -> None:
    route = next(route for route in ROUTES if str(route) == name)
    user = house._user("acme", f"v-{abs(hash(name))}")
    house._grant(user, "tenant-admin", "acme")
    holder = Holder("fresh", ("*:*",), ("acme", ANY, ANY, ANY), house._signed_in(f"v-{abs(hash(name))}", "acme"))
    if name.startswith("DELETE"):
        answer = holder.api.answer("DELETE", f"identity/grants/{house.foreign_grant}")
    else:
        make = BY_BODY.get(name, ("", None))[1]
        answer = send(holder, route, FOREIGN, house, make(FOREIGN) if make else None)
    assert answer.status_code == 404, answer.text
    row = house.eventually_denied(actor=user)
    assert (row["outcome"], row["tenant"], row["actor_id"]) == ("deny", "globex", user)
    assert row["request_id"] == answer.headers["x-request-id"]
    assert not house.denied("globex", actor=user), "nobody writes into a stranger's trail"


def test_a_flood_of_refusals_is_counted_and_not_written_out(house: House) -> None:
    user = house._user("acme", "flood")
    api = house._signed_in("flood", "acme")
    wild = ["globex", "nowhere", "g" * 3000, "gl%00bex", "%ff%fe", "GLOBEX", "globex%2f", "*", "..", "%2e%2e"]
    for number in range(60):
        answer = api.answer("GET", f"config/{wild[number % len(wild)]}/prod/bank/ledger/status")
        assert answer.status_code in {404, 403}, answer.text
    rows = house.denied(actor=user)
    assert 1 <= len(rows) <= 5, "the first few in full, the rest as a count"
    assert house.root.call("POST", "audit/tenants/acme/verify")["intact"]
    assert house.root.call("POST", "audit/verify")["intact"]
