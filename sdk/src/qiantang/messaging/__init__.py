"""Messaging: one way to send and to consume over RocketMQ, Kafka, ActiveMQ, RabbitMQ and SQL databases.

Names are imported at first use: the nouns on the wire do not cost the client.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qiantang.messaging.client import ConsumeInterceptor as ConsumeInterceptor
    from qiantang.messaging.client import Item as Item
    from qiantang.messaging.client import MessageBus as MessageBus
    from qiantang.messaging.client import Route as Route
    from qiantang.messaging.client import Router as Router
    from qiantang.messaging.client import SendInterceptor as SendInterceptor
    from qiantang.messaging.model import BacklogLimit as BacklogLimit
    from qiantang.messaging.model import Cluster as Cluster
    from qiantang.messaging.model import Context as Context
    from qiantang.messaging.model import Dead as Dead
    from qiantang.messaging.model import DeadLetterSettings as DeadLetterSettings
    from qiantang.messaging.model import Dedup as Dedup
    from qiantang.messaging.model import Died as Died
    from qiantang.messaging.model import Estate as Estate
    from qiantang.messaging.model import Message as Message
    from qiantang.messaging.model import OfflineStore as OfflineStore
    from qiantang.messaging.model import Packing as Packing
    from qiantang.messaging.model import RateLimit as RateLimit
    from qiantang.messaging.model import Reply as Reply
    from qiantang.messaging.model import Resource as Resource
    from qiantang.messaging.model import Retry as Retry
    from qiantang.messaging.model import RetryPolicy as RetryPolicy
    from qiantang.messaging.model import Sent as Sent
    from qiantang.messaging.model import Store as Store
    from qiantang.messaging.model import Subscription as Subscription
    from qiantang.messaging.model import Topic as Topic

_CLIENT = ("ConsumeInterceptor", "Item", "MessageBus", "Route", "Router", "SendInterceptor")
_MODEL = (
    *(
        "BacklogLimit",
        "Cluster",
        "Context",
        "Dead",
        "DeadLetterSettings",
        "Dedup",
        "Died",
        "Estate",
        "Message",
        "OfflineStore",
        "Packing",
        "Resource",
    ),
    *("RateLimit", "Reply", "Retry", "RetryPolicy", "Sent", "Store", "Subscription", "Topic"),
)
_HOMES = {
    **dict.fromkeys(_CLIENT, "qiantang.messaging.client"),
    **dict.fromkeys(_MODEL, "qiantang.messaging.model"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return value
