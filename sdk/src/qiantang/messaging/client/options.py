"""Options: what may be said of a message, and of a subscription, beside what it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Required, TypedDict

from qiantang.messaging.errors import InvalidMessageError
from qiantang.messaging.model import Dedup, Header, Message, RetryPolicy
from qiantang.messaging.model.estate import Order

SEND_SECONDS: Final = 30.0
"""The deadline of a send that names none."""
REDRIVES_PER_SECOND: Final = 50.0
"""How fast dead letters are sent again where nothing is said."""


class Properties(TypedDict, total=False):
    """What may be said of a message; see `Message`. `delay` is in seconds from now, in place of `deliver_at`."""

    id: str
    tag: str
    key: str
    priority: int
    delay: float
    deliver_at: float
    ttl: float
    headers: Mapping[str, Header]


class SubscriptionOptions(TypedDict, total=False):
    """What may be said of a subscription; see `Subscription`."""

    tags: Sequence[str]
    order: Order
    concurrency: int
    handler_timeout: float
    retry: RetryPolicy
    dedup: Dedup
    leave_after: float
    broadcast: bool


class DeadFilter(TypedDict, total=False):
    """Which dead letters are asked for: those to which all applies that is said.

    `words` stand in the error, in whatever case. `before` is the number of the last one of the page before, `count` how many there
    are in a page.
    """

    topic: str
    group: str
    fingerprint: str
    words: str
    before: int
    count: int


class Resending(TypedDict, total=False):
    """What may be said where a dead letter is sent again; see `MessageBus.resend`."""

    by: Required[str]
    reason: str
    body: Any
    headers: Mapping[str, Header] | None
    key: str | None
    tag: str | None
    deadline: float


def message_of(topic: str, body: Any, properties: Properties, now: Callable[[], float]) -> Message[Any]:
    """Make a message.

    Raises:
        InvalidMessageError: delay and deliver_at are both said, or the delay is negative.
    """
    said: dict[str, Any] = dict(properties)
    delay = said.pop("delay", None)
    if delay is not None:
        if said.get("deliver_at") is not None:
            raise InvalidMessageError("a message has a delay or a deliver_at, not both")
        if delay < 0:
            raise InvalidMessageError(f"a delay of {delay:g} seconds is in the past")
        said["deliver_at"] = now() + delay
    return Message(topic=topic, body=body, **said)
