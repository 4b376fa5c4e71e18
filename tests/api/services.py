"""Services on a running platform: one that is published, and a request to call it."""

from __future__ import annotations

from typing import Any

from qiantang.catalog.model import kinds
from qiantang.rpc.model.definition import definition_of, document_of, service
from tests.servers.platform import Api

NAME = "shop.Orders"


@service(NAME, version="1.0.0")
class Orders:
    async def price(self, article: str, count: int = 1) -> float: ...


def body(**more: Any) -> dict[str, Any]:
    """Give the body of a service."""
    return {**kinds.body_of(NAME, document_of(definition_of(Orders))), **more}


def serve(api: Api, scope: str, **more: Any) -> None:
    """Have an application provide the service, with what is given in place of the rest of its body."""
    path = f"catalog/{scope}"
    api.call("PUT", f"{path}/services/{NAME}", {"body": body(**more)}, **{"If-Match": "*"})
    if api.call("GET", f"{path}/drafts")["pending"]:
        revision = api.call("GET", f"{path}/status")["position"][1]
        api.call("POST", f"{path}/releases", {"expected_revision": revision, "only": [["service", NAME]]})


def ask(api: Api, consumer: str, provider: str, reason: str = "to sell") -> str:
    """Have an application ask for the service; give the id of the request."""
    _, _, center, application = provider.split("/")
    command = {"center": center, "application": application, "service": NAME, "reason": reason}
    return str(api.call("POST", f"catalog/{consumer}/access-requests", command)["id"])
