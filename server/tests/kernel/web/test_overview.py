"""The overview over HTTP: what its routes take, and that another tenant is as if it were not."""

from __future__ import annotations

import pytest

from server.tests.kernel.resources.notes import BUNDLE
from server.tests.kernel.web.conftest import PEOPLE, Running

ADA = PEOPLE["owner"]
ROUTES = ["bundles/acme", "work/acme", "search/acme?words=x"]


@pytest.mark.parametrize("path", ROUTES)
async def test_another_tenant_is_as_if_it_were_not(running: Running, path: str) -> None:
    foreign = await running.call("stranger", "GET", f"/api/v1/{path}")
    missing = await running.call("stranger", "GET", f"/api/v1/{path.replace('acme', 'nowhere')}")
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert foreign.json()["detail"].replace("acme", "nowhere") == missing.json()["detail"]
    assert (await running.client.get(f"/api/v1/{path}")).status_code == 401


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1000", "state=broken", "after=x", "environment=%00", "limit=x", "words=%00"]
)
async def test_a_wrong_question_is_a_problem(running: Running, query: str) -> None:
    answer = await running.call("owner", "GET", f"/api/v1/bundles/acme?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_bundles_and_work_cross_the_wire(running: Running) -> None:
    await running.life.edit(ADA, "a", "one")
    await running.life.publish(ADA, 0)
    await running.life.edit(ADA, "a", "two")
    listed = (await running.call("reader", "GET", "/api/v1/bundles/acme?words=ORD&state=drafts")).json()
    assert listed["next"] == ""
    (row,) = listed["items"]
    assert row["bundle"] == {
        "scope": {"tenant": "acme", "environment": "dev", "center": "trade", "application": "order"},
        "capability": BUNDLE.capability,
    }
    assert (row["position"], row["drafts"], row["published_by"]) == ([1, 1], 1, "owner")
    work = (await running.call("owner", "GET", "/api/v1/work/acme?environment=dev&limit=5")).json()
    assert [one["action"] for one in work["drafts"]] == ["change"]
    assert work["counts"]["bundles"] == 1
    assert [one["release"]["revision"] for one in work["releases"]] == [1]


async def test_kinds_tell_permissions_and_limits(running: Running) -> None:
    (kind,) = (await running.call("reader", "GET", "/api/v1/kinds")).json()
    assert kind["permissions"]["read"] == "test.note:read"
    assert set(kind["permissions"]) == {"read", "update", "publish", "rollback", "approve", "reveal"}
    assert (kind["bundle"], kind["resource_bytes"], kind["bundle_count"]) == (True, 4000, 12)


async def test_convergence_and_a_preview_need_read_and_no_more(running: Running) -> None:
    await running.life.edit(ADA, "a", "one")
    await running.life.publish(ADA, 0)
    base = "/api/v1/test/acme/dev/trade/order"
    found = (await running.call("reader", "GET", f"{base}/convergence")).json()
    assert (found["position"], found["total"], found["p50_ms"], found["by_cluster"]) == ([1, 1], 0, None, [])
    shown = await running.call("reader", "POST", f"{base}/gray/preview", json={"percent": 50})
    assert (shown.status_code, shown.json()) == (200, {"total": 0, "matching": 0, "instances": []})
    wrong = await running.call("reader", "POST", f"{base}/gray/preview", json={"percent": 101})
    assert wrong.status_code == 422
    for method, path in (("GET", "convergence"), ("POST", "gray/preview"), ("GET", "instances?state=failed&words=x")):
        foreign = await running.call("stranger", method, f"{base}/{path}", json={})
        assert foreign.status_code == 404
    listed = (await running.call("reader", "GET", f"{base}/instances?state=failed&words=%25")).json()
    assert listed == {"items": [], "next": ""}
    assert (await running.call("reader", "GET", f"{base}/instances?state=dead")).status_code == 422


async def test_the_search_asks_every_finder(running: Running) -> None:
    await running.life.edit(ADA, "limits", "limits are five")
    await running.life.publish(ADA, 0)
    found = (await running.call("reader", "GET", "/api/v1/search/acme?words=%20LIMIT%20")).json()
    assert [(one["type"], one["name"], one["path"]) for one in found] == [
        ("resource", "limits", ""),
        ("text", "limits", "text"),
    ]
    assert (await running.call("reader", "GET", "/api/v1/search/acme?words=%20")).json() == []
    for query in ("", "?words=", "?words=x&limit=21", "?words=%00", "?words=" + "x" * 201):
        answer = await running.call("reader", "GET", f"/api/v1/search/acme{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), query
