"""Bus: what an application sends with and subscribes on, the same whatever brokers its estate names."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, TypeVar, Unpack

import msgspec

from qiantang.kernel import errors, ids, observe, scope
from qiantang.messaging.client import dead, links
from qiantang.messaging.client.consuming import Consumer
from qiantang.messaging.client.handlers import Handler, examine
from qiantang.messaging.client.options import Properties, SubscriptionOptions, message_of
from qiantang.messaging.client.packing import Keys
from qiantang.messaging.client.pipeline import Pipeline, SendInterceptor
from qiantang.messaging.client.routing import BalancedRouter, Router
from qiantang.messaging.client.working import Work
from qiantang.messaging.errors import (
    BacklogFullError,
    BrokerAwayError,
    BusClosedError,
    ConsumeForbiddenError,
    UnknownTopicError,
)
from qiantang.messaging.model import Estate, Frame, Message, Sent, Subscription, Topic
from qiantang.messaging.port import Feature, Lag, SendOutcome, Support

logger = logging.getLogger(__name__)
log = observe.BoundedLog(logger)
C = TypeVar("C", bound=Callable[..., Any])

SEND_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 10.0
UNANSWERED: Final = 10_000
"""Sends that nobody waits for and that are not answered yet: beyond, `oneway` and `send_async` refuse."""

_numbers = itertools.count(1)


class _Handled(NamedTuple):
    subscription: Subscription
    handler: Handler


class MessageBus:
    """Sends and receives messages; `async with MessageBus(estate, place) as bus`. Belongs to the event loop that opened it.

    Opening connects to nobody: brokers are connected to as they are needed, so that one that is away keeps nobody from starting.
    Closing stops fetching, waits for the handlers that run, sends what waits, and leaves, within `close_seconds`.

    Args:
        estate: clusters, topics and subscriptions.
        place: who this is; its center is what permissions are about.
        keys: keys of 32 bytes by their id, for topics that encrypt.
        interceptors: see every message that is sent.
        router: chooses brokers in place of the balanced one.
        adapters: makers of brokers by name, before those that are installed.
        now: the clock, in seconds since 1970.

    Raises, when made:
        MisconfiguredError: a topic names a cluster that is not there, an adapter is missing, or a name is given twice.
    """

    def __init__(
        self,
        estate: Estate,
        place: scope.Scope,
        *,
        keys: Mapping[str, bytes] | None = None,
        interceptors: Sequence[SendInterceptor] = (),
        router: Router | None = None,
        adapters: Mapping[str, links.Make] | None = None,
        now: Callable[[], float] = time.time,
        close_seconds: float = CLOSE_SECONDS,
    ) -> None:
        self.place = place
        self.member = f"{place.application}-{os.getpid()}-{next(_numbers)}-{ids.ordered_id()[-12:]}"
        self._keys = Keys(keys)
        self._interceptors = tuple(interceptors)
        self._router = router or BalancedRouter()
        self._now = now
        self._close_seconds = close_seconds
        self._links = links.make_links(estate, adapters)
        self._topics = self._known(estate)
        self._declared = {(one.topic, one.group): one for one in estate.subscriptions}
        self._pipelines: dict[str, Pipeline] = {}
        self._handlers: list[_Handled] = []
        self._consumers: list[Consumer] = []
        self._pools: list[ThreadPoolExecutor] = []
        self._unanswered: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    # -- its life ----------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Begin: sending is possible from now on, and what was subscribed is fetched."""
        if self._loop is not None:
            raise errors.ConflictError("the bus is open already")
        self._loop = asyncio.get_running_loop()
        for one in self._handlers:
            self._start(one)

    async def close(self) -> None:
        """End it; closing twice does nothing."""
        if self._loop is None:
            return
        self._loop = None
        consumers, self._consumers = self._consumers, []
        budget = self._close_seconds / 2
        await asyncio.gather(*(one.close(budget) for one in consumers))
        try:
            async with asyncio.timeout(budget):
                if self._unanswered:
                    await asyncio.wait(set(self._unanswered))
                await asyncio.gather(*(one.close() for one in self._all_links()))
        except TimeoutError:
            logger.warning("the bus did not close in time", extra={"member": self.member})
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=True)
        self._pools.clear()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # -- sending -----------------------------------------------------------------------------------------

    async def send(
        self, topic: str, body: Any, *, deadline: float = SEND_SECONDS, **properties: Unpack[Properties]
    ) -> Sent:
        """Send a message, and give where it went once the broker has it.

        Raises:
            UnknownTopicError, SendForbiddenError, InvalidMessageError, UnencodableError, BodyTooLargeError: the message is wrong.
            BrokerAwayError: no broker took it.
            OutcomeUnknownError: a broker may have it; sent again with the same `id`, a deduplicating consumer sees it once.
        """
        self._require_open()
        message = message_of(topic, body, properties, self._now)
        try:
            frame = self._pipeline(topic).frame(message)
            link = self._link(frame)
            if not link.has(topic):
                await link.ready(self._topics[topic])
            sent = _sent(frame, (await link.line.send([frame], deadline))[0])
        except errors.QiantangError as error:
            sent = Sent(id=message.id, outcome="refused", error=error)
        self._tell([message], [sent])
        if sent.error is not None:
            raise sent.error
        return sent

    async def send_many(self, messages: Iterable[Message[Any]], *, deadline: float = SEND_SECONDS) -> list[Sent]:
        """Send messages, of any topics, those of a topic in their order; give what became of each.

        A wrong one keeps no other back.
        """
        self._require_open()
        return await self._send_all(list(messages), deadline)

    def send_async(
        self,
        topic: str,
        body: Any,
        *,
        on_result: Callable[[Sent], None] | None = None,
        deadline: float = SEND_SECONDS,
        **properties: Unpack[Properties],
    ) -> str:
        """Send a message without waiting, from the bus's own loop; give its id. `on_result` is told what became of it.

        Raises:
            BacklogFullError: too many are not answered yet.
        """
        self._require_open()
        if len(self._unanswered) >= UNANSWERED:
            raise BacklogFullError(f"{UNANSWERED} messages that nobody waits for are not answered yet", retry_after=1)
        message = message_of(topic, body, properties, self._now)
        task = asyncio.create_task(self._later(message, on_result, deadline))
        self._unanswered.add(task)
        task.add_done_callback(self._unanswered.discard)
        return message.id

    def oneway(self, topic: str, body: Any, **properties: Unpack[Properties]) -> str:
        """Send a message and ask for nothing; give its id. A failure is counted and logged, within bounds."""
        return self.send_async(topic, body, **properties)

    async def cancel(self, topic: str, id: str) -> bool:
        """Take a message back that is held until its time; say whether it was still there.

        Raises:
            FeatureMissingError: the topic's brokers cannot do that.
        """
        known = self._topic(topic)
        found = False
        for link in self._links_of(known):
            await link.ready(known)
            found = await link.broker.cancel(topic, id) or found
        return found

    # -- receiving ---------------------------------------------------------------------------------------

    def subscribe(self, topic: str, *, group: str = "", **options: Unpack[SubscriptionOptions]) -> Callable[[C], C]:
        """Have a function or coroutine called with each message of a topic: `(body)` or `(body, context)`.

        Configuration that declares the subscription says how; what is given here is said where it does not, and `group` is the
        application's own name where nothing else is said. It answers None, `Retry` or `Dead`; an exception means `Retry`.

        Raises:
            UnknownTopicError: there is no such topic.
            ConsumeForbiddenError: this center may not consume it.
            HandlerMismatchError: the handler cannot be called so.
        """
        return self._subscribing(topic, group, 0, options)

    def subscribe_batch(
        self, topic: str, *, group: str = "", most: int = 100, **options: Unpack[SubscriptionOptions]
    ) -> Callable[[C], C]:
        """Have it called with up to `most` messages at once: `(bodies)`, a list of bodies or of `Item`.

        It answers None, or a list with an answer for each; an exception means `Retry` for all.
        """
        return self._subscribing(topic, group, most, options)

    async def pause(self, topic: str, group: str = "") -> None:
        """Take nothing new of a subscription; what is in hand is worked on."""
        for one in self.consumers(topic, group):
            await one.pause()

    async def resume(self, topic: str, group: str = "") -> None:
        """Take messages of a subscription again."""
        for one in self.consumers(topic, group):
            await one.resume()

    async def lag(self, topic: str, group: str = "") -> Lag:
        """Say what a group has not finished of a topic, over all its brokers."""
        known = self._topic(topic)
        group = group or self.place.application
        found = [await link.broker.lag(topic, group) for link in self._links_of(known) if link.has(topic)]
        return Lag(
            messages=sum(one.messages for one in found),
            in_flight=sum(one.in_flight for one in found),
            seconds=max((one.seconds for one in found), default=0.0),
        )

    def consumers(self, topic: str, group: str = "") -> Collection[Consumer]:
        """Give the consumers of a subscription: one for each broker of its topic."""
        named = group or self.place.application
        return [one for one in self._consumers if (one.subscription.topic, one.subscription.group) == (topic, named)]

    def plan(self) -> dict[str, dict[str, dict[Feature, Support]]]:
        """Say, by topic and broker, who provides each feature. Brokers that were not connected to yet are left out."""
        return {
            name: {
                link.name: {
                    one: Support.NATIVE if link.broker.capabilities.has(one) else Support.UNSUPPORTED for one in Feature
                }
                for link in self._links_of(topic)
                if link.has(name)
            }
            for name, topic in self._topics.items()
        }

    # -- inside ------------------------------------------------------------------------------------------

    def _known(self, estate: Estate) -> dict[str, Topic]:
        topics: dict[str, Topic] = {}
        for one in estate.topics:
            missing = [name for name in one.clusters if name not in self._links]
            if missing:
                raise errors.MisconfiguredError(
                    f"topic {one.name} names the cluster {missing[0]!r}, which is not declared"
                )
            if one.name in topics:
                raise errors.MisconfiguredError(f"the topic {one.name!r} is declared twice")
            topics[one.name] = one
        return topics

    def _topic(self, name: str) -> Topic:
        found = self._topics.get(name)
        if found is None:
            raise UnknownTopicError(
                f"there is no topic {name[:100]!r}: the estate declares {', '.join(sorted(self._topics)[:20]) or 'none'}"
            )
        return found

    def _pipeline(self, topic: str) -> Pipeline:
        found = self._pipelines.get(topic)
        if found is None:
            found = Pipeline(self._topic(topic), self.place, self._keys, self._interceptors, self._now)
            self._pipelines[topic] = found
        return found

    def _all_links(self) -> list[links.Link]:
        return [link for some in self._links.values() for link in some]

    def _links_of(self, topic: Topic) -> list[links.Link]:
        return [link for name in topic.clusters for link in self._links[name]]

    def _link(self, frame: Frame) -> links.Link:
        candidates = self._links_of(self._topics[frame.topic])
        if len(candidates) == 1:
            return candidates[0]
        chosen = self._router.choose(frame, [one.route for one in candidates if one.route.weight > 0])
        return next(one for one in candidates if one.route == chosen)

    async def _send_all(self, wanted: list[Message[Any]], deadline: float) -> list[Sent]:
        found: list[Sent | None] = [None] * len(wanted)
        frames: dict[links.Link, list[tuple[int, Frame]]] = {}
        for place, message in enumerate(wanted):
            try:
                frame = self._pipeline(message.topic).frame(message)
                frames.setdefault(self._link(frame), []).append((place, frame))
            except errors.QiantangError as error:
                found[place] = Sent(id=message.id, outcome="refused", error=error)
        for placed, outcomes in await asyncio.gather(
            *(self._out(link, some, deadline) for link, some in frames.items())
        ):
            for (place, frame), outcome in zip(placed, outcomes, strict=True):
                found[place] = _sent(frame, outcome)
        sent = [one for one in found if one is not None]
        self._tell(wanted, sent)
        return sent

    async def _out(
        self, link: links.Link, placed: list[tuple[int, Frame]], deadline: float
    ) -> tuple[list[tuple[int, Frame]], Sequence[SendOutcome]]:
        frames = [frame for _, frame in placed]
        try:
            for name in {frame.topic for frame in frames}:
                if not link.has(name):
                    await link.ready(self._topics[name])
        except errors.QiantangError as error:
            return placed, [SendOutcome(verdict="refused", error=error)] * len(frames)
        return placed, await link.line.send(frames, deadline)

    async def _later(self, message: Message[Any], on_result: Callable[[Sent], None] | None, deadline: float) -> None:
        try:
            sent = (await self._send_all([message], deadline))[0]
        except errors.QiantangError as error:
            sent = Sent(id=message.id, outcome="refused", error=error)
        if sent.error is not None and on_result is None:
            log.failure(f"oneway {message.topic}", "a message that nobody waits for was not sent", error=sent.error)
        if on_result is not None:
            try:
                on_result(sent)
            except Exception as error:
                log.failure(f"callback {message.topic}", "the callback of a send failed", error=error)

    def _tell(self, messages: Sequence[Message[Any]], sent: Sequence[Sent]) -> None:
        if not self._interceptors:
            return
        for message, one in zip(messages, sent, strict=True):
            for interceptor in self._interceptors:
                try:
                    interceptor.after_send(message, one)
                except Exception as error:
                    log.failure(f"interceptor {message.topic}", "an interceptor failed after a send", error=error)

    def _require_open(self) -> None:
        if self._loop is None:
            raise BusClosedError("the bus is not open: use it inside `async with`")

    def _subscribing(self, topic: str, group: str, batch: int, options: SubscriptionOptions) -> Callable[[C], C]:
        known = self._topic(topic)
        if known.consumers and self.place.center not in known.consumers:
            raise ConsumeForbiddenError(f"center {self.place.center} may not consume topic {topic}")
        named = group or self.place.application
        declared = self._declared.get((topic, named))
        subscription = declared or Subscription(group=named, topic=topic)
        said = {name: value for name, value in options.items() if declared is None or _is_silent(declared, name)}
        subscription = msgspec.convert(msgspec.to_builtins(msgspec.structs.replace(subscription, **said)), Subscription)

        def register(call: C) -> C:
            handled = _Handled(subscription, examine(call, batch=batch))
            self._handlers.append(handled)
            if self._loop is not None:
                self._start(handled)
            return call

        return register

    def _start(self, handled: _Handled) -> None:
        subscription, handler = handled
        topic = self._topic(subscription.topic)
        pool = ThreadPoolExecutor(subscription.concurrency, thread_name_prefix=f"{subscription.group}")
        self._pools.append(pool)
        work = Work(topic, subscription, handler, self._keys, pool)
        for link in self._links_of(topic):
            consumer = Consumer(
                f"{subscription.group} of {topic.name} at {link.name}",
                link.broker,
                subscription,
                work,
                join=lambda link=link: link.join(topic, subscription, self.member, ()),
                bury=lambda frame, link=link: self._bury(link, topic, subscription, frame),
                batch=max(1, handler.batch),
                now=self._now,
            )
            self._consumers.append(consumer)
            consumer.start()

    async def _bury(self, link: links.Link, topic: Topic, subscription: Subscription, frame: Frame) -> SendOutcome:
        home = dead.topic_of(topic, subscription.group)
        try:
            if not link.has(home.name):
                await link.ready(home)
            return (await link.line.send([frame], SEND_SECONDS))[0]
        except errors.QiantangError as error:
            return SendOutcome(verdict="refused", error=error)


def _is_silent(declared: Subscription, name: str) -> bool:
    """Say whether a declared subscription leaves something at its default."""
    return getattr(declared, name) == getattr(Subscription(group=declared.group, topic=declared.topic), name)


def _sent(frame: Frame, outcome: SendOutcome) -> Sent:
    if outcome.verdict == "accepted":
        return Sent(id=frame.id, outcome="accepted", queue=outcome.queue, position=outcome.position)
    error = outcome.error or BrokerAwayError("the broker did not take the message, and gave no reason")
    return Sent(id=frame.id, outcome=outcome.verdict, error=error)
