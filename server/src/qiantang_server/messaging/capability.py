"""Capability of messaging: its manifest. Its resources are delivered to applications, which do the rest."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from qiantang.messaging.model import kinds
from qiantang_server.kernel.capability import Capability, Kernel, Opened
from qiantang_server.kernel.resources import Limits, ResourceKind
from qiantang_server.messaging import rules

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
        is_public=rules.is_public,
        texts=rules.texts,
    ),
    _kind(
        kinds.TOPIC,
        "topics",
        "topics",
        kinds.TopicBody,
        check_name=rules.check_topic_name,
        check=rules.check_topic,
        is_public=rules.is_public,
        refers=rules.refers_of_topic,
        texts=rules.texts,
    ),
    _kind(
        kinds.SUBSCRIPTION,
        "subscriptions",
        "subscriptions",
        kinds.SubscriptionBody,
        check=rules.check_subscription,
        refers=rules.refers_of_subscription,
        texts=rules.texts,
    ),
    _kind(kinds.KEY, "keys", "message keys", kinds.KeyBody, check=rules.check_key, is_public=rules.is_public),
    _kind(
        kinds.POLICY,
        "policies",
        "message policies",
        kinds.PolicyBody,
        check_name=rules.check_policy_name,
        check=rules.check_policy,
        texts=rules.texts,
    ),
    _kind(kinds.SOURCE, "sources", "message sources", kinds.SourceBody, links=rules.links, texts=rules.texts),
)


@asynccontextmanager
async def opened(_kernel: Kernel) -> AsyncGenerator[Opened, None]:
    """Open with nothing beyond the kinds."""
    yield Opened()


MESSAGING = Capability(name=kinds.CAPABILITY, title="Messaging", kinds=KINDS, open=opened)
