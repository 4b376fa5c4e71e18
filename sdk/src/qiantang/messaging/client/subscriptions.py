"""Subscriptions: the handlers of an application, and the consumers that call them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import msgspec

from qiantang.messaging.client import dead
from qiantang.messaging.client.consuming import Consumer
from qiantang.messaging.client.ground import Ground
from qiantang.messaging.client.handlers import Handler, examine
from qiantang.messaging.client.interceptors import WarmUp
from qiantang.messaging.client.links import Link
from qiantang.messaging.client.options import SubscriptionOptions
from qiantang.messaging.client.sender import Sender
from qiantang.messaging.client.working import Work
from qiantang.messaging.errors import ConsumeForbiddenError
from qiantang.messaging.model import Frame, Subscription, Topic
from qiantang.messaging.port import Receiver, SendOutcome

C = TypeVar("C", bound=Callable[..., Any])
BURY_SECONDS = 30.0


class _Handled(NamedTuple):
    subscription: Subscription
    handler: Handler


class Subscriptions:
    """Of one bus. `declared` are those of its configuration, by topic and group."""

    def __init__(self, ground: Ground, sender: Sender, declared: Mapping[tuple[str, str], Subscription]) -> None:
        self._ground = ground
        self._sender = sender
        self._declared = declared
        self._handlers: list[_Handled] = []
        self._consumers: list[Consumer] = []
        self._pools: list[ThreadPoolExecutor] = []
        self._warm_ups: list[WarmUp] = []
        self._warm: list[Subscription] = []
        self._started = False

    def add(self, topic: str, group: str, batch: int, options: SubscriptionOptions) -> Callable[[C], C]:
        """Give what registers a handler; see `MessageBus.subscribe`."""
        known = self._ground.topic(topic)
        center = self._ground.place.center
        if known.consumers and center not in known.consumers:
            raise ConsumeForbiddenError(f"center {center} may not consume topic {topic}")
        named = group or self._ground.place.application
        subscription = _said(self._declared.get((topic, named)), Subscription(group=named, topic=topic), options)

        def register(call: C) -> C:
            handled = _Handled(subscription, examine(call, batch=batch))
            self._handlers.append(handled)
            if self._started:
                self._start(handled)
            return call

        return register

    def add_warm_up(self, hook: WarmUp) -> None:
        """Have a hook called before the first message of each subscription is fetched."""
        self._warm_ups.append(hook)

    def start(self) -> None:
        """Have the consumers of all handlers fetch, and those of later ones as they are added."""
        self._started = True
        for one in self._handlers:
            self._start(one)

    async def close(self, budget: float) -> None:
        """End the consumers; handlers that run have `budget` seconds."""
        self._started = False
        consumers, self._consumers = self._consumers, []
        await asyncio.gather(*(one.close(budget) for one in consumers))
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=True)
        self._pools.clear()

    def consumers(self, topic: str, group: str = "") -> list[Consumer]:
        """Give the consumers of a subscription: one for each broker of its topic."""
        named = group or self._ground.place.application
        return [one for one in self._consumers if (one.subscription.topic, one.subscription.group) == (topic, named)]

    # -- inside ------------------------------------------------------------------------------------------

    def _start(self, handled: _Handled) -> None:
        subscription, handler = handled
        ground = self._ground
        topic = ground.topic(subscription.topic)
        pool = ThreadPoolExecutor(subscription.concurrency, thread_name_prefix=subscription.group)
        self._pools.append(pool)
        around = ground.interceptors.consuming(topic.name)
        work = Work(topic, subscription, handler, ground.keys, pool, around=around)
        for link in ground.links_of(topic):
            consumer = Consumer(
                f"{subscription.group} of {topic.name} at {link.name}",
                link.broker,
                subscription,
                work,
                join=lambda link=link: self._join(link, topic, subscription),
                bury=lambda frame, link=link: self._bury(link, topic, subscription, frame),
                batch=max(1, handler.batch),
                now=ground.now,
            )
            self._consumers.append(consumer)
            consumer.start()

    async def _join(self, link: Link, topic: Topic, subscription: Subscription) -> Receiver:
        if subscription not in self._warm:
            for hook in self._warm_ups:
                found = hook(subscription)
                if inspect.isawaitable(found):
                    await found
            self._warm.append(subscription)
        return await link.join(topic, subscription, self._ground.member, ())

    async def _bury(self, link: Link, topic: Topic, subscription: Subscription, frame: Frame) -> SendOutcome:
        home = dead.topic_of(topic, subscription.group)
        return (await self._sender.send_to(link, [frame], BURY_SECONDS, home))[0]


def _said(declared: Subscription | None, plain: Subscription, options: SubscriptionOptions) -> Subscription:
    """Say how a subscription is: by configuration where that says something, else by what the code gives, else by default."""
    base = declared or plain
    silent = {name: value for name, value in options.items() if getattr(base, name) == getattr(plain, name)}
    return msgspec.convert(msgspec.to_builtins(msgspec.structs.replace(base, **silent)), Subscription)
