"""Sender: messages on their way from the application to their brokers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from qiantang.kernel import errors, observe
from qiantang.messaging.client import limiting
from qiantang.messaging.client.ground import Ground
from qiantang.messaging.client.interceptors import ProducerHook
from qiantang.messaging.client.links import Link
from qiantang.messaging.client.offline import ANSWER_SECONDS
from qiantang.messaging.client.pipeline import Pipeline
from qiantang.messaging.client.routing import Router
from qiantang.messaging.errors import BrokerAwayError
from qiantang.messaging.model import Frame, Header, Message, Sent, Topic
from qiantang.messaging.port import Lag, SendOutcome

log = observe.BoundedLog(logging.getLogger(__name__))


class Sender:
    """Writes messages, chooses their brokers, sends them, and tells what became of them."""

    def __init__(self, ground: Ground, router: Router) -> None:
        self._ground = ground
        self._router = router
        self._hooks: list[ProducerHook] = []
        self._pipelines: dict[str, Pipeline] = {}
        self._has_rates = False
        self._gates = limiting.Gates(ground.place.center, ground.place.application, lambda: ground.store)

    def add_hook(self, hook: ProducerHook) -> None:
        """Have a hook called for each topic that is sent to."""
        self._hooks.append(hook)
        self.forget()

    def forget(self) -> None:
        """Compile again what was compiled: an interceptor or a hook was added."""
        self._pipelines = {}

    async def change(self, topics: Mapping[str, Topic]) -> None:
        """Have the topics as they are now."""
        before = self._ground.topics
        self.know(topics)
        await self._gates.change(before, topics)

    def know(self, topics: Mapping[str, Topic]) -> None:
        """Have topics, before anything was sent."""
        self._ground.topics = topics
        self._has_rates = any(topic.limits for topic in topics.values())
        self.forget()

    def framed(self, message: Message[Any]) -> Frame:
        """Write a message as its topic says; from any thread. Raises what `MessageBus.send` raises for one that is wrong."""
        return self._pipeline(message.topic).frame(message)

    async def send(self, message: Message[Any], deadline: float) -> Sent:
        """Send one message; give what became of it."""
        frame: Frame | None = None
        try:
            frame = self.framed(message)
            (sent,) = await self.send_frames([frame], deadline)
        except errors.QiantangError as error:
            sent = Sent(id=message.id, outcome="refused", error=error)
        self.tell(message, sent, frame)
        return sent

    async def send_many(self, messages: list[Message[Any]], deadline: float) -> list[Sent]:
        """Send messages, those of a topic in their order; give what became of each."""
        found: list[Sent | None] = [None] * len(messages)
        written: dict[int, Frame] = {}
        for place, message in enumerate(messages):
            try:
                written[place] = self.framed(message)
            except errors.QiantangError as error:
                found[place] = Sent(id=message.id, outcome="refused", error=error)
        for place, sent in zip(written, await self.send_frames(list(written.values()), deadline), strict=True):
            found[place] = sent
        told = [one for one in found if one is not None]
        for place, (message, sent) in enumerate(zip(messages, told, strict=True)):
            self.tell(message, sent, written.get(place))
        return told

    async def send_frames(self, frames: Sequence[Frame], deadline: float) -> list[Sent]:
        """Send what was written; give what became of each."""
        refused = await self._refused(frames, deadline) if self._has_rates else {}
        lines: dict[tuple[Link, bool], list[int]] = {}
        found: list[Sent | None] = [None] * len(frames)
        for place, frame in enumerate(frames):
            link = self.link_of(frame)
            error = refused.get(frame.topic) or self._too_far_behind(link, frame.topic)
            if error is None:
                # what has no key may go elsewhere, and does not wait for what has to stay
                lines.setdefault((link, not frame.key), []).append(place)
            else:
                found[place] = Sent(id=frame.id, outcome="refused", error=error)
        sends = [
            self.send_to(link, [frames[place] for place in places], deadline) for (link, _), places in lines.items()
        ]
        some = [await sends[0]] if len(sends) == 1 else await asyncio.gather(*sends)  # a task costs more than a message
        for places, outcomes in zip(lines.values(), some, strict=True):
            for place, outcome in zip(places, outcomes, strict=True):
                found[place] = _sent(frames[place], outcome)
        return [one for one in found if one is not None]

    async def _refused(self, frames: Sequence[Frame], deadline: float) -> dict[str, errors.QiantangError]:
        """Have frames pass the rates of their topics; give the topics of which nothing passes in time, with the reason."""
        refused: dict[str, errors.QiantangError] = {}
        for name, count in Counter(frame.topic for frame in frames).items():
            gate = self._gates.rate(self._ground.topic(name))
            if gate is not None:
                try:
                    await gate.pass_(count, deadline)
                except errors.QiantangError as error:
                    refused[name] = error
        return refused

    def _too_far_behind(self, link: Link, topic: str) -> errors.QiantangError | None:
        gate = self._backlog(link, topic)
        return gate.error() if gate is not None and gate.is_closed else None

    def _backlog(self, link: Link, name: str) -> limiting.BacklogGate | None:
        topic = self._ground.topic(name)
        if topic.backlog is None:
            return None  # of most topics, and this is asked for each message
        return self._gates.backlog(link.name, topic, lambda group: self._lag(link, topic, group))

    async def _lag(self, link: Link, topic: Topic, group: str) -> Lag:
        await link.have([topic.name])
        return await link.broker.lag(topic.name, group)

    async def send_to(
        self, link: Link, frames: Sequence[Frame], deadline: float, topic: Topic | None = None
    ) -> Sequence[SendOutcome]:
        """Send frames to one broker, which is opened and given their topics where needed; `topic` where the estate has it not."""
        ends = time.monotonic() + deadline
        missing = {frame.topic for frame in frames if not link.has(frame.topic)}
        failure = None
        if missing and not link.is_away:
            failure = await self._have(link, [topic or self._ground.topic(name) for name in missing], deadline)
        if failure is None:
            outcomes = await link.send(frames, deadline)
        else:
            outcomes = [SendOutcome.refused(failure)] * len(frames)
        now = time.monotonic()
        if link.is_away or link.health.is_isolated(now):
            return await self.elsewhere(link, frames, outcomes, ends - now)
        return outcomes

    async def _have(self, link: Link, topics: Sequence[Topic], deadline: float) -> errors.QiantangError | None:
        """Have topics on a broker; give why not, unless what is sent can be kept until it is there."""
        limit = deadline if link.offline is None else min(deadline, ANSWER_SECONDS)
        try:
            async with asyncio.timeout(limit):
                for one in topics:
                    await link.ready(one)
        except TimeoutError:
            late = f"{link.name} could not be connected to within {limit:g} s"
            failure: errors.QiantangError = BrokerAwayError(late)
        except errors.QiantangError as error:
            failure = error
        else:
            return None
        if link.offline is None or not isinstance(failure, errors.UnavailableError):
            return failure
        link.offline.go_away(failure)
        return None

    async def elsewhere(
        self, link: Link, frames: Sequence[Frame], outcomes: Sequence[SendOutcome], deadline: float
    ) -> Sequence[SendOutcome]:
        """Send to other brokers what a broker that has gone away did not take, and that may go to any."""
        found = list(outcomes)
        places: dict[Link, list[int]] = {}
        for place, frame in enumerate(frames):
            if outcomes[place].verdict == "refused" and not frame.key and self.has_other(link, frame):
                places.setdefault(self.link_of(frame), []).append(place)
        for other, some in places.items():
            if other is not link and deadline > 0:
                answers = await self.send_to(other, [frames[place] for place in some], deadline)
                for place, answer in zip(some, answers, strict=True):
                    found[place] = answer
        return found

    def has_other(self, link: Link, frame: Frame) -> bool:
        """Say whether another broker of the frame's topic can take it."""
        topic = self._ground.topics.get(frame.topic)
        links = self._ground.links_of(topic) if topic is not None else ()
        now = time.monotonic()
        return any(
            one is not link and one.route.weight > 0 and not one.is_away and not one.health.is_isolated(now)
            for one in links
        )

    def tell(self, message: Message[Any], sent: Sent, frame: Frame | None) -> None:
        """Tell the interceptors what became of a message, and have it written down if it failed; `frame` where it was written."""
        if not sent.ok:
            self._ground.failures.sent(message, sent, frame)
        pipeline = self._pipelines.get(message.topic)
        for interceptor in pipeline.interceptors if pipeline is not None else ():
            try:
                interceptor.after_send(message, sent)
            except Exception as error:
                log.failure(f"interceptor {message.topic}", "an interceptor failed after a send", error=error)

    def _pipeline(self, name: str) -> Pipeline:
        found = self._pipelines.get(name)
        if found is None:
            ground = self._ground
            topic = ground.topic(name)
            headers: dict[str, Header] = {}
            for hook in self._hooks:
                headers.update(hook(topic) or {})
            around = ground.interceptors.sending(name, ground.place.center)
            found = Pipeline(topic, ground.place, ground.keys, around, now=ground.now, headers=headers)
            self._pipelines[name] = found
        return found

    def _is_open(self, link: Link, topic: str) -> bool:
        gate = self._backlog(link, topic)
        return not link.is_away and not (gate is not None and gate.is_closed)

    async def close(self) -> None:
        """Watch no backlog any more."""
        await self._gates.close()

    def link_of(self, frame: Frame) -> Link:
        """Choose the broker of a frame."""
        candidates = self._ground.links_of(self._ground.topic(frame.topic))
        if len(candidates) == 1:
            return candidates[0]
        weighty = [one for one in candidates if one.route.weight > 0] or candidates
        now = time.monotonic()
        if not frame.key:  # messages of a key wait for their broker: at another one they would overtake
            weighty = [one for one in weighty if self._is_open(one, frame.topic)] or weighty
            weighty = [one for one in weighty if not one.health.is_isolated(now)] or weighty
        chosen = self._router.choose(frame, [one.route for one in weighty])
        link = next(one for one in weighty if one.route == chosen)
        link.health.admit(now)
        return link


def _sent(frame: Frame, outcome: SendOutcome) -> Sent:
    if outcome.verdict in ("accepted", "spooled"):
        return Sent(id=frame.id, outcome=outcome.verdict, queue=outcome.queue, position=outcome.position)
    error = outcome.error or BrokerAwayError("the broker did not take the message, and gave no reason")
    return Sent(id=frame.id, outcome=outcome.verdict, error=error)
