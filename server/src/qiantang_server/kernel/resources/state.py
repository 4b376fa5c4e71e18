"""State: what a revision of a bundle holds, whole and immutable, and the pure rules over it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from qiantang.kernel import release, resource, scope, wire

Key = tuple[str, str]
Manifest = dict[Key, str]
"""Content digest by kind and name."""

PERCENT_STEPS = 10_000


class Item(wire.Wire, frozen=True, array_like=True):
    """One line of a manifest; `revision` is the one that brought this content."""

    kind: str
    name: str
    digest: str
    revision: int = 0


class Gray(wire.Wire, frozen=True):
    """A gray release: an overlay on whatever is released to everyone, and whom it is for.

    `authors` says who wrote the change of which resource (kind, name, author): he may not approve it for everyone.
    """

    id: str
    rule: release.GrayRule
    author: str
    started_at: int
    revision: int
    put: list[Item] = []
    remove: list[tuple[str, str]] = []
    authors: list[tuple[str, str, str]] = []

    def author_of(self, key: Key) -> str:
        """Name who wrote the change of a resource."""
        return next((author for kind, name, author in self.authors if (kind, name) == key), self.author)


class State(wire.Wire, frozen=True):
    """A revision: the manifest for everyone, the overlay of a running gray release, and the linked applications."""

    items: list[Item] = []
    gray: Gray | None = None
    links: list[tuple[str, str]] = []
    gray_links: list[tuple[str, str]] = []

    def names(self) -> set[Key]:
        """Name every resource that some instance gets."""
        put = self.gray.put if self.gray is not None else []
        return {(item.kind, item.name) for item in (*self.items, *put)}

    def manifest(self, *, with_gray: bool = False) -> Manifest:
        """Give the digests that an instance gets, with or without the gray overlay."""
        found = {(item.kind, item.name): item.digest for item in self.items}
        if with_gray and self.gray is not None:
            found = overlay(found, self.gray)
        return found


def items(manifest: Mapping[Key, str], before: Iterable[Item], revision: int) -> list[Item]:
    """Write a manifest as lines in order of key; content that was there `before` keeps its revision, the rest is of this one."""
    known = {(item.kind, item.name, item.digest): item.revision for item in before}
    return [
        Item(kind=kind, name=name, digest=digest, revision=known.get((kind, name, digest), revision))
        for (kind, name), digest in sorted(manifest.items())
    ]


def overlay(manifest: Manifest, gray: Gray) -> Manifest:
    """Lay a gray release over a manifest."""
    found = dict(manifest)
    for key in gray.remove:
        found.pop((key[0], key[1]), None)
    for item in gray.put:
        found[(item.kind, item.name)] = item.digest
    return found


def changed(before: Mapping[Key, str], after: Mapping[Key, str]) -> list[tuple[str, str, str]]:
    """List (kind, name, add|change|remove) between two manifests, in order of key."""
    found: list[tuple[str, str, str]] = []
    for key in sorted({*before, *after}):
        if key not in before:
            found.append((*key, "add"))
        elif key not in after:
            found.append((*key, "remove"))
        elif before[key] != after[key]:
            found.append((*key, "change"))
    return found


def percent_place(gray: str, instance: str) -> int:
    """Give the sticky place of an instance in a gray release: 0 to 9,999, uniform, the same for ever.

    SHA-256 over the gray release's id and the instance's stable name; raising the percent only adds instances.
    """
    digest = hashlib.sha256(f"{gray}\0{instance}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % PERCENT_STEPS


def gray_id(bundle: resource.Bundle, position: resource.Position) -> str:
    """Give the id of the gray release that begins with a position of a bundle.

    Known beforehand, so that whom a percent takes can be told before it is published over the head that was looked at.
    """
    return hashlib.sha256(f"{bundle}\0{position}".encode()).hexdigest()[:32]


def would_be(bundle: resource.Bundle, head: resource.Position, running: Gray | None, rule: release.GrayRule) -> Gray:
    """Give the gray release that a rule makes when published over a head: the running one with that rule, or a new one."""
    if running is not None:
        return msgspec.structs.replace(running, rule=rule)
    after = next_position(head)
    return Gray(id=gray_id(bundle, after), rule=rule, author="", started_at=0, revision=after.revision)


def next_position(head: resource.Position) -> resource.Position:
    """Give the position of the next release of a bundle."""
    return resource.Position(epoch=head.epoch or 1, revision=head.revision + 1)


def takes_gray(gray: Gray, instance: scope.Instance) -> bool:
    """Say whether an instance takes a gray release by its name, its labels or the percent (seats are asked apart)."""
    rule = gray.rule
    if instance.name in rule.instances:
        return True
    own = {"cluster": instance.cluster, **instance.labels}
    if any(wanted and wanted.items() <= own.items() for wanted in rule.labels):
        return True
    return percent_place(gray.id, instance.name) < rule.percent * (PERCENT_STEPS / 100)


def is_empty(rule: release.GrayRule) -> bool:
    """Say whether a rule can fit no instance."""
    return not (rule.instances or any(rule.labels) or rule.percent or rule.count)


def restored(database: resource.Position, seen: resource.Position) -> resource.Position | None:
    """Give the position that a bundle must move to when a receiver has seen one that the database has not.

    A position ahead of the only place that hands them out proves that the database was set back; the epoch then rises above
    all that was seen, so that the smaller revisions are accepted. None where nothing was set back.
    """
    if seen <= database:
        return None
    return resource.Position(epoch=max(database.epoch, seen.epoch) + 1, revision=database.revision)
