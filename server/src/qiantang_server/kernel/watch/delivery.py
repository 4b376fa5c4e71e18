"""Delivery: what one instance gets of a bundle, made once and handed to all that get the same."""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from qiantang.kernel import errors, protocol, resource, scope, wire
from qiantang_server.kernel.resources import state as states
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.service import ground
from qiantang_server.kernel.resources.service.gray import GrayReleases
from qiantang_server.kernel.resources.service.ground import Ground
from qiantang_server.kernel.watch.heads import Heads, Known

GZIP_FROM = 1024
MAX_DELTA = 64 << 10
"""Largest delta that goes out on the streams themselves: beyond it each instance fetches, compressed and in its own time."""
MAX_LAST = 10_000


class MissingContentError(errors.UnavailableError):
    """A release names a content that the database has not."""

    code = "watch.missing_content"


class _Sized(Protocol):
    @property
    def size(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """An encoded delivery, and the same compressed where that pays."""

    body: bytes
    gzipped: bytes | None

    @classmethod
    def of(cls, delivery: resource.Delivery) -> Answer:
        """Encode once."""
        body = wire.encode(delivery)
        return cls(body, gzip.compress(body, 5, mtime=0) if len(body) >= GZIP_FROM else None)

    @property
    def size(self) -> int:
        """Count the bytes kept."""
        return len(self.body) + len(self.gzipped or b"") + 200


@dataclass(frozen=True, slots=True)
class Part:
    """A resource ready to be delivered, and whether linked applications get it too."""

    entry: resource.Entry
    public: bool

    @property
    def size(self) -> int:
        """Count the bytes kept."""
        return len(bytes(self.entry.content)) + 300


@dataclass(frozen=True, slots=True)
class Whole:
    """A snapshot that was delivered lately: what deltas are counted from."""

    snapshot: resource.Snapshot

    @property
    def size(self) -> int:
        """Count the bytes kept beyond the parts that it shares."""
        return 200 * len(self.snapshot.entries) + 300


class SizedCache:
    """Values least used are dropped first once all together are over the limit in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[tuple[Any, ...], _Sized] = OrderedDict()

    def get(self, key: tuple[Any, ...]) -> Any:
        """Give a value and count it as used; None where there is none."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: tuple[Any, ...], value: _Sized) -> None:
        """Keep a value if there is room for it at all."""
        before = self._kept.pop(key, None)
        self._size += value.size - (before.size if before is not None else 0)
        self._kept[key] = value
        while self._size > self._limit and self._kept:
            _key, dropped = self._kept.popitem(last=False)
            self._size -= dropped.size


class Shared:
    """Makes each answer once for all that ask for it at the same time: a release makes all its instances ask at once."""

    def __init__(self) -> None:
        self._making: dict[tuple[Any, ...], asyncio.Task[Answer]] = {}

    async def get(self, key: tuple[Any, ...], make: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """Give what is being made under the key, or have it made. Whoever stops waiting does not stop the others."""
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.create_task(make())
            task.add_done_callback(lambda done: self._made(key, done))
        return await asyncio.shield(task)

    def _made(self, key: tuple[Any, ...], task: asyncio.Task[Answer]) -> None:
        del self._making[key]
        if not task.cancelled():
            task.exception()  # seen by those who wait, if any still does


class Deliveries:
    """Answers fetches: the same bytes for every instance that gets the same content at the same position."""

    def __init__(self, parts: Ground, heads: Heads, gray: GrayReleases, cache_bytes: int) -> None:
        self._parts = parts
        self._heads = heads
        self._gray = gray
        self._cache = SizedCache(cache_bytes)
        self._shared = Shared()
        self._last: OrderedDict[resource.Bundle, str] = OrderedDict()

    async def fetch(self, request: protocol.FetchRequest, *, public_only: bool) -> Answer:
        """Give the bundle as `request.instance` gets it, not older than asked; a delta where that is smaller.

        Raises:
            UnavailableError: the database is needed and away.
            MissingContentError: what is known of the bundle is not in the database, which was set back; asked again, it is
                at a new position.
        """
        known = await self._heads.get(request.bundle, request.at_least)
        grayed = await self._takes_gray(known, request.instance)
        # the bundle too: those that nothing was ever drafted in have no key of their own
        key = ("answer", request.bundle, known.key, known.position, grayed, public_only, request.have)
        answer: Answer | None = self._cache.get(key)
        if answer is None:

            async def make() -> Answer:
                snapshot = await self._snapshot(request.bundle, known, grayed=grayed, public_only=public_only)
                made = await self._answer(snapshot, request.have, known.key)
                if known.state.gray is None and not public_only:
                    self._got(request.bundle, snapshot.digest)
                self._cache.put(key, made)
                return made

            try:
                answer = await self._shared.get(key, make)
            except MissingContentError:
                await self._heads.prove(request.bundle)
                raise
        return answer

    async def change(
        self, bundle: resource.Bundle, known: Known, contents: Mapping[str, bytes] = MappingProxyType({})
    ) -> bytes | None:
        """Give the encoded delta from what instances got last to a release; None where it is not the same for all of them,
        where nothing is known of what they got, or where it is large. What they may fetch is ready afterwards.

        `contents` is what the release brought, by digest; the database is asked only for what is neither there nor remembered.

        Raises:
            UnavailableError: the database is needed and away.
        """
        before = self._last.get(bundle, "")
        await self._ready(bundle, known.key, known.state.manifest(with_gray=False), contents)
        if known.state.gray is not None:
            await self._ready(bundle, known.key, known.state.manifest(with_gray=True), contents)
            return None
        snapshot = await self._snapshot(bundle, known, grayed=False, public_only=False)
        base: Whole | None = self._cache.get(("whole", known.key, before))
        self._cache.put(("whole", known.key, snapshot.digest), Whole(snapshot))
        self._got(bundle, snapshot.digest)
        if base is None:
            return None
        delta = delta_between(base.snapshot, snapshot)
        if _content_bytes(delta.put) > MAX_DELTA:  # encoding it would hold up every other stream
            return None
        answer = Answer.of(delta)
        self._cache.put(("answer", bundle, known.key, known.position, False, False, before), answer)
        return answer.body if len(answer.body) <= MAX_DELTA else None

    def _got(self, bundle: resource.Bundle, digest: str) -> None:
        """Remember what instances of the bundle's own application have now, where no gray release sets some apart."""
        self._last[bundle] = digest
        self._last.move_to_end(bundle)
        if len(self._last) > MAX_LAST:
            self._last.popitem(last=False)

    async def snapshot(
        self, bundle: resource.Bundle, instance: scope.Instance | None, *, public_only: bool = False
    ) -> resource.Snapshot:
        """Give what an instance gets of a bundle now, or what is published for all where none is named; secrets in plain text: for
        explaining, never to be sent as it is.

        Seats of a gray release by count are not taken by asking.
        """
        known = await self._heads.get(bundle)
        gray = known.state.gray
        grayed = gray is not None and instance is not None and states.takes_gray(gray, instance)
        return await self._snapshot(bundle, known, grayed=grayed, public_only=public_only)

    async def links(self, bundle: resource.Bundle) -> list[resource.Bundle]:
        """Give the bundles that instances of this one's application need as well, gray or not."""
        known = await self._heads.get(bundle)
        return links_of(bundle, known.state)

    async def _takes_gray(self, known: Known, instance: scope.Instance) -> bool:
        gray = known.state.gray
        if gray is None:
            return False
        if states.takes_gray(gray, instance):
            return True
        return gray.rule.count > 0 and await self._gray.hold_seat(known.key, gray, instance.name)

    async def _snapshot(
        self, bundle: resource.Bundle, known: Known, *, grayed: bool, public_only: bool
    ) -> resource.Snapshot:
        manifest = known.state.manifest(with_gray=grayed)
        found = await self._ready(bundle, known.key, manifest)
        entries = [part.entry for _key, part in sorted(found.items()) if part.public or not public_only]
        gray = known.state.gray
        return resource.Snapshot(
            bundle=bundle,
            position=known.position,
            digest=resource.snapshot_digest(entries),
            gray=gray.id if grayed and gray is not None else "",
            links=[] if public_only else _links(bundle, known.state.gray_links if grayed else known.state.links),
            entries=entries,
        )

    async def _ready(
        self,
        bundle: resource.Bundle,
        key: int,
        manifest: states.Manifest,
        fresh: Mapping[str, bytes] = MappingProxyType({}),
    ) -> dict[tuple[str, str], Part]:
        found = {
            place: part
            for place, digest in manifest.items()
            if (part := self._cache.get(("part", key, *place, digest))) is not None
        }
        missing = {place: digest for place, digest in manifest.items() if place not in found}
        if missing:
            bodies = self._parts.bodies(bundle)
            await bodies.ready()
            contents = {digest: fresh[digest] for digest in missing.values() if digest in fresh}
            if lacking := set(missing.values()) - set(contents):
                async with self._parts.database.reading() as session:
                    contents |= await store.read_contents(session, key, lacking)
            for place, digest in missing.items():
                if digest not in contents:
                    raise MissingContentError(f"the database lacks the content of {'/'.join(place)} in {bundle}")
                kind = self._parts.kinds.get(bundle.capability, place[0])
                opened = bodies.opened(*place, contents[digest])
                content = wire.encode(await ground.aside(len(contents[digest]), kind.deliver, opened))
                entry = resource.Entry(
                    kind=place[0],
                    name=place[1],
                    digest=resource.content_digest(content),
                    content=msgspec.Raw(content),
                )
                found[place] = Part(entry, kind.is_public(opened))
                self._cache.put(("part", key, *place, digest), found[place])
        return found

    async def _answer(self, snapshot: resource.Snapshot, have: str, key: int) -> Answer:
        self._cache.put(("whole", key, snapshot.digest), Whole(snapshot))
        if have and have == snapshot.digest:
            return Answer.of(
                resource.Unchanged(
                    bundle=snapshot.bundle, position=snapshot.position, digest=snapshot.digest, gray=snapshot.gray
                )
            )
        base: Whole | None = self._cache.get(("whole", key, have)) if have else None
        # compressing megabytes would hold up every other stream
        size = _content_bytes(snapshot.entries)
        full = await ground.aside(size, Answer.of, snapshot)
        if base is None:
            return full
        delta = await ground.aside(size, Answer.of, delta_between(base.snapshot, snapshot))
        return delta if len(delta.body) < len(full.body) else full


def _content_bytes(entries: Iterable[resource.Entry]) -> int:
    return sum(len(bytes(entry.content)) for entry in entries)


def delta_between(base: resource.Snapshot, target: resource.Snapshot) -> resource.Delta:
    """Give what turns the content of one snapshot into that of another."""
    before = {entry.key: entry.digest for entry in base.entries}
    after = {entry.key for entry in target.entries}
    return resource.Delta(
        bundle=target.bundle,
        position=target.position,
        base=base.digest,
        digest=target.digest,
        gray=target.gray,
        links=target.links,
        put=[entry for entry in target.entries if before.get(entry.key) != entry.digest],
        remove=sorted(place for place in before if place not in after),
    )


def links_of(bundle: resource.Bundle, state: states.State) -> list[resource.Bundle]:
    """Give the bundles that a state links to, for gray instances or for the others."""
    return _links(bundle, sorted({*state.links, *state.gray_links}))


def _links(bundle: resource.Bundle, pairs: list[tuple[str, str]]) -> list[resource.Bundle]:
    place = bundle.scope
    return [
        resource.Bundle(
            scope=msgspec.structs.replace(place, center=center, application=application),
            capability=bundle.capability,
        )
        for center, application in pairs
    ]
