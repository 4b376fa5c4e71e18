"""Message: what an application sends and receives, the same whatever broker carries it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

import msgspec

from qiantang.kernel.ids import ordered_id

T = TypeVar("T")
Header = str | bytes

LOWEST, DEFAULT_PRIORITY, HIGHEST = 0, 4, 9
MAX_TAG = 64
MAX_KEY = 255
MAX_HEADERS = 64
MAX_HEADER_NAME = 64
MAX_HEADER_BYTES = 8 * 1024
DEAD = "dead."
"""What topics of dead letters begin with; the name of the group follows."""
RESERVED = "mf-"
"""What the platform's own headers begin with: an application cannot set them."""


class Message(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A message to send.

    `id` is a UUIDv7, kept over every resend: what a consumer deduplicates by. `tag` is what consumers filter by; messages with
    the same `key` stay in order. `priority` goes from 0 to 9, 9 first. `deliver_at` is in seconds since 1970; `ttl` in
    seconds, counted from when the message may be delivered. A body is anything that the topic's codec writes: a struct, a
    dataclass, a dict, text, bytes.
    """

    topic: str
    body: T
    id: str = msgspec.field(default_factory=ordered_id)
    tag: str = ""
    key: str = ""
    priority: int = DEFAULT_PRIORITY
    deliver_at: float | None = None
    ttl: float | None = None
    headers: Mapping[str, Header] = {}


class Died(msgspec.Struct, frozen=True, kw_only=True):
    """How a message became a dead letter: in which group, of which topic, after how many attempts, when, and of what."""

    topic: str
    group: str
    error: str
    stack: str = ""
    attempts: int = 0
    at: float = 0.0
    queue: str = ""
    position: int = -1


class Context(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a handler is told of the message beside its body.

    `attempt` counts from 1. `queue` and `position` say where it stood on the broker. `sent_at` is in seconds since 1970;
    `center` and `application` say who sent it, empty where the sender said nothing. `died` is set on dead letters alone.
    """

    id: str
    topic: str
    group: str
    tag: str = ""
    key: str = ""
    priority: int = DEFAULT_PRIORITY
    headers: Mapping[str, Header] = {}
    attempt: int = 1
    queue: str = ""
    position: int = -1
    sent_at: float = 0.0
    center: str = ""
    application: str = ""
    died: Died | None = None


class Retry(msgspec.Struct, frozen=True):
    """A handler's answer: not now. After so many seconds, or as the subscription's policy says."""

    after: float | None = None
    reason: str = ""


class Dead(msgspec.Struct, frozen=True):
    """A handler's answer: never. The message becomes a dead letter at once."""

    reason: str = ""


class Reply(msgspec.Struct, frozen=True):
    """A handler's answer to a request: done, and this is what who asked is told. Where nobody asked it is dropped."""

    body: Any = None


Answer = Retry | Dead | Reply | None
"""What a handler answers; None is "done"."""

Outcome = Literal["accepted", "spooled", "refused", "unknown"]


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one message that was to be sent.

    `accepted`: the broker has it. `spooled`: it is kept here and goes out, in its order, once the broker is back. `refused`:
    it was not taken, and `error` says why. `unknown`: no answer came; it may be there.
    """

    id: str
    outcome: Outcome
    queue: str = ""
    position: int = -1
    error: Any = None

    @property
    def ok(self) -> bool:
        """Whether it is in safe hands."""
        return self.outcome in ("accepted", "spooled")
