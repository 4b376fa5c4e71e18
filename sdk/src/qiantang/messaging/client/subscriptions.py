"""Subscriptions: the handlers of an application, and the consumers that call them."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from qiantang.kernel import admission, errors, observe, plugins, wire
from qiantang.messaging.client import dead
from qiantang.messaging.client.collecting import Collecting, Home
from qiantang.messaging.client.consuming import Consumer, Ways
from qiantang.messaging.client.dedup import Once
from qiantang.messaging.client.ground import Ground
from qiantang.messaging.client.handlers import Handler, examine
from qiantang.messaging.client.interceptors import WarmUp
from qiantang.messaging.client.links import Link, Plan
from qiantang.messaging.client.options import SubscriptionOptions
from qiantang.messaging.client.requesting import Replies
from qiantang.messaging.client.sender import Sender
from qiantang.messaging.client.working import Work
from qiantang.messaging.errors import ConsumeForbiddenError, UnknownTopicError
from qiantang.messaging.model import Estate, Frame, Subscription, Topic
from qiantang.messaging.port import Receiver, Seen, SendOutcome

log = observe.BoundedLog(logging.getLogger(__name__))
C = TypeVar("C", bound=Callable[..., Any])
BURY_SECONDS = 30.0
MAX_MEMBER = 30
"""Of a member's name, whose end is what no other has: names of groups are of 100 signs at most."""


@dataclass(frozen=True, slots=True, eq=False)
class _Handled:
    """A handler as it was given."""

    topic: str
    group: str
    options: SubscriptionOptions
    handler: Handler


@dataclass(slots=True, eq=False)
class _Running:
    """The consumers of a handler, one for each broker of its topic."""

    subscription: Subscription
    topic: Topic
    work: Work
    pool: ThreadPoolExecutor
    consumers: dict[Link, Consumer] = field(default_factory=dict[Link, Consumer])

    def fits(self, subscription: Subscription, topic: Topic) -> bool:
        """Whether the consumers may go on with these: all but how many messages they work on at a time is the same to them."""
        as_before = msgspec.structs.replace(subscription, concurrency=self.subscription.concurrency)
        return as_before == self.subscription and _read_of(topic) == _read_of(self.topic)

    def take(self, subscription: Subscription, topic: Topic) -> None:
        """Go on with these, which fit."""
        self.topic = topic
        if subscription == self.subscription:
            return
        self.subscription = subscription
        before, self.pool = self.pool, _pool(subscription)
        self.work.run_in(self.pool)
        before.shutdown(wait=False)
        for one in self.consumers.values():
            one.resize(subscription.concurrency)


class Subscriptions:
    """Of one bus. Without `strict` its estate comes later than its handlers, and one that may not consume its topic waits."""

    def __init__(self, ground: Ground, sender: Sender, *, strict: bool = True) -> None:
        self._ground = ground
        self._sender = sender
        self._declared: Mapping[tuple[str, str], Subscription] = {}
        self._strict = strict
        self._replies = Replies(ground, sender)
        self._collecting = Collecting(ground, self._put)
        self._buries = False
        self._handlers: list[_Handled] = []
        self._running: dict[_Handled, _Running] = {}
        self._warm_ups: list[WarmUp] = []
        self._warm: set[tuple[str, str]] = set()
        self._started = False
        self._queues: tuple[str, ...] = ()
        self._seen: dict[tuple[str, str], Seen] = {}

    def add(self, topic: str, group: str, batch: int, options: SubscriptionOptions) -> Callable[[C], C]:
        """Give what registers a handler; see `MessageBus.subscribe`."""
        named = group or self._ground.place.application
        if self._strict:
            self._require(topic)
        self._said(topic, named, options)

        def register(call: C) -> C:
            handled = _Handled(topic, named, options, examine(call, batch=batch))
            self._handlers.append(handled)
            if self._started:
                self.start()
            return call

        return register

    def add_warm_up(self, hook: WarmUp) -> None:
        """Have a hook called before the first message of each subscription is fetched."""
        self._warm_ups.append(hook)

    def choose(self, topics: Collection[str], queue: str) -> None:
        """Have only the handlers of these topics called, all where none are named, with messages of one physical queue.

        Raises:
            NotFoundError: no handler subscribes to one of them, or to anything.
        """
        known = {one.topic for one in self._handlers}
        missing = sorted(set(topics) - known)
        if missing or not known:
            said = f"the topic {missing[0]!r}" if missing else "anything"
            raise errors.NotFoundError(
                f"no handler subscribes to {said}; they do to {', '.join(sorted(known)) or 'none'}"
            )
        self._handlers = [one for one in self._handlers if not topics or one.topic in topics]
        self._queues = (queue,) if queue else ()

    def start(self) -> None:
        """Have consumers fetch for all handlers that have none, and those of later ones as they are added."""
        self._started = True
        for handled in self._handlers:
            topic = self._topic_of(handled)
            if topic is not None:
                self._start(handled, topic)
        self._collecting.start(self._homes(self._ground.all_links()))

    def declare(self, estate: Estate) -> None:
        """Have the subscriptions of an estate in the configuration from now on, and what it says of dead letters."""
        self._declared = {(one.topic, one.group): one for one in estate.subscriptions}
        self._collecting.settings = estate.dead_letters
        self._buries = estate.offline is not None or estate.outbox is not None

    async def end_changed(self, topics: Mapping[str, Topic], plan: Plan, budget: float) -> None:
        """End the consumers that an estate which is about to come does not have as they are; the others go on undisturbed.

        Handlers that run have `budget` seconds. `start` begins what is new, once the estate is there.
        """
        ending: list[Consumer] = []
        pools: list[ThreadPoolExecutor] = []
        for handled, running in list(self._running.items()):
            topic = topics.get(handled.topic)
            subscription = self._said(handled.topic, handled.group, handled.options)
            staying: set[Link] = set()
            if topic is not None and self._may(topic) and running.fits(subscription, topic):
                staying = plan.links_of(topic) - plan.leaving
                running.take(subscription, topic)
            ending += [running.consumers.pop(link) for link in list(running.consumers) if link not in staying]
            if not running.consumers:
                del self._running[handled]
                pools.append(running.pool)
        staying_links = set(self._ground.all_links()) - plan.leaving
        await asyncio.gather(
            *(one.close(budget) for one in ending), self._collecting.end(self._homes(staying_links).keys())
        )
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)

    def problems(self) -> list[str]:
        """Say of each handler that gets nothing why that is so."""
        found: list[str] = []
        for handled in self._handlers:
            try:
                self._require(handled.topic)
            except errors.QiantangError as error:
                found.append(f"{handled.handler.name} gets nothing of topic {handled.topic}: {error.detail}")
        return found

    async def close(self, budget: float) -> None:
        """End the consumers; handlers that run have `budget` seconds."""
        self._started = False
        all_running, self._running = list(self._running.values()), {}
        consumers = [one for running in all_running for one in running.consumers.values()]
        await asyncio.gather(*(one.close(budget) for one in consumers), self._collecting.end())
        for running in all_running:
            running.pool.shutdown(wait=False, cancel_futures=True)
        seen, self._seen = self._seen, {}
        for one in seen.values():
            await one.close()

    def group_of(self, topic: str, group: str = "") -> str:
        """Give the name that a group has on brokers."""
        named = group or self._ground.place.application
        alone = any(one.subscription.broadcast for one in self.consumers(topic, named))
        return own_group(named, self._ground.member) if alone else named

    def consumers(self, topic: str, group: str = "") -> list[Consumer]:
        """Give the consumers of a subscription: one for each broker of its topic."""
        named = group or self._ground.place.application
        return [
            consumer
            for handled, running in self._running.items()
            if (handled.topic, handled.group) == (topic, named)
            for consumer in running.consumers.values()
        ]

    # -- inside ------------------------------------------------------------------------------------------

    def _require(self, name: str) -> Topic:
        """Give a topic that is there and may be consumed.

        Raises:
            UnknownTopicError, ConsumeForbiddenError: it is not, or may not.
        """
        topic = self._ground.topic(name)
        if not self._may(topic):
            place = self._ground.place
            raise ConsumeForbiddenError(f"{place.center}/{place.application} may not consume topic {name}")
        return topic

    def _may(self, topic: Topic) -> bool:
        place = self._ground.place
        return admission.may(place.center, place.application, topic.consumers, topic.refused_consumers)

    def _topic_of(self, handled: _Handled) -> Topic | None:
        try:
            return self._require(handled.topic)
        except (UnknownTopicError, ConsumeForbiddenError) as error:
            log.failure(
                f"{handled.group} of {handled.topic}",
                "a handler waits for its topic",
                level=logging.WARNING,
                error=error,
            )
            return None

    def _said(self, topic: str, group: str, options: SubscriptionOptions) -> Subscription:
        return _said(self._declared.get((topic, group)), Subscription(group=group, topic=topic), options)

    def _start(self, handled: _Handled, topic: Topic) -> None:
        running = self._running.get(handled)
        if running is None:
            running = self._running[handled] = self._prepared(handled, topic)
        for link in self._ground.links_of(topic):
            if link not in running.consumers:
                running.consumers[link] = self._consumer(running, link, handled)
                running.consumers[link].start()

    def _prepared(self, handled: _Handled, topic: Topic) -> _Running:
        subscription = self._said(handled.topic, handled.group, handled.options)
        ground, pool = self._ground, _pool(subscription)
        around = ground.interceptors.consuming(topic.name)
        once = self._once(subscription)
        work = Work(topic, subscription, handled.handler, ground.keys, pool, around=around, once=once)
        return _Running(subscription, topic, work, pool)

    def _consumer(self, running: _Running, link: Link, handled: _Handled) -> Consumer:
        topic, subscription = running.topic, running.subscription
        return Consumer(
            link.name,
            lambda: link.broker.capabilities,
            subscription,
            running.work,
            Ways(
                join=lambda: self._join(link, topic, subscription),
                bury=functools.partial(self._bury, link, topic, subscription),
                answer=functools.partial(self._replies.give, link, topic),
                failed=functools.partial(self._ground.failures.handled, subscription),
            ),
            batch=max(1, handled.handler.batch),
            now=self._ground.now,
        )

    def _once(self, subscription: Subscription) -> Once | None:
        """Give what has a message handled once, where that is asked for."""
        dedup = subscription.dedup
        if dedup is None:
            return None
        seen = self._seen.get((dedup.adapter, dedup.url))
        if seen is None:
            seen = plugins.load("qiantang.messaging.seen", dedup.adapter)(dedup.url)
            self._seen[dedup.adapter, dedup.url] = seen
        return Once(subscription.group, dedup, seen)

    async def _join(self, link: Link, topic: Topic, subscription: Subscription) -> Receiver:
        if (subscription.topic, subscription.group) not in self._warm:
            for hook in self._warm_ups:
                found = hook(subscription)
                if inspect.isawaitable(found):
                    await found
            self._warm.add((subscription.topic, subscription.group))
        member = self._ground.member
        if subscription.broadcast:
            subscription = msgspec.structs.replace(subscription, group=own_group(subscription.group, member))
        return await link.join(topic, subscription, member, self._queues)

    def _homes(self, links: Collection[Link]) -> dict[Home, Topic]:
        """Say where letters may die on these brokers, each with a topic that is there: in groups, and in the name of who sends."""
        homes: dict[Home, Topic] = {}
        own = self._ground.place.application
        for link in links if self._buries else ():
            homes[link, own] = Topic(name=own, clusters=[link.route.cluster])
        for running in self._running.values():
            for link in running.consumers:
                homes[link, running.subscription.group] = running.topic
        return homes

    async def _bury(self, link: Link, topic: Topic, subscription: Subscription, frame: Frame) -> SendOutcome:
        home = dead.topic_of(topic, subscription.group)
        failure = await self._collecting.expect(link, subscription.group, home)
        if failure is not None:
            return SendOutcome.refused(failure)
        return await self._put(link, frame, home)

    async def _put(self, link: Link, frame: Frame, home: Topic) -> SendOutcome:
        return (await self._sender.send_to(link, [frame], BURY_SECONDS, home))[0]


def own_group(group: str, member: str) -> str:
    """Give the name of the group that a process is by itself in a broadcast."""
    return f"{group}.{member[-MAX_MEMBER:]}"


def _pool(subscription: Subscription) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(subscription.concurrency, thread_name_prefix=subscription.group)


def _read_of(topic: Topic) -> Topic:
    """Give what consumers need to know of a topic; who sends, and how fast, does not concern them."""
    return msgspec.structs.replace(
        topic, clusters=["-"], write_version="2.0", senders=[], refused_senders=[], limits=[], backlog=None, shrink=None
    )


def _said(declared: Subscription | None, plain: Subscription, options: SubscriptionOptions) -> Subscription:
    """Say how a subscription is: by configuration where that says something, else by what the code gives, else by default."""
    base = declared or plain
    silent = {name: value for name, value in options.items() if getattr(base, name) == getattr(plain, name)}
    return wire.convert(wire.builtins(msgspec.structs.replace(base, **silent)), Subscription)
