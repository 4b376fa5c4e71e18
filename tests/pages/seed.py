"""Seed: what a lived-in tenant holds: releases, drafts, requests, a gray release, secrets, people, hostile names."""

from __future__ import annotations

from typing import Any

from tests.pages.browser import Estate

HOSTILE = "<img src=x onerror=window.pwned=1>"
SCOPE = "acme/dev/trade/order"
PROD = "acme/prod/trade/order"


def namespace(values: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Give the body of a namespace in properties format."""
    items = {key: value if isinstance(value, dict) else {"value": str(value)} for key, value in values.items()}
    return {"body": {"format": "properties", "items": items, **more}}


def put(estate: Estate, scope: str, name: str, body: dict[str, Any], by: Any = None) -> None:
    """Draft a namespace over whatever is there."""
    (by or estate.api).call("PUT", f"config/{scope}/namespaces/{name}", body, **{"If-Match": "*"})


def fill(estate: Estate) -> None:
    """Bring the estate to where every page has something to show. Twice is once."""
    api = estate.api
    lin = estate.person("lin", "developer", "publisher")
    mei = estate.person("mei", "tenant-admin")
    first = {
        "order.create.timeout_ms": 1500,
        "order.pay.expire": "30m",
        "order.mysql.password": {"value": {"$secret": {"value": "s3cret-dsn"}}},
        "order.hostile": {"value": HOSTILE, "comment": HOSTILE},
        "order.long": "x" * 2000,
    }
    put(estate, SCOPE, "application", namespace(first, description=HOSTILE))
    put(estate, SCOPE, "limits", {"body": {"format": "yaml", "document": "stock:\n  qps: 400\n  burst: 40\n"}})
    api.publish(SCOPE, message="the first settings")
    for number in range(3):
        put(estate, SCOPE, "application", namespace({**first, "order.create.timeout_ms": 1600 + number}))
        api.publish(SCOPE, message=f"{HOSTILE} {number}")
    put(estate, SCOPE, "application", namespace({**first, "order.create.timeout_ms": 2000, "order.new": "yes"}))
    put(estate, PROD, "application", namespace(first), by=estate.as_person(lin))
    estate.as_person(lin).publish(PROD, message="please look at this")
    api.call(
        "POST",
        "identity/tenants/acme/roles",
        {"name": "watcher", "title": HOSTILE, "permissions": ["config.namespace:read"]},
    )
    grant = {"user": lin.id, "role": "watcher", "pattern": "acme/dev", "reason": HOSTILE}
    api.call("POST", "identity/grants", grant)
    assert mei
