"""Interceptors and hooks: what an application puts between its calls and the broker.

Each sees all messages, or those of some topics, or those of some centers: a send interceptor goes by the center that sends, a
consume interceptor by the center that sent. They are called in the order in which they were given, and chosen once for each
topic, not for each message.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from qiantang.messaging.model import Context, Header, Message, Sent, Subscription, Topic


@runtime_checkable
class SendInterceptor(Protocol):
    """Sees a message before it is written, and what became of it."""

    def before_send(self, message: Message[Any]) -> Message[Any]:
        """Give the message to send: the same, or another with the same id. An error that it raises is the sender's."""
        ...

    def after_send(self, message: Message[Any], sent: Sent) -> None:
        """See what became of it; what it raises is logged and changes nothing."""
        ...


@runtime_checkable
class ConsumeInterceptor(Protocol):
    """Sees a message before its handler, and what the handler made of it. Functions or coroutine functions."""

    def before_consume(self, body: Any, context: Context) -> Any:
        """Give the body for the handler. An error that it raises counts as the handler's."""
        ...

    def after_consume(self, context: Context, error: BaseException | str | None) -> Any:
        """See what became of it: None where it is done. What it raises is logged and changes nothing."""
        ...


WarmUp = Callable[[Subscription], Awaitable[None] | None]
"""Called once before the first message of a subscription is fetched, and again while it raises: fills caches, opens pools."""

ProducerHook = Callable[[Topic], Mapping[str, Header] | None]
"""Called once before the first message to a topic; the headers that it gives are added to each that has none of their name."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An interceptor and what it is for: some topics, some centers, all where nothing is said."""

    interceptor: SendInterceptor | ConsumeInterceptor
    topics: frozenset[str]
    centers: frozenset[str]

    def is_for(self, topic: str) -> bool:
        """Say whether it may see messages of the topic."""
        return not self.topics or topic in self.topics


@dataclass(frozen=True, slots=True)
class Around:
    """A consume interceptor as the worker calls it."""

    interceptor: ConsumeInterceptor
    centers: frozenset[str]

    async def before(self, body: Any, context: Context) -> Any:
        """Give the body for the handler."""
        if self.centers and context.center not in self.centers:
            return body
        found = self.interceptor.before_consume(body, context)
        return await found if inspect.isawaitable(found) else found

    async def after(self, context: Context, error: BaseException | str | None) -> None:
        """Tell what became of a message."""
        if self.centers and context.center not in self.centers:
            return
        found = self.interceptor.after_consume(context, error)
        if inspect.isawaitable(found):
            await found


class Interceptors:
    """All of a bus."""

    def __init__(self, everywhere: Collection[SendInterceptor | ConsumeInterceptor] = ()) -> None:
        self._placed: list[Placed] = []
        for one in everywhere:
            self.add(one)

    def add(
        self,
        interceptor: SendInterceptor | ConsumeInterceptor,
        topics: Collection[str] = (),
        centers: Collection[str] = (),
    ) -> None:
        """Add one.

        Raises:
            TypeError: it is no interceptor of either kind.
        """
        found: Any = interceptor
        if not isinstance(found, SendInterceptor | ConsumeInterceptor):
            raise TypeError(
                f"{type(interceptor).__name__} has neither before_send and after_send nor their like to consume"
            )
        self._placed.append(Placed(interceptor, frozenset(topics), frozenset(centers)))

    def sending(self, topic: str, center: str) -> tuple[SendInterceptor, ...]:
        """Give those that see what this center sends to a topic."""
        return tuple(
            one.interceptor
            for one in self._placed
            if isinstance(one.interceptor, SendInterceptor)
            and one.is_for(topic)
            and (not one.centers or center in one.centers)
        )

    def consuming(self, topic: str) -> tuple[Around, ...]:
        """Give those that see what is consumed of a topic."""
        return tuple(
            Around(one.interceptor, one.centers)
            for one in self._placed
            if isinstance(one.interceptor, ConsumeInterceptor) and one.is_for(topic)
        )
