"""Topics: the browsers that are connected to this server, each told of what it follows and may see."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from qiantang.kernel import errors, ids, release, resource
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.resources import Ground
from qiantang_server.kernel.watch.settings import WatchSettings
from qiantang_server.kernel.watch.topics.board import Board, Change, Event
from qiantang_server.kernel.watch.topics.follower import Follower
from qiantang_server.kernel.watch.topics.survey import Survey
from qiantang_server.kernel.watch.topics.topic import Topic, topics_of

TICK_SECONDS = 0.02
RECHECK_SECONDS = 3.0
BUNDLES_EVERY = 0.5
TENANTS_EVERY = 2.0
LISTS_EVERY = 0.5
REST = 20
"""A survey rests at least this many times as long as it took: on a large estate it looks less often, and costs no more."""
REST_LONGEST = 5.0
"""But no longer than this: one look that had to wait for a busy machine must not leave pages as they were for half a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a browser asks to follow: topics as it writes them, and the number of the last event that it saw."""

    topics: Sequence[str]
    last: str = ""


class Topics:
    """Opens streams, takes changes in, and fans events out: each is encoded once, however many hear of it.

    `has_others` says whether other servers share the database: what their people edit is then looked for.
    """

    def __init__(
        self,
        parts: Ground,
        settings: WatchSettings,
        *,
        node: str,
        version: str = "",
        has_others: Callable[[], bool] = lambda: False,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts = parts
        self._settings = settings
        self._node = node
        self._version = version
        self._has_others = has_others
        self._steady = steady
        self._board = Board(ids.ordered_id())
        self._survey = Survey(parts)
        self._all: set[Follower] = set()
        self._following: dict[str, set[Follower]] = {}
        self._people: Counter[str] = Counter()
        self._wake = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        """Count the open streams."""
        return len(self._all)

    def open(self, principal: Principal, asked: Asked, admitted: Callable[[], Awaitable[Principal]]) -> Follower:
        """Open a stream: it is greeted, told which topics it does not follow, and what it missed since it was here last.

        Raises:
            UnavailableError: this server keeps as many browsers informed as it may.
            ExhaustedError: so many of one person's.
        """
        self._require_room(principal)
        kinds = self._parts.kinds
        read = {text: _parsed(text) for text in asked.topics}
        followed = {
            text: topic for text, topic in read.items() if topic is not None and topic.may_be_followed(principal, kinds)
        }
        follower = Follower(principal, followed.values(), kinds, admitted)
        self._all.add(follower)
        self._people[principal.id] += 1
        for topic in follower.topics:
            self._following.setdefault(topic, set()).add(follower)
        self._greet(follower, asked.last)
        for text in asked.topics:
            if text not in followed:
                follower.refuse(text)
        if self._closed:
            follower.close()
        return follower

    def leave(self, follower: Follower) -> None:
        """Forget a stream."""
        if follower not in self._all:
            return
        self._all.discard(follower)
        self._people[follower.principal.id] -= 1
        if not self._people[follower.principal.id]:
            del self._people[follower.principal.id]
        for topic in follower.topics:
            self._unfollow(topic, follower)

    def changed(self, bundle: resource.Bundle, reason: str, position: resource.Position | None = None) -> None:
        """Tell of something that happened to a bundle, in every topic that it belongs to; call it after the commit."""
        for topic in topics_of(bundle):
            self._change(topic, Change(about=bundle, reason=reason, position=position))

    async def run(self) -> None:
        """Send what was gathered when its time comes, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._board.waits:
                await asyncio.sleep(TICK_SECONDS)
                for event in self._board.due(self._steady()):
                    self._fan_out(event)

    async def look_at_bundles(self) -> None:
        """Look for changes of the instances of bundles that somebody follows, until cancelled."""
        while True:
            took = await self._timed(self._look_at_bundles())
            await asyncio.sleep(rest(BUNDLES_EVERY, took))

    async def look_at_tenants(self) -> None:
        """Look for changes in tenants that somebody follows, until cancelled."""
        while True:
            took = await self._timed(self._look_at_tenants())
            await asyncio.sleep(rest(TENANTS_EVERY, took))

    async def look_at_lists(self) -> None:
        """Look for rows that were made, changed or deleted in lists that somebody follows, until cancelled."""
        while True:
            took = await self._timed(self._look_at_lists())
            await asyncio.sleep(rest(LISTS_EVERY, took))

    async def recheck(self) -> None:
        """Ask of every stream, again and again, whether it would still be admitted and may still follow its topics: one whose
        session ended is ended, a topic that may not be followed any more is refused. While nobody can say, all stay.
        """
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            await self.recheck_all()

    async def recheck_all(self) -> None:
        """Ask once."""
        for follower in list(self._all):
            try:
                follower.principal = await follower.admitted()
            except errors.UnavailableError:
                return
            except errors.QiantangError:
                follower.close()
                continue
            for text, topic in list(follower.topics.items()):
                if not topic.may_be_followed(follower.principal, self._parts.kinds):
                    follower.refuse(text)
                    self._unfollow(text, follower)

    def close(self) -> None:
        """End every stream, and each that is still being opened."""
        self._closed = True
        for follower in self._all:
            follower.close()

    def _greet(self, follower: Follower, last: str) -> None:
        missed = self._board.since(last) if last else []
        # whoever comes back is told what he missed after the greeting: its number must not stand for that
        number = last if missed else self._board.number
        hello = release.Following(node=self._node, version=self._version, at=self._parts.clock())
        follower.say("hello", hello, number)
        if missed is None:
            follower.say("reset", {}, number)
        for event in missed or ():
            follower.tell(event)

    def _require_room(self, principal: Principal) -> None:
        settings = self._settings
        if len(self._all) >= settings.max_browser_streams:
            raise errors.UnavailableError("this server keeps as many browsers informed as it may", retry_after=5)
        most = settings.max_browser_streams_per_principal
        if self._people[principal.id] >= most:
            raise errors.ExhaustedError(
                f"{principal.name or principal.id} has {most} streams open at this server: close some, or raise "
                "watch.max_browser_streams_per_principal",
                retry_after=5,
            )

    def _change(self, topic: Topic, change: Change) -> None:
        event = self._board.change(str(topic), change, self._steady(), private=topic.bundle is None)
        if event is not None:
            self._fan_out(event)
        else:
            self._wake.set()

    def _fan_out(self, event: Event) -> None:
        for follower in self._following.get(event.topic, ()):
            follower.tell(event)

    def _unfollow(self, topic: str, follower: Follower) -> None:
        following = self._following.get(topic)
        if following is not None:
            following.discard(follower)
            if not following:
                del self._following[topic]

    async def _timed(self, looking: Awaitable[None]) -> float:
        began = self._steady()
        await looking
        return self._steady() - began

    async def _look_at_bundles(self) -> None:
        bundles = [bundle for one in self._following if (bundle := Topic.parse(one).bundle) is not None]
        if bundles:
            for change in await self._survey.bundles(bundles):
                self._change(topics_of(change.about)[0], change)

    async def _look_at_tenants(self) -> None:
        topics = [topic for one in self._following if (topic := Topic.parse(one)).name != "list"]
        edits = self._has_others()
        tenants = sorted({one.tenant for one in topics if edits or one.bundle is None})
        if not tenants:
            return
        for change in await self._survey.tenants(tenants, edits=edits):
            own, *wider = topics_of(change.about)
            for topic in wider if change.reason == "instances" else (own, *wider):
                self._change(topic, change)

    async def _look_at_lists(self) -> None:
        tenants = {topic.tenant for one in self._following if (topic := Topic.parse(one)).name == "list"}
        if tenants:
            for change in await self._survey.lists(tenants):
                for topic in topics_of(change.about):
                    self._change(topic, change)


def rest(every: float, took: float) -> float:
    """Give the seconds until the next look of a survey that looks so often, where the last one took so long."""
    return max(every, min(REST_LONGEST, REST * took))


def _parsed(text: str) -> Topic | None:
    """Read a topic; one that is none is refused as one that may not be followed is."""
    try:
        topic = Topic.parse(text)
    except errors.InvalidRequestError:
        return None
    return topic if str(topic) == text else None
