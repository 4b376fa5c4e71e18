"""The configuration center over HTTP: layers explained, secrets kept, search, export and import."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.platform import Api, Platform

ORDER, COMMON, COPY = "acme/dev/trade/order", "acme/dev/trade/common", "acme/dev/trade/copy"
NEW = {"If-Match": "0"}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with Platform() as platform:
        made = platform.administrator()
        for scope in (ORDER, COMMON, COPY):
            made.make_application(scope)
        base = {"format": "yaml", "document": "# pools\ndb:\n  pool: 5\n  url: x\n", "public": True}
        made.call("PUT", f"config/{COMMON}/namespaces/base", {"body": base}, **NEW)
        made.publish(COMMON)
        own = {
            "format": "properties",
            "inherits": "trade/common/base",
            "items": {
                "db.pool": {"value": "9", "type": "number"},
                "password": {"value": {"$secret": {"value": "s3cret"}}},
            },
        }
        blue = {"format": "properties", "items": {"db.pool": {"value": "20", "type": "number"}}}
        made.call("PUT", f"config/{ORDER}/namespaces/application", {"body": own}, **NEW)
        made.call("PUT", f"config/{ORDER}/namespaces/application@blue", {"body": blue}, **NEW)
        made.publish(ORDER)
        yield made


def effective(api: Api, query: str = "") -> dict[str, Any]:
    return {one["key"]: one for one in api.call("GET", f"config/{ORDER}/effective{query}")["values"]}


@pytest.mark.process
def test_each_value_tells_where_it_comes_from_and_what_it_covers(api: Api) -> None:
    blue, other = effective(api, "?cluster=blue"), effective(api)
    assert (blue["db.pool"]["value"], other["db.pool"]["value"]) == (20, 9)
    assert [one["value"] for one in blue["db.pool"]["shadowed"]] == [9, 5]
    assert blue["db.url"]["inherited"]
    assert blue["db.url"]["origin"].startswith("trade/common/base")


@pytest.mark.process
def test_a_secret_is_shown_to_whom_may_see_it_and_that_is_written_down(api: Api) -> None:
    assert "s3cret" not in str(effective(api))
    assert effective(api, "?key=password&reveal=true")["password"]["value"] == "s3cret"
    revealed = api.call("GET", f"config/{ORDER}/namespaces/application/revealed")
    assert revealed["body"]["items"]["password"]["value"]["$secret"]["value"] == "s3cret"
    seen = [one["action"] for one in api.call("GET", "audit/tenants/acme/records?limit=50")["items"]]
    assert seen.count("config.namespace:reveal") >= 2
    everything = str(api.call("GET", f"config/{ORDER}/releases/1")) + str(api.call("GET", "audit/tenants/acme/records"))
    assert "s3cret" not in everything


@pytest.mark.process
def test_search_finds_keys_and_values_and_never_secrets(api: Api) -> None:
    hits = api.call("GET", "config/search/acme?words=pool")["items"]
    assert {(one["namespace"], one["value"]) for one in hits} >= {("base", "5"), ("application", "9")}
    assert api.call("GET", "config/search/acme?words=password")["items"]
    assert not api.call("GET", "config/search/acme?words=s3cret")["items"]
    assert not api.call("GET", "config/search/acme?words=%25%25")["items"]


@pytest.mark.process
def test_an_application_goes_out_and_comes_in_elsewhere_as_drafts(api: Api) -> None:
    hidden = api.answer("GET", f"config/{ORDER}/export").content
    assert b"s3cret" not in hidden
    refused = api.client.post(f"/api/v1/config/{COPY}/import", content=hidden)
    assert refused.status_code == 422
    assert "reveal" in refused.json()["problems"][0]["message"]
    whole = api.answer("GET", f"config/{ORDER}/export?reveal=true").content
    dry = api.client.post(f"/api/v1/config/{COPY}/import?dry_run=true", content=whole).json()
    assert [(one["namespace"], one["action"]) for one in dry["lines"]] == [
        ("application", "add"),
        ("application@blue", "add"),
    ]
    assert api.call("GET", f"config/{COPY}/drafts")["pending"] == []
    done = api.client.post(f"/api/v1/config/{COPY}/import", content=whole)
    assert done.status_code == 200, done.text
    assert len(api.call("GET", f"config/{COPY}/drafts")["pending"]) == 2
    api.publish(COPY)
    again = api.client.post(f"/api/v1/config/{COPY}/import?policy=merge", content=hidden)
    assert again.status_code == 200, again.text
    kept = api.call("GET", f"config/{COPY}/namespaces/application/revealed")
    assert kept["body"]["items"]["password"]["value"]["$secret"]["value"] == "s3cret"
    conflict = api.client.post(f"/api/v1/config/{COPY}/import/application?format=json", content=b'{"db": {"pool": 1}}')
    assert conflict.status_code == 409


@pytest.mark.process
@pytest.mark.parametrize(
    ("kind", "text"), [("yaml", "a: [1\nb: 2"), ("json", '{"a": 1,\n "a": 2}'), ("toml", "a = 1\nb = = 2\n")]
)
def test_what_cannot_be_read_is_refused_with_line_and_column(api: Api, kind: str, text: str) -> None:
    body = {"body": {"format": kind, "document": text}}
    api.call("PUT", f"config/{ORDER}/namespaces/broken", body, **{"If-Match": "*"})
    refused = api.answer("POST", f"config/{ORDER}/releases", {"expected_revision": api.revision(ORDER)})
    assert (refused.status_code, refused.json()["code"]) == (422, "resource.invalid_drafts")
    problem = refused.json()["problems"][0]
    assert problem["line"] == 2
    assert problem["column"] >= 1
    api.call("DELETE", f"config/{ORDER}/namespaces/broken/draft", **{"If-Match": "*"})


@pytest.mark.process
def test_a_schema_is_checked_before_publishing(api: Api) -> None:
    schema = '{"properties": {"pool": {"type": "integer", "maximum": 10}}, "required": ["pool"]}'
    body = {"body": {"format": "yaml", "document": "pool: 50\n", "schema": schema}}
    api.call("PUT", f"config/{ORDER}/namespaces/limits", body, **{"If-Match": "*"})
    checked = api.call("POST", f"config/{ORDER}/check", {})
    assert checked["ok"] is False
    assert (checked["problems"][0]["path"], checked["problems"][0]["line"]) == ("pool", 1)
    api.call("DELETE", f"config/{ORDER}/namespaces/limits/draft", **{"If-Match": "*"})
