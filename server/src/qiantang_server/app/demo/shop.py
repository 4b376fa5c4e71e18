"""Shop: what the demo consists of. Names alone: nothing here does anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qiantang.config.model import CAPABILITY
from qiantang.kernel import resource, scope

TENANT = "demo"
TITLE = "Qiantang Teahouse (demo)"
ENVIRONMENTS = {"dev": "Development", "prod": "Production"}
PROTECTED = "prod"
CENTERS = {"trade": "Trade", "finance": "Finance"}


@dataclass(frozen=True, slots=True)
class Running:
    """An instance of a service. `canary`: it takes what is released to some first."""

    name: str
    environment: str
    cluster: str
    canary: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A program of `estate/` and its instances, which one process runs.

    `hears_all`: its callbacks are told of the settings that it starts with as well, as of a change from nothing.
    """

    name: str
    title: str
    center: str
    instances: tuple[Running, ...]
    hears_all: bool = False

    def place(self, environment: str) -> scope.Scope:
        """Give the application's place in an environment."""
        return scope.Scope(tenant=TENANT, environment=environment, center=self.center, application=self.name)

    def bundle(self, environment: str, capability: str = CAPABILITY) -> resource.Bundle:
        """Give the bundle of its settings in an environment, or of another capability."""
        return resource.Bundle(scope=self.place(environment), capability=capability)


def _instances(service: str, *clusters: str) -> tuple[Running, ...]:
    """Give one instance in each of these clusters of prod, the last of three or more as the canary, and one in dev."""
    count = len(clusters)
    prod = [
        Running(f"{service}-{number}", "prod", cluster, canary=number == count > 2)
        for number, cluster in enumerate(clusters, start=1)
    ]
    return (*prod, Running(f"{service}-dev-1", "dev", "hz-a"))


ORDER = Service("order", "Orders", "trade", _instances("order", "hz-a", "hz-a", "hz-b"))
STOCK = Service("stock", "Stock", "trade", _instances("stock", "hz-a", "hz-b"))
BILLING = Service("billing", "Billing", "finance", _instances("billing", "hz-a", "hz-b"), hears_all=True)
SERVICES = (ORDER, STOCK, BILLING)
INSTANCES = sum(len(service.instances) for service in SERVICES)


def places() -> Iterator[tuple[Service, str]]:
    """Give each service with each environment."""
    for service in SERVICES:
        for environment in ENVIRONMENTS:
            yield service, environment


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who works there, with the roles held where."""

    name: str
    title: str
    roles: tuple[tuple[str, str], ...]


APPROVER = "approver"
"""A role of the tenant's own."""
APPROVER_LINES: tuple[str, ...] = ("*:read", "*:list", "*:approve", "!*:reveal", "!watch.*:*", "!audit.*:*")

ADA = Member("ada", "Ada Fontaine", (("tenant-admin", TENANT),))
LIN = Member("lin", "Lin Chen", (("developer", TENANT), ("publisher", TENANT)))
MEI = Member("mei", "Mei Sato", ((APPROVER, f"{TENANT}/{PROTECTED}"), ("auditor", TENANT)))
MEMBERS = (ADA, LIN, MEI)
