"""Bus: what an application sends with and subscribes on, the same whatever brokers its estate names."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, Unpack

from msgspec import UNSET

from qiantang.kernel import errors, observe, scope
from qiantang.messaging.client import dead, estates, links
from qiantang.messaging.client.blocking import SyncBus
from qiantang.messaging.client.consuming import Consumer
from qiantang.messaging.client.failing import Failures
from qiantang.messaging.client.ground import Ground, member_of
from qiantang.messaging.client.interceptors import (
    ConsumeInterceptor,
    Interceptors,
    ProducerHook,
    SendInterceptor,
    WarmUp,
)
from qiantang.messaging.client.options import (
    REDRIVES_PER_SECOND,
    SEND_SECONDS,
    DeadFilter,
    Properties,
    SubscriptionOptions,
    message_of,
)
from qiantang.messaging.client.packing import Keys
from qiantang.messaging.client.parts import Parts
from qiantang.messaging.client.redriving import Edits, Redriving
from qiantang.messaging.client.requesting import Requests
from qiantang.messaging.client.routing import BalancedRouter, Router
from qiantang.messaging.client.sender import Sender
from qiantang.messaging.client.subscriptions import Subscriptions
from qiantang.messaging.client.transactions import Transaction
from qiantang.messaging.errors import BacklogFullError, BusClosedError, FeatureMissingError
from qiantang.messaging.model import (
    Context,
    DeadAction,
    DeadCause,
    DeadLetter,
    DeadOutcome,
    Estate,
    Failure,
    Frame,
    Header,
    Message,
    Sent,
)
from qiantang.messaging.model.estate import FailureKind
from qiantang.messaging.port import DeadQuery, Feature, Lag, Outbox, Support

logger = logging.getLogger(__name__)
log = observe.BoundedLog(logger)
C = TypeVar("C", bound=Callable[..., Any])

CLOSE_SECONDS: Final = 10.0
STEP_SECONDS: Final = 1.0
"""What each step of closing has, though the time is over: without it something would stay open."""
UNANSWERED: Final = 10_000
"""Sends that nobody waits for and that are not answered yet: beyond, `oneway` and `send_async` refuse."""


class MessageBus:
    """Sends and receives messages; `async with MessageBus(estate, place) as bus`. Belongs to the event loop that opened it.

    Opening connects to nobody: brokers are connected to as they are needed, so that one that is away keeps nobody from starting.
    Closing stops fetching, waits for the handlers that run, sends what waits, and leaves, within `close_seconds`. Blocking
    programs use the same bus through `bus.sync`.

    Args:
        estate: clusters, topics and subscriptions; None where it comes by `change` alone, later than the handlers.
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
        estate: Estate | None,
        place: scope.Scope,
        *,
        keys: Mapping[str, bytes] | None = None,
        interceptors: Sequence[SendInterceptor | ConsumeInterceptor] = (),
        router: Router | None = None,
        adapters: Mapping[str, links.Make] | None = None,
        now: Callable[[], float] = time.time,
        close_seconds: float = CLOSE_SECONDS,
    ) -> None:
        member = member_of(place)
        self._ground = Ground(
            place=place,
            member=member,
            failures=Failures(place.center, place.application, member, now),
            keys=Keys(keys),
            interceptors=Interceptors(interceptors),
            now=now,
        )
        self._sender = Sender(self._ground, router or BalancedRouter())
        self._requests = Requests(self._ground, self._sender)
        self._subscriptions = Subscriptions(self._ground, self._sender, strict=estate is not None)
        self._redriving = Redriving(self._ground, self._sender)
        self._parts = Parts(self._ground, self._sender, adapters, self._refused)
        if estate is not None:
            coming = self._parts.plan(estate)
            self._parts.adopt(coming)
            self._subscriptions.declare(estate)
        self._sync = SyncBus(self, self._sender, now)
        self._close_seconds = close_seconds
        self._unanswered: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._receives = True
        self._changing = asyncio.Lock()
        self._closed = False

    @classmethod
    def from_file(cls, file: Path | str, place: scope.Scope, **more: Any) -> Self:
        """Make a bus whose estate is in a file of TOML; `more` is what the class takes beside.

        Raises:
            MisconfiguredError: the file is not there or says no estate, or the estate cannot work.
        """
        return cls(estates.read(file), place, **more)

    # -- its life ----------------------------------------------------------------------------------------

    async def open(self, *, receive: bool = True) -> None:
        """Begin: sending is possible from now on, and what was subscribed is fetched; nothing is without `receive`."""
        if self._loop is not None or self._closed:
            raise errors.ConflictError(
                "the bus was closed: make another" if self._closed else "the bus is open already"
            )
        async with self._changing:
            await self._parts.open()
            self._loop = asyncio.get_running_loop()
            self._receives = receive
            if receive:
                self._subscriptions.start()

    async def change(self, estate: Estate, keys: Mapping[str, bytes] | None = None) -> list[str]:
        """Have another estate from now on, while messages come and go; give what is to be said of handlers that get nothing.

        A broker whose address changed is moved to: what was being sent is answered by the one before, what waits goes to the new
        one. Consumers that are the same in both go on undisturbed. Others end as in `close` and are started anew; how many
        messages they work on at a time changes while they run. An estate that cannot work changes nothing. `keys` replace those
        that there are; None leaves them.

        Raises:
            MisconfiguredError: the estate cannot work; the one before stays.
        """
        async with self._changing:
            if self._closed:
                raise BusClosedError("the bus was closed: it takes no other estate")
            coming = self._parts.plan(estate)
            if keys is not None:
                self._ground.keys.replace(keys)
            self._subscriptions.declare(estate)
            await self._requests.end(coming.plan.leaving)
            await self._subscriptions.end_changed(coming.topics, coming.plan, self._close_seconds / 2)
            await self._parts.change(coming)
            if self._loop is not None and self._receives and not self._closed:
                self._subscriptions.start()
            return self._subscriptions.problems()

    async def close(self) -> None:
        """End it; closing twice does nothing."""
        if self._loop is None:
            return
        self._loop, self._closed = None, True
        async with self._changing:  # an estate that is being taken in is taken in before
            await self._end(self._close_seconds / 2)

    async def _end(self, budget: float) -> None:
        await asyncio.gather(self._subscriptions.close(budget), self._requests.end())
        ends = time.monotonic() + budget
        # each of them, though one before ran out of time
        for step in (self._answer, self._parts.finish, self._parts.disconnect):
            try:
                async with asyncio.timeout(max(STEP_SECONDS, ends - time.monotonic())):
                    await step()
            except TimeoutError:
                logger.warning("the bus did not close in time", extra={"member": self.member, "step": step.__name__})

    async def _answer(self) -> None:
        """Wait for the sends that nobody waits for."""
        if self._unanswered:
            await asyncio.wait(set(self._unanswered))
        await self._sender.close()
        await self._parts.close_relay()

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

    async def request(
        self,
        topic: str,
        body: Any,
        *,
        reply: Any = Any,
        deadline: float = SEND_SECONDS,
        **properties: Unpack[Properties],
    ) -> Any:
        """Send a message whose handler answers with `Reply(...)`; give the body of that, read as the type `reply`.

        It is handled like any other, by one member of each group, with retries; the first reply counts. Without a `ttl` it
        expires with the deadline, so that nobody works on what nobody waits for.

        Raises what `send` raises, and:
            RequestFailedError: its handler gave it up; the detail says why.
            DeadlineError: no reply came in time; it may have been handled.
            FeatureMissingError: the broker has no way for replies.
        """
        self._require_open()
        properties.setdefault("ttl", deadline)
        return await self._requests.ask(message_of(topic, body, properties, self._ground.now), reply, deadline)

    def tx(self, connection: Any) -> Transaction:
        """Send messages in a database transaction of the application's: they go out once it commits, and never if it does not.

        `connection` is what the transaction is open on: a session or connection of SQLAlchemy (of either kind), of asyncpg,
        psycopg or aiosqlite, or of any DB-API driver. The estate's outbox is in that database.

        Raises:
            FeatureMissingError: the estate has no outbox.
        """
        return Transaction(self._require_outbox(), self._sender, connection, self._ground.now)

    def once(self, connection: Any, context: Context) -> Any:
        """Note, in the handler's own database transaction, that its message is handled; say whether it had not been before.

        Where it answers False the handler does nothing: what it would do was committed already. To be awaited where the
        connection is asynchronous; see `tx` for which there are. What was handled is known for seven days.

        Raises:
            FeatureMissingError: the estate has no outbox, which is where this is noted as well.
        """
        return self._require_outbox().once(connection, context.group, context.id)

    def switch(self, cluster: str, resource: str, *, on: bool) -> None:
        """Switch a broker off, so that what is sent to it is kept on disk, or on again, so that it goes out.

        Raises:
            NotFoundError: the estate has no such broker.
            FeatureMissingError: it has no offline store.
        """
        link = next((one for one in self._ground.all_links() if one.name == f"{cluster}/{resource}"), None)
        if link is None:
            raise errors.NotFoundError(f"the estate has no broker {cluster}/{resource}")
        if link.offline is None:
            raise FeatureMissingError("the estate has no offline store to keep messages in: give it `offline`")
        link.offline.switch(on=on)

    def spooled(self) -> dict[str, int]:
        """Say how many messages of this process wait on disk, by broker."""
        return {one.name: one.offline.pending for one in self._ground.all_links() if one.offline is not None}

    async def crashed(self) -> Lag:
        """Say how much of what brokers did not take waits in the store, of all processes.

        Raises:
            FeatureMissingError: nothing moves there: the estate's offline store has no `to_store_after`.
            BrokerAwayError: the store cannot be reached.
        """
        if self._parts.crashed is None:
            raise FeatureMissingError("nothing moves to the store: give the estate's offline store `to_store_after`")
        return await self._parts.crashed.waiting()

    async def failures(
        self, *, topic: str = "", kind: FailureKind | None = None, before: int = 0, count: int = 100
    ) -> list[Failure]:
        """Give the failures that were written down, by any process whose estate has this store, the newest first.

        Of a topic and a kind where these are said; `before` is the number of the last one of the page before.

        Raises:
            FeatureMissingError: the estate has no store.
            BrokerAwayError: the store cannot be reached.
        """
        store = self._ground.store
        if store is None:
            raise FeatureMissingError("the estate has no store where failures are written down: give it `store`")
        await store.open()
        return await store.failures(topic=topic, kind=kind or "", before=before, count=count)

    async def cancel(self, topic: str, id: str) -> bool:
        """Take a message back that is held until its time; say whether it was still there."""
        self._require_open()
        known = self._ground.topic(topic)
        found = False
        for link in self._ground.links_of(known):
            await link.ready(known)
            found = await link.broker.cancel(topic, id) or found
        return found

    # -- dead letters ------------------------------------------------------------------------------------

    async def dead_letters(self, **asked: Unpack[DeadFilter]) -> list[DeadLetter]:
        """Give the dead letters in the estate's store, without their frames, the newest first.

        Raises:
            FeatureMissingError: the estate has no store.
            BrokerAwayError: the store cannot be reached.
        """
        return await (await self._redriving.store()).find(DeadQuery(**asked))

    async def dead_causes(self, **asked: Unpack[DeadFilter]) -> list[DeadCause]:
        """Give dead letters by what they died of, the cause of the newest letter first; `before` is about the newest of each."""
        return await (await self._redriving.store()).causes(DeadQuery(**asked))

    async def dead_letter(self, number: int) -> DeadLetter:
        """Give one dead letter, with its frame.

        Raises:
            DeadLetterGoneError: it is not there, or not any more.
        """
        return await self._redriving.get(number)

    def dead_body(self, frame: Frame) -> Any:
        """Read the body of a dead letter's frame, or of what was sent again, as plain values, to be looked at and edited.

        Raises:
            UndecodableError: nobody can read it, or its key is not here; it may be sent again as it is.
        """
        return self._redriving.body(frame)

    async def resend(
        self,
        number: int,
        *,
        by: str,
        reason: str = "",
        body: Any = UNSET,
        headers: Mapping[str, Header] | None = None,
        key: str | None = None,
        tag: str | None = None,
        deadline: float = SEND_SECONDS,
    ) -> Sent:
        """Send a dead letter again, to the topic where it died, under its id, for the group in which it died alone.

        What is given takes the place of what was: a body is packed as the topic says, headers replace all that there were. The rest
        stays as it was, to the byte. Once a broker has it, it is no dead letter any more, and the history says that `by` did
        it. Where that could not be written down it stays, and may be sent twice, under the same id. Messages of its key
        that were sent meanwhile are before it. Who may do this is for the caller to know.

        Raises:
            DeadLetterGoneError: it is not there, or not any more.
            DeadLetterBusyError: somebody else is sending or deleting it just now.
            UnknownTopicError, InvalidMessageError, UnencodableError, BodyTooLargeError, UndecodableError: it cannot be sent so.
            BrokerAwayError: no broker took it, or the store cannot be reached.
            OutcomeUnknownError: a broker may have it.
        """
        self._require_open()
        edits = Edits(body=body, headers=headers, key=key, tag=tag)
        return await self._redriving.resend(number, edits, by, reason, deadline)

    async def resend_many(
        self,
        numbers: Iterable[int],
        *,
        by: str,
        reason: str = "",
        per_second: float = REDRIVES_PER_SECOND,
        deadline: float = SEND_SECONDS,
    ) -> list[DeadOutcome]:
        """Send dead letters again as they are, in this order and no faster; give what became of each, once if named twice.

        One that cannot be sent keeps no other back, but for a broker or store that is away: then the rest is not tried.
        """
        self._require_open()
        return await self._redriving.resend_many(numbers, by, reason, per_second, deadline)

    async def delete_dead(self, numbers: Iterable[int], *, by: str, reason: str = "") -> list[DeadOutcome]:
        """Delete dead letters, which the history keeps; give what became of each, as `resend_many` does."""
        return await self._redriving.delete(numbers, by, reason)

    async def dead_history(self, **asked: Unpack[DeadFilter]) -> list[DeadAction]:
        """Give what was done with dead letters, without frames, the newest first."""
        return await (await self._redriving.store()).history(DeadQuery(**asked))

    async def dead_action(self, number: int) -> DeadAction:
        """Give one thing that was done, with the letter's frame and the message as it was sent.

        Raises:
            DeadLetterGoneError: it is not there, or not any more.
        """
        return await self._redriving.done(number)

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

    async def consume(self, topics: Collection[str] = (), *, queue: str = "", until: asyncio.Event) -> None:
        """Open the bus and have its handlers work until the event is set; then close it. For a program that does nothing else.

        Only the handlers of these topics, all where none are named; with `queue`, only messages of that physical queue.

        Raises:
            NotFoundError: no handler subscribes to one of the topics, or to anything.
        """
        self._subscriptions.choose(topics, queue)
        async with self:
            await until.wait()

    async def pause(self, topic: str, group: str = "") -> None:
        """Take nothing new of a subscription; what is in hand is worked on."""
        for one in self.consumers(topic, group):
            await one.pause()

    async def resume(self, topic: str, group: str = "") -> None:
        """Take messages of a subscription again."""
        for one in self.consumers(topic, group):
            await one.resume()

    async def lag(self, topic: str, group: str = "", *, first: int = 0) -> Lag:
        """Say what a group has not finished of a topic, over those of its brokers that were connected to.

        With `first`, of the queues from that number on of each: of a topic that shrinks, these are to be empty.
        """
        known = self._ground.topic(topic)
        named = self._subscriptions.group_of(topic, group)
        links = [link for link in self._ground.links_of(known) if link.has(topic)]
        found = [await link.broker.lag(topic, named, first) for link in links]
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
                link.name: {one: link.broker.capabilities.support(one) for one in Feature}
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

    def _refused(self, frame: Frame, error: BaseException) -> Frame:
        return dead.refused(frame, self._ground.place.application, error, self._ground.now())

    def _require_outbox(self) -> Outbox:
        if self._parts.outbox is None:
            raise FeatureMissingError(
                "the estate has no outbox: give it `outbox`, the database of the application's transactions"
            )
        return self._parts.outbox

    def _require_open(self) -> None:
        if self._loop is None:
            raise BusClosedError("the bus is not open: use it inside `async with`, or `with bus.sync`")
