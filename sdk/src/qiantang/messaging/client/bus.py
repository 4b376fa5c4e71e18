"""Bus: what an application sends with and subscribes on, the same whatever brokers its estate names."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, Unpack

from qiantang.kernel import errors, observe, scope
from qiantang.messaging.client import estates, links
from qiantang.messaging.client.blocking import SyncBus
from qiantang.messaging.client.consuming import Consumer
from qiantang.messaging.client.ground import Ground, known_topics, member_of
from qiantang.messaging.client.interceptors import (
    ConsumeInterceptor,
    Interceptors,
    ProducerHook,
    SendInterceptor,
    WarmUp,
)
from qiantang.messaging.client.options import SEND_SECONDS, Properties, SubscriptionOptions, message_of
from qiantang.messaging.client.packing import Keys
from qiantang.messaging.client.routing import BalancedRouter, Router
from qiantang.messaging.client.sender import Sender
from qiantang.messaging.client.subscriptions import Subscriptions
from qiantang.messaging.errors import BacklogFullError, BusClosedError
from qiantang.messaging.model import Estate, Message, Sent
from qiantang.messaging.port import Feature, Lag, Support

logger = logging.getLogger(__name__)
log = observe.BoundedLog(logger)
C = TypeVar("C", bound=Callable[..., Any])

CLOSE_SECONDS: Final = 10.0
UNANSWERED: Final = 10_000
"""Sends that nobody waits for and that are not answered yet: beyond, `oneway` and `send_async` refuse."""


class MessageBus:
    """Sends and receives messages; `async with MessageBus(estate, place) as bus`. Belongs to the event loop that opened it.

    Opening connects to nobody: brokers are connected to as they are needed, so that one that is away keeps nobody from starting.
    Closing stops fetching, waits for the handlers that run, sends what waits, and leaves, within `close_seconds`. Blocking
    programs use the same bus through `bus.sync`.

    Args:
        estate: clusters, topics and subscriptions.
        place: who this is; its center is what permissions are about.
        keys: keys of 32 bytes by their id, for topics that encrypt.
        interceptors: see every message that is sent, or consumed.
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
        interceptors: Sequence[SendInterceptor | ConsumeInterceptor] = (),
        router: Router | None = None,
        adapters: Mapping[str, links.Make] | None = None,
        now: Callable[[], float] = time.time,
        close_seconds: float = CLOSE_SECONDS,
    ) -> None:
        made = links.make_links(estate, adapters)
        self._ground = Ground(
            place=place,
            member=member_of(place),
            links=made,
            topics=known_topics(estate, made),
            keys=Keys(keys),
            interceptors=Interceptors(interceptors),
            now=now,
        )
        declared = {(one.topic, one.group): one for one in estate.subscriptions}
        self._sender = Sender(self._ground, router or BalancedRouter())
        self._subscriptions = Subscriptions(self._ground, self._sender, declared)
        self._sync = SyncBus(self, self._sender, now)
        self._close_seconds = close_seconds
        self._unanswered: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @classmethod
    def from_file(cls, file: Path | str, place: scope.Scope, **more: Any) -> Self:
        """Make a bus whose estate is in a file of TOML; `more` is what the class takes beside.

        Raises:
            MisconfiguredError: the file is not there or says no estate, or the estate cannot work.
        """
        return cls(estates.read(file), place, **more)

    # -- its life ----------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Begin: sending is possible from now on, and what was subscribed is fetched."""
        if self._loop is not None or self._closed:
            raise errors.ConflictError(
                "the bus was closed: make another" if self._closed else "the bus is open already"
            )
        self._loop = asyncio.get_running_loop()
        self._subscriptions.start()

    async def close(self) -> None:
        """End it; closing twice does nothing."""
        if self._loop is None:
            return
        self._loop, self._closed = None, True
        budget = self._close_seconds / 2
        await self._subscriptions.close(budget)
        try:
            async with asyncio.timeout(budget):
                if self._unanswered:
                    await asyncio.wait(set(self._unanswered))
                await asyncio.gather(*(one.close() for one in self._ground.all_links()))
        except TimeoutError:
            logger.warning("the bus did not close in time", extra={"member": self.member})

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def member(self) -> str:
        """Its name in the groups that it joins; no other bus has it."""
        return self._ground.member

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that it is open on."""
        return self._loop

    @property
    def sync(self) -> SyncBus:
        """The same bus for blocking code."""
        return self._sync

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
        sent = await self._sender.send(message_of(topic, body, properties, self._ground.now), deadline)
        if sent.error is not None:
            raise sent.error
        return sent

    async def send_many(self, messages: Iterable[Message[Any]], *, deadline: float = SEND_SECONDS) -> list[Sent]:
        """Send messages, of any topics, those of a topic in their order; give what became of each.

        A wrong one keeps no other back.
        """
        self._require_open()
        return await self._sender.send_many(list(messages), deadline)

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
        message = message_of(topic, body, properties, self._ground.now)
        task = asyncio.create_task(self._later(message, on_result, deadline))
        self._unanswered.add(task)
        task.add_done_callback(self._unanswered.discard)
        return message.id

    def oneway(self, topic: str, body: Any, **properties: Unpack[Properties]) -> str:
        """Send a message and ask for nothing; give its id. A failure is counted and logged, within bounds."""
        return self.send_async(topic, body, **properties)

    async def cancel(self, topic: str, id: str) -> bool:
        """Take a message back that is held until its time; say whether it was still there."""
        self._require_open()
        known = self._ground.topic(topic)
        found = False
        for link in self._ground.links_of(known):
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
        return self._subscriptions.add(topic, group, 0, options)

    def subscribe_batch(
        self, topic: str, *, group: str = "", most: int = 100, **options: Unpack[SubscriptionOptions]
    ) -> Callable[[C], C]:
        """Have it called with up to `most` messages at once: `(bodies)`, a list of bodies or of `Item`.

        It answers None, or a list with an answer for each; an exception means `Retry` for all.
        """
        return self._subscriptions.add(topic, group, most, options)

    async def pause(self, topic: str, group: str = "") -> None:
        """Take nothing new of a subscription; what is in hand is worked on."""
        for one in self.consumers(topic, group):
            await one.pause()

    async def resume(self, topic: str, group: str = "") -> None:
        """Take messages of a subscription again."""
        for one in self.consumers(topic, group):
            await one.resume()

    async def lag(self, topic: str, group: str = "") -> Lag:
        """Say what a group has not finished of a topic, over those of its brokers that were connected to."""
        known = self._ground.topic(topic)
        named = group or self._ground.place.application
        found = [await link.broker.lag(topic, named) for link in self._ground.links_of(known) if link.has(topic)]
        return Lag(
            messages=sum(one.messages for one in found),
            in_flight=sum(one.in_flight for one in found),
            seconds=max((one.seconds for one in found), default=0.0),
        )

    def consumers(self, topic: str, group: str = "") -> list[Consumer]:
        """Give the consumers of a subscription: one for each broker of its topic."""
        return self._subscriptions.consumers(topic, group)

    def plan(self) -> dict[str, dict[str, dict[Feature, Support]]]:
        """Say, by topic and broker, who provides each feature. Brokers that were not connected to yet are left out."""
        return {
            name: {
                link.name: {
                    one: Support.NATIVE if link.broker.capabilities.has(one) else Support.UNSUPPORTED for one in Feature
                }
                for link in self._ground.links_of(topic)
                if link.has(name)
            }
            for name, topic in self._ground.topics.items()
        }

    # -- hooks -------------------------------------------------------------------------------------------

    def intercept(
        self,
        interceptor: SendInterceptor | ConsumeInterceptor,
        *,
        topics: Collection[str] = (),
        centers: Collection[str] = (),
    ) -> None:
        """Have an interceptor see messages: all, or those of some topics or centers. Of consumers, those started later."""
        self._ground.interceptors.add(interceptor, topics, centers)
        self._sender.forget()

    def warm_up(self, hook: WarmUp) -> WarmUp:
        """Have a function or coroutine called before the first message of each subscription is fetched."""
        self._subscriptions.add_warm_up(hook)
        return hook

    def on_producer(self, hook: ProducerHook) -> ProducerHook:
        """Have a function called before the first message to each topic; the headers that it gives are added to all of them."""
        self._sender.add_hook(hook)
        return hook

    # -- inside ------------------------------------------------------------------------------------------

    async def _later(self, message: Message[Any], on_result: Callable[[Sent], None] | None, deadline: float) -> None:
        sent = await self._sender.send(message, deadline)
        if sent.error is not None and on_result is None:
            log.failure(f"oneway {message.topic}", "a message that nobody waits for was not sent", error=sent.error)
        if on_result is not None:
            try:
                on_result(sent)
            except Exception as error:
                log.failure(f"callback {message.topic}", "the callback of a send failed", error=error)

    def _require_open(self) -> None:
        if self._loop is None:
            raise BusClosedError("the bus is not open: use it inside `async with`, or `with bus.sync`")
