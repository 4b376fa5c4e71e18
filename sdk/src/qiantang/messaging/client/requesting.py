"""Requests: messages that are answered: who sends one waits for what its handler replies.

The reply comes over the broker that the request went over, on the topic `reply.<application>` of who asked. Each process that has
asked for something listens there, as a broadcast group of its own, to what bears its name as the tag.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from qiantang.kernel import errors, observe
from qiantang.messaging.client.consuming import Consumer, Ways
from qiantang.messaging.client.ground import Ground
from qiantang.messaging.client.links import Link
from qiantang.messaging.client.packing import unpack
from qiantang.messaging.client.pipeline import Pipeline
from qiantang.messaging.client.sender import Sender
from qiantang.messaging.client.working import Failed, Result
from qiantang.messaging.errors import BacklogFullError, BusClosedError, FeatureMissingError, RequestFailedError
from qiantang.messaging.model import Frame, Message, Reply, Subscription, Taken, Topic, envelope
from qiantang.messaging.model.message import MAX_TAG
from qiantang.messaging.port import Feature, SendOutcome

log = observe.BoundedLog(logging.getLogger(__name__))

TO: Final = "mf-reply-to"
TAG: Final = "mf-reply-tag"
ANSWERS: Final = "mf-answers"
FAILED: Final = "mf-failed"
PREFIX: Final = "reply."
_REPLIES: Final = re.compile(rf"{re.escape(PREFIX)}[a-z0-9._-]{{1,80}}")
"""What a topic of replies may be called: who sent the request may be anybody that the broker lets in."""
REPLY_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 1.0
MOST: Final = 10_000
"""Requests of one process that wait for their replies: beyond, more are refused."""
MAX_REASON: Final = 1000


class _Asked(NamedTuple):
    future: asyncio.Future[Any]
    kind: Any
    max_body: int


class Requests:
    """Of one bus: what it asks."""

    def __init__(self, ground: Ground, sender: Sender) -> None:
        self._ground = ground
        self._sender = sender
        self._topic = f"{PREFIX}{ground.place.application}"
        self._tag = ground.member[-MAX_TAG:]
        self._asked: dict[str, _Asked] = {}
        self._listeners: dict[Link, Consumer] = {}

    async def ask(self, message: Message[Any], kind: Any, deadline: float) -> Any:
        """Send a request; give the body of the first reply, read as `kind`.

        Raises what `MessageBus.request` raises.
        """
        if len(self._asked) >= MOST:
            raise BacklogFullError(f"{MOST} requests of this process wait for their replies", retry_after=1)
        try:
            async with asyncio.timeout(deadline):
                return await self._ask(message, kind, deadline)
        except TimeoutError as error:
            raise errors.DeadlineError(
                f"request {message.id} to topic {message.topic} was not answered within {deadline:g} s"
            ) from error

    async def _ask(self, message: Message[Any], kind: Any, deadline: float) -> Any:
        framed = self._sender.framed(message)
        frame = msgspec.structs.replace(framed, text={**framed.text, TO: self._topic, TAG: self._tag})
        topic = self._ground.topic(message.topic)
        await asyncio.gather(*(self._listen(link) for link in self._ground.links_of(topic)))
        asked = _Asked(asyncio.get_running_loop().create_future(), kind, topic.max_body)
        self._asked[frame.id] = asked
        try:
            (sent,) = await self._sender.send_frames([frame], deadline)
            self._sender.tell(message, sent, frame)
            if sent.error is not None:
                raise sent.error
            return await asked.future
        finally:
            del self._asked[frame.id]

    async def end(self, links: Collection[Link] | None = None) -> None:
        """Listen no more: on these brokers, or on any, and then nobody waits any more either."""
        ending = [self._listeners.pop(link) for link in list(self._listeners) if links is None or link in links]
        if links is None:
            for asked in self._asked.values():
                if not asked.future.done():
                    asked.future.set_exception(BusClosedError("the bus was closed before the reply came"))
        await asyncio.gather(*(one.close(CLOSE_SECONDS) for one in ending))

    # -- listening: what a consumer asks of its work -----------------------------------------------------

    async def one(self, taken: Taken) -> Result:
        """Take a reply; one that nobody waits for any more is dropped."""
        asked = self._asked.get(taken.frame.text.get(ANSWERS, ""))
        if asked is not None and not asked.future.done():
            try:
                asked.future.set_result(self._read(taken.frame, asked))
            except errors.QiantangError as error:
                asked.future.set_exception(error)
        return None

    async def do(self, taken: Sequence[Taken]) -> list[Result]:
        """Take replies."""
        return [await self.one(each) for each in taken]

    def _read(self, frame: Frame, asked: _Asked) -> Any:
        if FAILED in frame.text:
            raise RequestFailedError(frame.text[FAILED])
        return unpack(envelope.read(frame), asked.kind, self._ground.keys, asked.max_body)

    async def _listen(self, link: Link) -> None:
        """Have replies received from a broker; who asks next finds that so.

        Raises:
            BrokerAwayError: it cannot be reached.
            FeatureMissingError: it has no groups that end with their member.
        """
        known = self._listeners.get(link)
        if known is None:
            home = home_of(self._topic, link)
            await link.ready(home)
            if not link.broker.capabilities.has(Feature.BROADCAST):
                raise FeatureMissingError(
                    f"{link.name} has no groups that end with their member: replies cannot come over it"
                )
            known = self._listeners.setdefault(link, self._listener(link, home))
        await known.take_part()

    def _listener(self, link: Link, home: Topic) -> Consumer:
        own = Subscription(group=self._tag, topic=home.name, tags=[self._tag], broadcast=True)
        member = self._ground.member
        return Consumer(
            link.name,
            lambda: link.broker.capabilities,
            own,
            self,
            Ways(join=lambda: link.join(home, own, member, ()), bury=_drop),
            now=self._ground.now,
        )


class Replies:
    """Of one bus: what it answers."""

    def __init__(self, ground: Ground, sender: Sender) -> None:
        self._ground = ground
        self._sender = sender

    async def give(self, link: Link, topic: Topic, taken: Taken, result: Reply | Failed) -> None:
        """Tell who asked what became of his request, over the broker that it came over; nothing where nobody asked.

        A reply that cannot be sent is told in the log: what was done for the request stays done.
        """
        frame = taken.frame
        to = frame.text.get(TO, "")
        if not _REPLIES.fullmatch(to):
            return
        try:
            home = home_of(to, link, topic)
            letter = self._letter(home, frame, result)
            (outcome,) = await self._sender.send_to(link, [letter], REPLY_SECONDS, home)
            failure = outcome.error if outcome.verdict not in ("accepted", "spooled") else None
        except errors.QiantangError as error:
            failure = error
        if failure is not None:
            log.failure(f"reply {topic.name}", "a reply cannot be sent: who asked waits in vain", error=failure)

    def _letter(self, home: Topic, frame: Frame, result: Reply | Failed) -> Frame:
        ground = self._ground
        pipeline = Pipeline(home, ground.place, ground.keys, now=ground.now)
        ttl = max(1.0, frame.expires_at / 1000 - ground.now()) if frame.expires_at else None
        body, said = (result.body, {}) if isinstance(result, Reply) else (None, {FAILED: _reason(result)})
        letter = pipeline.frame(Message(topic=home.name, body=body, tag=frame.text.get(TAG, ""), ttl=ttl))
        return msgspec.structs.replace(letter, text={**letter.text, ANSWERS: frame.id, **said})


def home_of(name: str, link: Link, topic: Topic | None = None) -> Topic:
    """Give the topic of replies on a broker; replies are packed as the requests are."""
    home = Topic(name=name, clusters=[link.route.cluster], queues=1)
    return home if topic is None else msgspec.structs.replace(home, packing=topic.packing, max_body=topic.max_body)


def _reason(result: Failed) -> str:
    error = result.error
    said = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return " ".join(said.split())[:MAX_REASON]


async def _drop(_frame: Frame) -> SendOutcome:
    """A reply that cannot be read is told to who asked; there is nothing to bury."""
    return SendOutcome(verdict="accepted")
