"""Capability of the configuration center: its manifest."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from qiantang.config import model
from qiantang.kernel import secret
from qiantang_server.config.rules import documents
from qiantang_server.config.rules.limits import DEFAULT
from qiantang_server.config.settings import ConfigSettings
from qiantang_server.kernel.capability import Capability, Kernel, Opened
from qiantang_server.kernel.resources import Limits, ResourceKind


def _deliver(body: Any) -> Any:
    secrets: list[str] = []

    def plain(path: str, inside: dict[str, Any]) -> Any:
        secrets.append(path)
        return inside["value"]

    opened = secret.replace_secrets(body, plain)
    if body["format"] == "properties":
        data = model.tree.nest({key: item["value"] for key, item in opened.get("items", {}).items()})
        secrets = [path.removeprefix("items.").removesuffix(".value") for path in secrets]
    else:
        data = documents.parse(body["format"], opened.get("document", ""), DEFAULT).data
        secrets = [""] if secrets else []
    return {
        "format": body["format"],
        "data": data,
        "public": body.get("public", False),
        "inherits": body.get("inherits", ""),
        "secrets": secrets,
    }


NAMESPACE = ResourceKind(
    capability=model.CAPABILITY,
    name=model.KIND,
    plural="namespaces",
    title="configuration namespaces",
    model=model.Namespace,
    limits=Limits(resource_bytes=4 << 20, bundle_bytes=16 << 20, bundle_count=500),
    check_name=model.check_name,
    deliver=_deliver,
    is_public=lambda body: bool(body.get("public")),
)


@asynccontextmanager
async def opened(_kernel: Kernel) -> AsyncGenerator[Opened, None]:
    """Open the room."""
    yield Opened()


CONFIG = Capability(
    name=model.CAPABILITY, title="Configuration", open=opened, settings=ConfigSettings, kinds=[NAMESPACE]
)
