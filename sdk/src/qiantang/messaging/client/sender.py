"""Sender: messages on their way from the application to their brokers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from qiantang.kernel import errors, observe
from qiantang.messaging.client.ground import Ground
from qiantang.messaging.client.interceptors import ProducerHook
from qiantang.messaging.client.links import Link
from qiantang.messaging.client.pipeline import Pipeline
from qiantang.messaging.client.routing import Router
from qiantang.messaging.errors import BrokerAwayError
from qiantang.messaging.model import Frame, Header, Message, Sent, Topic
from qiantang.messaging.port import SendOutcome

log = observe.BoundedLog(logging.getLogger(__name__))


class Sender:
    """Writes messages, chooses their brokers, sends them, and tells what became of them."""

    def __init__(self, ground: Ground, router: Router) -> None:
        self._ground = ground
        self._router = router
        self._hooks: list[ProducerHook] = []
        self._pipelines: dict[str, Pipeline] = {}

    def add_hook(self, hook: ProducerHook) -> None:
        """Have a hook called for each topic that is sent to."""
        self._hooks.append(hook)
        self.forget()

    def forget(self) -> None:
        """Compile again what was compiled: an interceptor or a hook was added."""
        self._pipelines = {}

    def framed(self, message: Message[Any]) -> Frame:
        """Write a message as its topic says; from any thread. Raises what `MessageBus.send` raises for one that is wrong."""
        return self._pipeline(message.topic).frame(message)

    async def send(self, message: Message[Any], deadline: float) -> Sent:
        """Send one message; give what became of it."""
        try:
            frame = self.framed(message)
            link = self._link(frame)
            sent = _sent(frame, (await self.send_to(link, [frame], deadline))[0])
        except errors.QiantangError as error:
            sent = Sent(id=message.id, outcome="refused", error=error)
        self.tell([message], [sent])
        return sent

    async def send_many(self, messages: list[Message[Any]], deadline: float) -> list[Sent]:
        """Send messages, those of a topic in their order; give what became of each."""
        found: list[Sent | None] = [None] * len(messages)
        places: list[int] = []
        frames: list[Frame] = []
        for place, message in enumerate(messages):
            try:
                frames.append(self.framed(message))
                places.append(place)
            except errors.QiantangError as error:
                found[place] = Sent(id=message.id, outcome="refused", error=error)
        for place, sent in zip(places, await self.send_frames(frames, deadline), strict=True):
            found[place] = sent
        told = [one for one in found if one is not None]
        self.tell(messages, told)
        return told

    async def send_frames(self, frames: Sequence[Frame], deadline: float) -> list[Sent]:
        """Send what was written; give what became of each."""
        found: list[Sent | None] = [None] * len(frames)
        lines: dict[Link, list[tuple[int, Frame]]] = {}
        for place, frame in enumerate(frames):
            lines.setdefault(self._link(frame), []).append((place, frame))
        some = await asyncio.gather(
            *(self.send_to(link, [one for _, one in placed], deadline) for link, placed in lines.items())
        )
        for placed, outcomes in zip(lines.values(), some, strict=True):
            for (place, frame), outcome in zip(placed, outcomes, strict=True):
                found[place] = _sent(frame, outcome)
        return [one for one in found if one is not None]

    async def send_to(
        self, link: Link, frames: Sequence[Frame], deadline: float, topic: Topic | None = None
    ) -> Sequence[SendOutcome]:
        """Send frames to one broker, which is opened and given their topics where needed; `topic` where the estate has it not."""
        missing = {frame.topic for frame in frames if not link.has(frame.topic)}
        if missing:
            try:
                async with asyncio.timeout(deadline):
                    for name in missing:
                        await link.ready(topic or self._ground.topics[name])
            except TimeoutError:
                away = BrokerAwayError(f"{link.name} could not be connected to within {deadline:g} s")
                return [SendOutcome(verdict="refused", error=away)] * len(frames)
            except errors.QiantangError as error:
                return [SendOutcome(verdict="refused", error=error)] * len(frames)
        return await link.line.send(frames, deadline)

    def tell(self, messages: Sequence[Message[Any]], sent: Sequence[Sent]) -> None:
        """Tell the interceptors what became of messages."""
        for message, one in zip(messages, sent, strict=True):
            pipeline = self._pipelines.get(message.topic)
            for interceptor in pipeline.interceptors if pipeline is not None else ():
                try:
                    interceptor.after_send(message, one)
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

    def _link(self, frame: Frame) -> Link:
        candidates = self._ground.links_of(self._ground.topics[frame.topic])
        if len(candidates) == 1:
            return candidates[0]
        chosen = self._router.choose(frame, [one.route for one in candidates if one.route.weight > 0])
        return next(one for one in candidates if one.route == chosen)


def _sent(frame: Frame, outcome: SendOutcome) -> Sent:
    if outcome.verdict == "accepted":
        return Sent(id=frame.id, outcome="accepted", queue=outcome.queue, position=outcome.position)
    error = outcome.error or BrokerAwayError("the broker did not take the message, and gave no reason")
    return Sent(id=frame.id, outcome=outcome.verdict, error=error)
