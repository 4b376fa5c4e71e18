"""Messages: what the shop's services tell each other, and the broker that carries it: embedded, or one that somebody runs already.

The orders of prod go over that one. Those of dev stay in a file of this machine, so that the two never meet.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from qiantang.messaging.model import kinds
from qiantang_server.app.demo import shop
from qiantang_server.app.demo.bodies import Body
from qiantang_server.app.demo.shop import ORDER, Service
from qiantang_server.kernel.resources.state import Key
from qiantang_server.messaging.rules import has_password

TAKEN = "order.taken"
CLUSTER = "main"
ENVIRONMENT = shop.PROTECTED
"""Where another broker may carry them."""
SCHEMES = {"kafka": "kafka", "rabbitmq": "amqp", "activemq": "stomp", "rocketmq": "rocketmq"}
"""Brokers that the messages may go over, with what their addresses begin with."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker: the name of its adapter, and its address."""

    adapter: str
    url: str

    @classmethod
    def at(cls, adapter: str, place: str) -> Broker:
        """Give the broker at `host:port`, or at an address as its adapter reads it."""
        return cls(adapter, place if "://" in place else f"{SCHEMES[adapter]}://{place}")

    @classmethod
    def embedded(cls, folder: Path, environment: str) -> Broker:
        """Give the one that needs nothing: a file."""
        return cls("sql", f"sqlite:///{quote(str(folder.absolute() / f'messages-{environment}.sqlite3'))}")

    @property
    def mark(self) -> str:
        """What says which one it is, without what is secret in its address."""
        return hashlib.sha256(f"{self.adapter} {self.url}".encode()).hexdigest()

    @property
    def shown(self) -> str:
        """What it is and where, without a name and a password."""
        place = self.url.rpartition("@")[2].rpartition("://")[2].partition("?")[0]
        return f"the file {place.removeprefix('/')}" if self.adapter == "sql" else f"{self.adapter} at {place}"


def bodies(service: Service, broker: Broker) -> dict[Key, Body]:
    """Give what a service's bundle of messaging holds: the orders' own cluster and topic, and who listens to them."""
    if service is ORDER:
        topic = {"clusters": [CLUSTER], "public": True, "description": "an order was taken"}
        return {(kinds.CLUSTER, CLUSTER): cluster(broker), (kinds.TOPIC, TAKEN): topic}
    listens = {
        "group": service.name,
        "topic": TAKEN,
        "order": "key",
        "description": f"{service.name} hears of each order",
    }
    return {
        (kinds.SOURCE, ORDER.name): {"center": ORDER.center, "application": ORDER.name},
        (kinds.SUBSCRIPTION, f"{service.name}-{TAKEN}"): listens,
    }


def cluster(broker: Broker) -> Body:
    """Give the cluster that is one broker."""
    url = {"$secret": {"value": broker.url}} if has_password(broker.url) else broker.url
    return {
        "adapter": broker.adapter,
        "resources": [{"name": "one", "url": url}],
        "public": True,
        "description": "what carries the shop's messages",
    }


def moved(broker: Broker) -> dict[Key, Body]:
    """Give what changes in the orders' bundle when another broker carries its messages."""
    return {(kinds.CLUSTER, CLUSTER): cluster(broker)}
