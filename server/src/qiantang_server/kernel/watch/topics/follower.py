"""Follower: one browser's stream, what it follows and what it has still to be told. Bounded however slowly it reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from qiantang.kernel import release
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.resources import Kinds
from qiantang_server.kernel.watch.outgoing import Outgoing, frame
from qiantang_server.kernel.watch.topics.board import Event, collapsed
from qiantang_server.kernel.watch.topics.topic import Topic, may_hear

MAX_WAITING = 200


class Follower(Outgoing):
    """Follows topics as long as `admitted` gives a principal who may."""

    __slots__ = ("_events", "_kinds", "_said", "admitted", "principal", "topics")

    def __init__(
        self, principal: Principal, topics: Iterable[Topic], kinds: Kinds, admitted: Callable[[], Awaitable[Principal]]
    ) -> None:
        super().__init__()
        self.principal = principal
        self.topics = {str(one): one for one in topics}
        self.admitted = admitted
        self._kinds = kinds
        self._said: list[bytes] = []
        self._events: list[Event] = []

    def tell(self, event: Event) -> None:
        """Have an event sent, if it is of a topic that is followed and comes from something that may be seen."""
        if self.closed or event.topic not in self.topics or not self._may_see(event):
            return
        self._events.append(event)
        if len(self._events) > MAX_WAITING:
            self._events = collapsed(self._events)
        self._wake.set()

    def say(self, event: str, data: object, number: str = "") -> None:
        """Have something else sent, before the events that wait."""
        self._said.append(frame(event, data, number))
        self._wake.set()

    def refuse(self, topic: str) -> None:
        """Follow a topic no longer, or not at all."""
        self.topics.pop(topic, None)
        self._events = [one for one in self._events if one.topic != topic]
        self.say("refused", release.Refused(topic=topic))

    def _waits(self) -> bool:
        return bool(self._events or self._said)

    def _given_up(self) -> bytes:
        chunk = b"".join((*self._said, *(one.told for one in self._events)))
        self._said.clear()
        self._events.clear()
        return chunk

    def _may_see(self, event: Event) -> bool:
        """Ask of each event from where it comes: who knows a tenant need not hear that something happens in all of it."""
        return any(may_hear(self.principal, self._kinds, one) for one in event.about)
