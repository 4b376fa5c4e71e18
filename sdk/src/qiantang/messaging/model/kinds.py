"""Kinds: how the nouns of an estate are governed by the control plane, and the estate that what was delivered makes.

An application's bundle holds what is its own. What it uses of another application's it names as a source: of that one it gets the
clusters, topics and keys that are public. Names are unique in all that an application gets.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from qiantang.kernel import errors, resource, secret, wire
from qiantang.kernel.scope import Name
from qiantang.messaging.model import estate
from qiantang.messaging.model.estate import KEY_BYTES, Estate, Url

CAPABILITY: Final = "messaging"
CLUSTER: Final = "cluster"
TOPIC: Final = "topic"
SUBSCRIPTION: Final = "subscription"
KEY: Final = "key"
POLICY: Final = "policy"
SOURCE: Final = "source"
POLICY_NAME: Final = "default"

Description = Annotated[str, msgspec.Meta(max_length=4000)]


class ResourceBody(estate.ResourceSettings, frozen=True, kw_only=True):
    """One broker of a cluster. An address with a password in it is written as a secret."""

    url: Url | secret.Secret


class ClusterBody(wire.Command, frozen=True):
    """The body of a resource of kind "cluster"; `public` for applications that name this one as a source."""

    adapter: Name
    resources: Annotated[list[ResourceBody], msgspec.Meta(min_length=1, max_length=64)]
    public: bool = False
    description: Description = ""


class TopicBody(estate.TopicSettings, frozen=True, kw_only=True):
    """The body of a resource of kind "topic"; `public` for applications that name this one as a source."""

    public: bool = False
    description: Description = ""


class DedupBody(estate.DedupSettings, frozen=True, kw_only=True):
    """Where a group notes what it has handled."""

    url: Url | secret.Secret


class SubscriptionBody(estate.SubscriptionSettings, frozen=True, kw_only=True):
    """The body of a resource of kind "subscription". Its name is free: group and topic say what it is."""

    dedup: DedupBody | None = None
    description: Description = ""


class KeyBody(wire.Command, frozen=True):
    """The body of a resource of kind "key": 32 bytes in base64 that bodies of topics are encrypted with, under its name."""

    key: secret.Secret
    public: bool = False
    description: Description = ""


class StoreBody(estate.StoreSettings, frozen=True, kw_only=True):
    """A database."""

    url: Url | secret.Secret


class PolicyBody(wire.Command, frozen=True):
    """The body of the one resource of kind "policy", "default": where what cannot be sent or done at once is kept, failures, and
    dead letters.
    """

    store: StoreBody | None = None
    offline: estate.OfflineStore | None = None
    outbox: StoreBody | None = None
    failures: estate.FailureLog | None = None
    dead_letters: estate.DeadLetterSettings | None = None
    description: Description = ""


class SourceBody(wire.Command, frozen=True):
    """The body of a resource of kind "source": an application whose public clusters, topics and keys this one uses."""

    center: Name
    application: Name
    description: Description = ""


class Assembled(NamedTuple):
    """What an application was delivered, as its bus takes it."""

    estate: Estate
    keys: Mapping[str, bytes]


def key_of(text: str) -> bytes:
    """Read a key.

    Raises:
        InvalidRequestError: not 32 bytes in base64. The detail does not show it.
    """
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise errors.InvalidRequestError("the key is not in base64") from error
    if len(found) != KEY_BYTES:
        raise errors.InvalidRequestError(f"the key has {len(found)} bytes: it must have {KEY_BYTES}")
    return found


def assemble(own: resource.Snapshot, linked: Iterable[resource.Snapshot] = ()) -> Assembled:
    """Make the estate of what was delivered.

    Raises:
        InvalidRequestError: it is not what a control plane delivers, or two applications give the same name; the detail says which.
    """
    making = _Making()
    for snapshot in (own, *linked):
        making.take(snapshot, is_own=snapshot is own)
    return Assembled(wire.convert(making.said, Estate), making.keys)


class _Making:
    def __init__(self) -> None:
        self.said: dict[str, Any] = {"clusters": [], "topics": [], "subscriptions": []}
        self.keys: dict[str, bytes] = {}
        self._owners: dict[tuple[str, str], resource.Bundle] = {}

    def take(self, snapshot: resource.Snapshot, *, is_own: bool) -> None:
        for entry in snapshot.entries:
            body = _plain(entry)
            if entry.kind in (CLUSTER, TOPIC, KEY):
                self._once(snapshot.bundle, entry)
            if entry.kind == CLUSTER:
                self.said["clusters"].append({"name": entry.name, **body})
            elif entry.kind == TOPIC:
                self.said["topics"].append({"name": entry.name, **body})
            elif entry.kind == KEY:
                self.keys[entry.name] = key_of(body["key"])
            elif entry.kind == SUBSCRIPTION and is_own:
                self.said["subscriptions"].append(body)
            elif entry.kind == POLICY and is_own:
                self.said.update(body)

    def _once(self, bundle: resource.Bundle, entry: resource.Entry) -> None:
        owner = self._owners.setdefault(entry.key, bundle)
        if owner != bundle:
            both = " and ".join(f"{one.scope.center}/{one.scope.application}" for one in (owner, bundle))
            raise errors.InvalidRequestError(
                f"the {entry.kind} {entry.name!r} is declared by {both}: rename one of them"
            )


def _plain(entry: resource.Entry) -> dict[str, Any]:
    """Give what was delivered with its secrets in plain text, without what concerns people alone."""
    body = wire.decode(bytes(entry.content), dict[str, Any])
    for aside in ("public", "description"):
        body.pop(aside, None)
    return secret.replace_secrets(body, lambda path, inside: _value(entry, path, inside))


def _value(entry: resource.Entry, path: str, inside: dict[str, Any]) -> str:
    value = inside.get("value")
    if not isinstance(value, str):
        raise errors.InvalidRequestError(
            f"the secret {path} of {entry.kind} {entry.name!r} was delivered without its value"
        )
    return value
