"""Instances: who is connected here and what each holds, written to the database in batches."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from qiantang.kernel import errors, protocol, release, resource, scope, wire
from qiantang_server.kernel import storage
from qiantang_server.kernel.storage.words import holding
from qiantang_server.kernel.watch import standing, store
from qiantang_server.kernel.watch.store import ALIVE_MS

log = logging.getLogger(__name__)
TOUCH_MS = 30_000
MAX_WAITING = 200_000
MAX_NUMBER = (1 << 63) - 1
MAX_TOOK_MS = 1e12
MAX_WORDS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which instances are asked for: those whose name or host holds the words; with `state` only living ones that stand so."""

    words: str = ""
    state: standing.State = ""

    def conditions(self, head: resource.Position, at: int) -> list[sa.ColumnElement[bool]]:
        """Give the same as conditions over instances and what they hold."""
        found: list[sa.ColumnElement[bool]] = []
        if self.words.strip():
            found.append(holding(self.words.strip()[:MAX_WORDS], store.instances.c.name, store.instances.c.host))
        if self.state:
            found += [store.alive(at), standing.stands(self.state, head)]
        return found


ALL = Wanted()


@dataclass(slots=True)
class _Waiting:
    instances: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    held: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict[tuple[str, str], dict[str, Any]])
    left: set[str] = field(default_factory=set[str])

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.instances) + len(self.held) + len(self.left)

    def halves(self) -> list[_Waiting]:
        """Give the same in two parts, in the order in which it must be written; nothing where it is a single row."""
        if len(self) < 2:
            return []
        middle = len(self) // 2
        instances, held, left = list(self.instances.items()), list(self.held.items()), sorted(self.left)
        rest = max(0, middle - len(instances))
        last = max(0, rest - len(held))
        return [
            _Waiting(dict(instances[:middle]), dict(held[:rest]), set(left[:last])),
            _Waiting(dict(instances[middle:]), dict(held[rest:]), set(left[last:])),
        ]


class Instances:
    """Collects what instances say and writes the newest of it in one transaction per flush.

    What waits is bounded: one row per instance and bundle, and a full table of waiting rows drops the oldest; instances say
    it again whenever they reconnect.
    """

    def __init__(self, database: storage.Database, node: str, clock: Callable[[], int]) -> None:
        self._database = database
        self._node = node
        self._clock = clock
        self._waiting = _Waiting()
        self._connected: dict[str, int] = {}
        self._touched = clock()

    def __len__(self) -> int:
        """Count the instances connected here."""
        return len(self._connected)

    def arrive(self, place: scope.Scope, instance: scope.Instance, held: list[protocol.Held]) -> str:
        """Note an instance that opened its stream; give the key to leave with."""
        key = store.instance_id(place, instance)
        at = self._clock()
        self._connected[key] = self._connected.get(key, 0) + 1
        self._waiting.left.discard(key)
        self._waiting.instances[key] = {
            "id": key,
            "tenant": place.tenant,
            "environment": place.environment,
            "center": place.center,
            "application": place.application,
            "name": _holdable(instance.name),
            "cluster": instance.cluster,
            "labels": wire.encode(instance.labels).decode(),
            "host": _holdable(instance.host),
            "process": min(instance.process, MAX_NUMBER),
            "version": _holdable(instance.version),
            "node": self._node,
            "connected": True,
            "connected_at": at,
            "seen_at": at,
        }
        self.acknowledge(place, instance, held)
        return key

    def leave(self, key: str) -> None:
        """Note that a stream ended; the last one of an instance counts."""
        streams = self._connected.get(key, 0) - 1
        if streams > 0:
            self._connected[key] = streams
            return
        self._connected.pop(key, None)
        self._waiting.left.add(key)

    def acknowledge(self, place: scope.Scope, instance: scope.Instance, held: list[protocol.Held]) -> None:
        """Note what an instance holds now."""
        key = store.instance_id(place, instance)
        at = self._clock()
        for one in held:
            bundle = store.bundle_id(one.bundle)
            if len(self._waiting.held) >= MAX_WAITING:
                self._waiting.held.pop(next(iter(self._waiting.held)))
            self._waiting.held[(key, bundle)] = {
                "instance": key,
                "bundle_id": bundle,
                "bundle": str(one.bundle),
                "epoch": min(one.position.epoch, MAX_NUMBER),
                "revision": min(one.position.revision, MAX_NUMBER),
                "digest": _holdable(one.digest[:64]),
                "gray": _holdable(one.gray[:32]),
                "status": one.status,
                "error": _holdable(one.error),
                "took_ms": min(max(one.took_ms, 0.0), MAX_TOOK_MS),
                "applied_at": at,
            }

    async def flush(self) -> None:
        """Write what waits; what could not be written waits on."""
        waiting, self._waiting = self._waiting, _Waiting()
        at = self._clock()
        touch = at - self._touched >= TOUCH_MS
        if not (waiting.instances or waiting.held or waiting.left or touch):
            return

        try:
            await self._write(waiting, at)
            if touch:
                keys = list(self._connected)
                await self._database.write(lambda session: store.touch(session, keys, self._node, at))
        except errors.QiantangError:
            newer, self._waiting = self._waiting, waiting
            self._waiting.instances.update(newer.instances)
            self._waiting.held.update(newer.held)
            self._waiting.left = (waiting.left - set(newer.instances)) | newer.left
            raise
        if touch:
            self._touched = at

    async def _write(self, waiting: _Waiting, at: int) -> None:
        """Write rows in one transaction. One that no database takes must not keep the others from being written: it is
        looked for by halves and dropped.

        Raises:
            QiantangError: the database is away.
        """

        async def work(session: storage.Session) -> None:
            await store.save_instances(session, list(waiting.instances.values()))
            await store.succeed(session, list(waiting.instances.values()))
            await store.save_held(session, list(waiting.held.values()))
            await store.leave(session, sorted(waiting.left), self._node, at)

        if not len(waiting):
            return
        try:
            await self._database.write(work)
        except errors.QiantangError as error:
            if error.retryable:
                raise
            halves = waiting.halves()
            if not halves:
                log.warning("what an instance said cannot be kept and is dropped", extra={"reason": error.detail})
            for half in halves:
                await self._write(half, at)

    async def list_instances(
        self,
        bundle: resource.Bundle,
        current: resource.Position,
        wanted: Wanted = ALL,
        *,
        after: str,
        limit: int,
    ) -> release.Page[release.InstanceStatus]:
        """Give a page of a bundle's instances in order of name: alive or not, what each holds, since when, and its error."""
        at = self._clock()
        async with self._database.reading() as session:
            rows = await store.list_instances(
                session, bundle, wanted.conditions(current, at), after=after, limit=limit + 1
            )
        items = [_status(row, current, at) for row in rows[:limit]]
        return release.Page(items=items, next=store.cursor(rows[limit - 1]) if len(rows) > limit else "")

    async def forget(self, before: int) -> int:
        """Delete instances not seen since a moment."""
        return await self._database.write(lambda session: store.forget(session, before))


def _holdable(text: str) -> str:
    """Give a text without the one character that no row can hold: callbacks put anything into their errors."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _status(row: Any, current: resource.Position, at: int) -> release.InstanceStatus:
    instance = scope.Instance(
        name=row.name,
        cluster=row.cluster,
        labels=wire.decode(row.labels, dict[str, str]),
        host=row.host,
        process=row.process,
        version=row.version,
    )
    common: dict[str, Any] = {
        "instance": instance,
        "node": row.node,
        "alive": bool(row.connected) and at - row.seen_at < ALIVE_MS,
        "connected_at": row.connected_at,
        "seen_at": row.seen_at,
    }
    if row.epoch is None:
        return release.InstanceStatus(**common)
    position = resource.Position(epoch=row.epoch, revision=row.revision)
    return release.InstanceStatus(
        **common,
        position=position,
        digest=row.digest,
        gray=row.gray,
        status=row.status,
        error=row.error,
        current=standing.of_row(row, current) == "current",
        applied_at=row.applied_at,
        age_ms=max(0, at - row.applied_at),
        took_ms=row.took_ms,
    )
