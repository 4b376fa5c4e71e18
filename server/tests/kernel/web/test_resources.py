"""Resources over HTTP: the generic routes, as a program calls them."""

from __future__ import annotations

from server.tests.kernel.web.conftest import Running

NOTES = "/api/v1/test/acme/dev/trade/order/notes"
BUNDLE = "/api/v1/test/acme/dev/trade/order"


async def test_draft_publish_read_and_roll_back(running: Running) -> None:
    saved = await running.call("owner", "PUT", f"{NOTES}/a", json={"body": {"text": "hi"}}, headers={"If-Match": "0"})
    assert saved.status_code == 200, saved.text
    assert saved.headers["ETag"] == f'"{saved.json()["version"]}"'
    published = await running.call("owner", "POST", f"{BUNDLE}/releases", json={"expected_revision": 0})
    assert published.status_code == 200, published.text
    assert published.json()["release"]["revision"] == 1
    listed = await running.call("reader", "GET", NOTES)
    assert [one["name"] for one in listed.json()["items"]] == ["a"]
    status = await running.call("reader", "GET", f"{BUNDLE}/status")
    assert status.json()["position"] == [1, 1]
    detail = await running.call("reader", "GET", f"{BUNDLE}/releases/1")
    assert detail.json()["resources"][0]["body"] == {"text": "hi"}


async def test_errors_are_problems_with_codes_and_the_requests_id(running: Running) -> None:
    missing = await running.call("owner", "GET", f"{NOTES}/nothing", headers={"X-Request-Id": "abc-1"})
    assert missing.status_code == 404
    assert missing.headers["content-type"].startswith("application/problem+json")
    assert missing.json()["code"] == "not_found"
    assert missing.json()["request_id"] == missing.headers["x-request-id"] == "abc-1"
    blind = await running.call("owner", "PUT", f"{NOTES}/a", json={"body": {"text": "hi"}})
    assert blind.status_code == 422
    assert "If-Match" in blind.json()["detail"]
    wrong = await running.call("owner", "POST", f"{BUNDLE}/releases", json={"expected_revision": "x", "bogus": 1})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_request")
    stale = await running.call("owner", "POST", f"{BUNDLE}/rollback", json={"to_revision": 0, "expected_revision": 7})
    assert (stale.status_code, stale.json()["facts"]["revision"]) == (412, 0)
    lost = await running.client.get("/api/v1/nowhere")
    assert (lost.status_code, lost.json()["code"]) == (404, "not_found")
    method = await running.call("owner", "PATCH", NOTES)
    assert (method.status_code, method.json()["code"]) == (405, "method_not_allowed")


async def test_who_may_not_is_told_why_and_a_stranger_sees_nothing(running: Running) -> None:
    anonymous = await running.client.get(NOTES)
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, "unauthenticated")
    reader = await running.call("reader", "PUT", f"{NOTES}/a", json={"body": {"text": "x"}}, headers={"If-Match": "0"})
    assert reader.status_code == 403
    assert reader.json()["facts"]["permission"] == "test.note:update"
    stranger = await running.call("stranger", "GET", NOTES)
    assert (stranger.status_code, stranger.json()["code"]) == (404, "not_found")


async def test_a_cookie_needs_proof_of_the_same_site(running: Running) -> None:
    cookie = {"Cookie": "qiantang=owner"}
    read = await running.client.get(NOTES, headers=cookie)
    assert read.status_code == 200
    command = {"expected_revision": 0}
    forged = await running.client.post(f"{BUNDLE}/releases", json=command, headers=cookie)
    assert (forged.status_code, forged.json()["code"]) == (403, "access.cross_site")
    honest = {**cookie, "X-Qiantang": "1", "Sec-Fetch-Site": "same-origin"}
    passed = await running.client.post(f"{BUNDLE}/releases", json=command, headers=honest)
    assert passed.json()["code"] == "conflict"


async def test_probes_and_figures_need_nobody(running: Running) -> None:
    assert (await running.client.get("/healthz")).json()["alive"] is True
    assert (await running.client.get("/")).text.startswith("qiantang 1, server n1")
    ready = await running.client.get("/readyz")
    assert (ready.status_code, ready.json()["parts"]["database"]) == (200, "ok")
    figures = (await running.client.get("/metrics")).text
    assert 'qiantang_http_requests_total{method="GET",route="/readyz",status="200"}' in figures


async def test_the_openapi_document_lists_the_routes(running: Running) -> None:
    document = (await running.client.get("/api/v1/openapi/openapi.json")).json()
    assert "/api/v1/test/{tenant}/{environment}/{center}/{application}/notes/{name}" in document["paths"]


async def test_every_kind_tells_its_schema(running: Running) -> None:
    kinds = (await running.call("reader", "GET", "/api/v1/kinds")).json()
    assert [(one["capability"], one["name"], one["plural"]) for one in kinds] == [("test", "note", "notes")]
    assert kinds[0]["schema"]["$defs"]["Note"]["required"] == ["text"]
