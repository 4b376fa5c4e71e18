"""Resource: the nouns of the one life that every governed thing has, as they cross the wire.

A *bundle* is all that one application's instances receive of one capability; it is released as a whole. A *release* is
an immutable state of a bundle under an integer *revision*; its *manifest* names each resource by kind, name and content
digest. The *epoch* rises when the history was cut (a database restored from an older copy), so that a smaller
revision of a higher epoch is newer.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from qiantang.kernel import errors, scope, wire


class Position(wire.Wire, frozen=True, order=True, array_like=True):
    """Where a bundle stands: compare positions, never bare revisions."""

    epoch: int = 0
    revision: int = 0

    def __str__(self) -> str:
        """Read as epoch:revision."""
        return f"{self.epoch}:{self.revision}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read what `str` wrote.

        Raises:
            InvalidRequestError: not two integers with a colon between them.
        """
        epoch, colon, revision = text.partition(":")
        if not (colon and epoch.isdecimal() and revision.isdecimal()):
            raise errors.InvalidRequestError(f"{text[:80]!r} is not a position: write epoch:revision")
        return cls(epoch=int(epoch), revision=int(revision))


NOWHERE = Position(epoch=0, revision=0)


class Bundle(wire.Wire, frozen=True, order=True):
    """Address of a bundle: an application's scope and a capability."""

    scope: scope.Scope
    capability: scope.Name

    def __str__(self) -> str:
        """Read as tenant/environment/center/application:capability."""
        return f"{self.scope}:{self.capability}"

    @classmethod
    def parse(cls, text: str) -> Bundle:
        """Read what `str` wrote.

        Raises:
            InvalidRequestError: not a scope and a capability with a colon between them.
        """
        place, colon, capability = text.partition(":")
        if not colon:
            raise errors.InvalidRequestError(f"{text[:200]!r} is not a bundle: write scope:capability")
        return cls(scope=scope.Scope.parse(place), capability=scope.check_name(capability, "capability"))


class Entry(wire.Wire, frozen=True, array_like=True):
    """One delivered resource: what an instance needs of it, with the digest of exactly that."""

    kind: str
    name: str
    digest: str
    content: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def key(self) -> tuple[str, str]:
        """Kind and name: unique in a bundle."""
        return (self.kind, self.name)


class Snapshot(wire.Wire, frozen=True, tag="snapshot", tag_field="shape"):
    """A bundle in full at one position. `digest` is over the entries' keys and digests, so equal content is equal."""

    bundle: Bundle
    position: Position
    digest: str
    gray: str = ""
    links: list[Bundle] = []
    entries: list[Entry] = []


class Delta(wire.Wire, frozen=True, tag="delta", tag_field="shape"):
    """What turns the content with digest `base` into the content with digest `digest`."""

    bundle: Bundle
    position: Position
    base: str
    digest: str
    gray: str = ""
    links: list[Bundle] = []
    put: list[Entry] = []
    remove: list[tuple[str, str]] = []


class Unchanged(wire.Wire, frozen=True, tag="unchanged", tag_field="shape"):
    """The content is the one the receiver holds; only the position moved."""

    bundle: Bundle
    position: Position
    digest: str
    gray: str = ""


Delivery = Snapshot | Delta | Unchanged


class Notice(wire.Wire, frozen=True):
    """A hint that a bundle has reached a position. Idempotent, free of order, never carries content."""

    bundle: Bundle
    position: Position


def content_digest(content: bytes) -> str:
    """Give the digest that names a content: SHA-256, as 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def snapshot_digest(entries: list[Entry]) -> str:
    """Give the digest of a whole bundle: over its entries' keys and digests in order of key."""
    whole = hashlib.sha256()
    for entry in sorted(entries, key=lambda entry: entry.key):
        whole.update(f"{entry.kind}\0{entry.name}\0{entry.digest}\n".encode())
    return whole.hexdigest()


def apply_delta(held: Snapshot, delta: Delta) -> Snapshot | None:
    """Give the snapshot that the delta leads to, or None where it does not fit what is held: then ask for it in full."""
    if held.digest != delta.base:
        return None
    entries = {entry.key: entry for entry in held.entries}
    for key in delta.remove:
        entries.pop((key[0], key[1]), None)
    for entry in delta.put:
        entries[entry.key] = entry
    ordered = sorted(entries.values(), key=lambda entry: entry.key)
    if snapshot_digest(ordered) != delta.digest:
        return None
    return Snapshot(
        bundle=delta.bundle,
        position=delta.position,
        digest=delta.digest,
        gray=delta.gray,
        links=delta.links,
        entries=ordered,
    )


class Change(wire.Wire, frozen=True, omit_defaults=True):
    """One difference between two contents. `path` is dotted; secrets appear as their masks, never as values."""

    path: str
    before: Any = None
    after: Any = None


def differences(before: Any, after: Any, path: str = "") -> list[Change]:
    """List where two JSON values differ, in order of path: mappings by key, everything else as a whole."""
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        found: list[Change] = []
        for key in sorted({*before, *after}, key=str):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            below = f"{path}.{key}" if path else str(key)  # pyright: ignore[reportUnknownArgumentType]
            found += differences(before.get(key), after.get(key), below)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        return found
    return [Change(path=path, before=before, after=after)]
