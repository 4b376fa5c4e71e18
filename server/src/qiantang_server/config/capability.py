"""Capability of the configuration center: its manifest."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

from qiantang.config import model
from qiantang_server.config import api
from qiantang_server.config.rules import checks, delivery, diffs, texts
from qiantang_server.config.rules.limits import DEFAULT
from qiantang_server.config.service import Configuration
from qiantang_server.config.settings import ConfigSettings
from qiantang_server.kernel.capability import Capability, Kernel, Opened
from qiantang_server.kernel.resources import Limits, ResourceKind

ENVELOPE = 3
"""A stored body is at most this many times its text: JSON escapes, and secrets grow by a third."""


def _deliver(body: Any) -> Any:
    return delivery.deliver(body)


NAMESPACE = ResourceKind(
    capability=model.CAPABILITY,
    name=model.KIND,
    plural="namespaces",
    title="configuration namespaces",
    model=model.Namespace,
    limits=Limits(resource_bytes=ENVELOPE * DEFAULT.namespace_bytes, bundle_bytes=16 << 20, bundle_count=500),
    check_name=model.check_name,
    check=checks.check,
    deliver=_deliver,
    is_public=delivery.is_public,
    links=delivery.links,
    texts=texts.texts,
    differences=diffs.differences,
)


@asynccontextmanager
async def opened(kernel: Kernel) -> AsyncGenerator[Opened, None]:
    """Open the room."""
    settings = cast("ConfigSettings", kernel.settings["config"])
    service = Configuration(kernel.resources, kernel.watch, settings)
    yield Opened(routes=[api.router(service)])


CONFIG = Capability(
    name=model.CAPABILITY, title="Configuration", open=opened, settings=ConfigSettings, kinds=[NAMESPACE]
)
