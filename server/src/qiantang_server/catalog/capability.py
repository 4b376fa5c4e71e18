"""Capability of the catalog: its manifest. The life of services and subscriptions is the kernel's; who may call is decided here."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from qiantang.catalog.model import kinds
from qiantang_server.catalog import api, rules
from qiantang_server.catalog.service import AccessRequests, Listing
from qiantang_server.catalog.service.requests import PERMISSIONS
from qiantang_server.kernel.capability import Capability, Kernel, Opened
from qiantang_server.kernel.resources import Limits, ResourceKind

LIMITS = Limits(resource_bytes=256 << 10, bundle_bytes=8 << 20, bundle_count=500)

KINDS = (
    ResourceKind(
        capability=kinds.CAPABILITY,
        name=kinds.SERVICE_KIND,
        plural="services",
        title="services",
        model=kinds.ServiceBody,
        limits=LIMITS,
        check_name=rules.check_service_name,
        check=rules.check_service,
        check_change=rules.check_service_change,
        deliver=rules.deliver,
        is_public=rules.is_public,
        texts=rules.service_texts,
        differences=rules.differences,
    ),
    ResourceKind(
        capability=kinds.CAPABILITY,
        name=kinds.SUBSCRIPTION_KIND,
        plural="subscriptions",
        title="service subscriptions",
        model=kinds.SubscriptionBody,
        limits=LIMITS,
        check=rules.check_subscription,
        links=rules.links,
        texts=rules.subscription_texts,
    ),
)


@asynccontextmanager
async def opened(kernel: Kernel) -> AsyncGenerator[Opened, None]:
    """Open the room."""
    listing, requests = Listing(kernel.resources.parts), AccessRequests(kernel.resources)
    yield Opened(routes=[api.router(listing, requests)])


CATALOG = Capability(
    name=kinds.CAPABILITY,
    title="Catalog",
    kinds=KINDS,
    open=opened,
    permissions=PERMISSIONS,
    migrations=Path(__file__).parent / "migrations",
)
