"""Hub: the streams that are open at this server, and what each of them has still to be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from qiantang.kernel import resource, scope
from qiantang_server.kernel.watch.admission import Admitted, recheck
from qiantang_server.kernel.watch.outgoing import frame


class Subscriber(Admitted):
    """One stream. Notices of one bundle replace each other while they wait, so what waits is bounded by its bundles."""

    __slots__ = ("_pending", "bundles", "place", "takes_deliveries")

    def __init__(
        self,
        bundles: Iterable[resource.Bundle],
        admitted: Callable[[], Awaitable[object]] | None = None,
        place: scope.Scope | None = None,
        *,
        takes_deliveries: bool = False,
    ) -> None:
        super().__init__(admitted)
        self.bundles = set(bundles)
        self.place = place
        self.takes_deliveries = takes_deliveries
        self._pending: dict[resource.Bundle, tuple[resource.Position, bytes]] = {}

    def notify(self, bundle: resource.Bundle, position: resource.Position, notice: bytes) -> None:
        """Have a notice, already framed, sent as soon as the stream can take it. A newer one that waits is kept."""
        waiting = self._pending.get(bundle)
        if waiting is None or waiting[0] <= position:
            self._pending[bundle] = (position, notice)
            self._wake.set()

    def _waits(self) -> bool:
        return bool(self._pending or self._frames)

    def _given_up(self) -> bytes:
        chunk = b"".join((*(notice for _position, notice in self._pending.values()), *self._frames))
        self._pending.clear()
        self._frames.clear()
        return chunk


class Hub:
    """Fans notices out to the streams that watch a bundle."""

    def __init__(self) -> None:
        self._watching: dict[resource.Bundle, set[Subscriber]] = {}
        self._all: set[Subscriber] = set()
        self._places: Counter[scope.Scope | None] = Counter()
        self._closed = False

    def __len__(self) -> int:
        """Count the open streams."""
        return len(self._all)

    def count(self, place: scope.Scope) -> int:
        """Count the open streams of an application."""
        return self._places[place]

    def add(self, subscriber: Subscriber) -> None:
        """Open a stream. One that comes while all are being sent away is sent away too."""
        self._all.add(subscriber)
        self._places[subscriber.place] += 1
        for bundle in subscriber.bundles:
            self._watching.setdefault(bundle, set()).add(subscriber)
        if self._closed:
            subscriber.send_away()

    def remove(self, subscriber: Subscriber) -> None:
        """Forget a stream."""
        if subscriber not in self._all:
            return
        self._all.discard(subscriber)
        self._places[subscriber.place] -= 1
        if not self._places[subscriber.place]:
            del self._places[subscriber.place]
        for bundle in subscriber.bundles:
            self._unwatch(bundle, subscriber)

    def watch_links(self, bundle: resource.Bundle, links: Iterable[resource.Bundle]) -> None:
        """Have the streams of the bundle's own application hear of the bundles that it links to as well.

        Others that watch it hear of its public part alone, which links to nothing.
        """
        wanted = list(links)
        if wanted:
            for subscriber in self._watching.get(bundle, ()):
                if subscriber.place in (None, bundle.scope):
                    self.watch_also(subscriber, wanted)

    def watch_also(self, subscriber: Subscriber, bundles: Iterable[resource.Bundle]) -> None:
        """Have one stream hear of further bundles."""
        for bundle in bundles:
            if bundle not in subscriber.bundles:
                subscriber.bundles.add(bundle)
                self._watching.setdefault(bundle, set()).add(subscriber)

    def notice(self, bundle: resource.Bundle, position: resource.Position, delta: bytes | None = None) -> int:
        """Tell every stream that watches the bundle; give how many.

        `delta`, encoded, goes in place of the notice to streams of the bundle's own application that take deliveries: others
        may see its public part alone.
        """
        watching = self._watching.get(bundle)
        if not watching:
            return 0
        notice = frame("notice", protocol_notice(bundle, position))
        delivery = notice if delta is None else frame("delivery", msgspec.Raw(delta))
        for subscriber in watching:
            own = subscriber.takes_deliveries and subscriber.place == bundle.scope
            subscriber.notify(bundle, position, delivery if own else notice)
        return len(watching)

    def is_watched(self, bundle: resource.Bundle) -> bool:
        """Say whether some stream watches a bundle."""
        return bundle in self._watching

    def watched(self) -> list[resource.Bundle]:
        """Give every bundle that some stream watches."""
        return list(self._watching)

    async def recheck(self) -> None:
        """End the streams that would not be admitted any more."""
        await recheck(list(self._all))

    def say_all(self, event: str, data: object) -> None:
        """Send an event to every stream."""
        for subscriber in self._all:
            subscriber.say(event, data)

    def close(self) -> None:
        """Send every stream to another server, and end it; and each that is still being opened."""
        self._closed = True
        for subscriber in self._all:
            subscriber.send_away()

    def _unwatch(self, bundle: resource.Bundle, subscriber: Subscriber) -> None:
        watching = self._watching.get(bundle)
        if watching is not None:
            watching.discard(subscriber)
            if not watching:
                del self._watching[bundle]


def protocol_notice(bundle: resource.Bundle, position: resource.Position) -> resource.Notice:
    """Give the notice of a position."""
    return resource.Notice(bundle=bundle, position=position)
