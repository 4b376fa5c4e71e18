"""Capability of messaging: its manifest. Its resources are delivered to applications, which do the rest. What died there the
servers show, and send again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec

from qiantang.messaging.model import kinds
from qiantang_server.kernel.capability import Capability, Kernel, Opened
from qiantang_server.kernel.resources import Limits, ResourceKind, contents
from qiantang_server.messaging import api, rules
from qiantang_server.messaging.service import Buses, DeadLetters
from qiantang_server.messaging.service.dead_letters import PERMISSIONS
from qiantang_server.messaging.settings import MessagingSettings

LIMITS = Limits(resource_bytes=256 << 10, bundle_bytes=8 << 20, bundle_count=2000)


def _kind(name: str, plural: str, title: str, model: type[msgspec.Struct], **rules_of_it: Any) -> ResourceKind:
    return ResourceKind(
        capability=kinds.CAPABILITY, name=name, plural=plural, title=title, model=model, limits=LIMITS, **rules_of_it
    )


KINDS = (
    _kind(
        kinds.CLUSTER,
        "clusters",
        "clusters",
        kinds.ClusterBody,
        check=rules.check_cluster,
        is_public=contents.is_public,
        texts=contents.texts,
    ),
    _kind(
        kinds.TOPIC,
        "topics",
        "topics",
        kinds.TopicBody,
        check_name=rules.check_topic_name,
        check=rules.check_topic,
        is_public=contents.is_public,
        refers=rules.refers_of_topic,
        texts=contents.texts,
    ),
    _kind(
        kinds.SUBSCRIPTION,
        "subscriptions",
        "subscriptions",
        kinds.SubscriptionBody,
        check=rules.check_subscription,
        refers=rules.refers_of_subscription,
        texts=contents.texts,
    ),
    _kind(kinds.KEY, "keys", "message keys", kinds.KeyBody, check=rules.check_key, is_public=contents.is_public),
    _kind(
        kinds.POLICY,
        "policies",
        "message policies",
        kinds.PolicyBody,
        check_name=rules.check_policy_name,
        check=rules.check_policy,
        texts=contents.texts,
    ),
    _kind(
        kinds.SOURCE,
        "sources",
        "message sources",
        kinds.SourceBody,
        links=contents.application_named,
        texts=contents.texts,
    ),
)


@asynccontextmanager
async def opened(kernel: Kernel) -> AsyncGenerator[Opened, None]:
    """Open the room; buses are opened as they are asked for."""
    buses = Buses(kernel.watch, cast("MessagingSettings", kernel.settings[kinds.CAPABILITY]))
    idle = asyncio.create_task(buses.close_idle(), name="idle buses")
    try:
        yield Opened(routes=[api.router(DeadLetters(buses, kernel.database))])
    finally:
        idle.cancel()
        await asyncio.wait({idle})
        await buses.close()


MESSAGING = Capability(
    name=kinds.CAPABILITY,
    title="Messaging",
    kinds=KINDS,
    open=opened,
    settings=MessagingSettings,
    permissions=PERMISSIONS,
)
