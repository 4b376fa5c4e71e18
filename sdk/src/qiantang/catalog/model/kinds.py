"""Kinds: a service in the bundle of the application that provides it, and a subscription in that of one that calls it.

A service is registered by publishing it, put online and offline by publishing another state, and deregistered by publishing its
removal. A subscription links its application to a provider, whose services that are online it is given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec

from qiantang.kernel import errors, resource, wire
from qiantang.kernel.scope import Name, Who
from qiantang.registry.model import SERVICE, ServiceName
from qiantang.rpc.model.definition import ServiceDocument

CAPABILITY: Final = "catalog"
SERVICE_KIND: Final = "service"
SUBSCRIPTION_KIND: Final = "subscription"
State = Literal["registered", "online", "offline"]
Access = Literal["open", "subscribers"]
REGISTERED: Final = "registered"
ONLINE: Final = "online"
OFFLINE: Final = "offline"
OPEN: Final = "open"
SUBSCRIBERS: Final = "subscribers"
MOST_SUBSCRIBERS: Final = 1000

Description = Annotated[str, msgspec.Meta(max_length=4000)]
Version = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$(?!\n)")]
Group = Annotated[str, msgspec.Meta(pattern=rf"^{SERVICE}$(?!\n)")]
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}$(?!\n)")]


class ServiceBody(wire.Command, frozen=True):
    """The body of a resource of kind "service", which is called as the service. `document` is what was exported from code;
    `subscribers` may call where `access` says so: applications (center/application), or all of a center.
    """

    version: Version
    digest: Digest
    document: ServiceDocument
    group: Group = "default"
    state: State = REGISTERED
    access: Access = OPEN
    subscribers: Annotated[list[Who], msgspec.Meta(max_length=MOST_SUBSCRIBERS)] = []
    description: Description = ""


class SubscriptionBody(wire.Command, frozen=True):
    """The body of a resource of kind "subscription": services of one application that this one calls. Its name is free."""

    center: Name
    application: Name
    services: Annotated[list[ServiceName], msgspec.Meta(min_length=1, max_length=500)]
    description: Description = ""


class Offer(NamedTuple):
    """A service as it was delivered, and who provides it (center/application)."""

    provider: str
    body: ServiceBody


class Offers(NamedTuple):
    """What an application was delivered of the catalog.

    provided: its own services, whatever their state. subscribers: of those that are not open, who may call.
    given: what it subscribed to and may find, by service; several where more than one application provides it.
    awaited: (provider, service) pairs that it subscribed to and that are not online, or not delivered yet.
    """

    provided: Mapping[str, ServiceBody]
    subscribers: Mapping[str, Collection[str]]
    given: Mapping[str, tuple[Offer, ...]]
    awaited: frozenset[tuple[str, str]]


def body_of(name: str, document: ServiceDocument, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give the body that a definition makes: of a new service, or of one that is there, whose state and subscribers stay.

    Raises:
        InvalidRequestError: it is no body of a service; the detail says why.
    """
    told = {"version": document.version, "group": document.group, "digest": document.digest}
    new: dict[str, Any] = {"state": REGISTERED, "access": OPEN, "subscribers": []}
    made = {**new, **(before or {}), **told, "document": wire.decode(wire.encode(document), dict[str, Any])}
    wire.convert(made, ServiceBody)
    if name != document.name:
        raise errors.InvalidRequestError(f"the definition of {document.name} is none of {name}")
    return made


def may_call(body: ServiceBody, who: str) -> bool:
    """Say whether an application (center/application) may call a service, which is asked only of what is online."""
    return body.access == OPEN or who in body.subscribers or who.partition("/")[0] in body.subscribers


def assemble(own: resource.Snapshot, linked: Iterable[resource.Snapshot] = ()) -> Offers:
    """Make what was delivered into what an application provides, and what it may call of others.

    Raises:
        InvalidRequestError: it is not what a control plane delivers.
    """
    provided = _services(own)
    wanted: set[tuple[str, str]] = set()
    for entry in own.entries:
        if entry.kind == SUBSCRIPTION_KIND:
            body = wire.decode(bytes(entry.content), SubscriptionBody)
            wanted |= {(f"{body.center}/{body.application}", service) for service in body.services}
    given: dict[str, tuple[Offer, ...]] = {}
    for snapshot in linked:
        provider = f"{snapshot.bundle.scope.center}/{snapshot.bundle.scope.application}"
        for name, body in _services(snapshot).items():
            if (provider, name) in wanted and body.state == ONLINE:
                given[name] = (*given.get(name, ()), Offer(provider, body))
    there = {(offer.provider, name) for name, offers in given.items() for offer in offers}
    return Offers(
        provided=provided,
        subscribers={name: frozenset(body.subscribers) for name, body in provided.items() if body.access != OPEN},
        given=given,
        awaited=frozenset(wanted - there),
    )


def _services(snapshot: resource.Snapshot) -> dict[str, ServiceBody]:
    return {
        entry.name: wire.decode(bytes(entry.content), ServiceBody)
        for entry in snapshot.entries
        if entry.kind == SERVICE_KIND
    }
