"""Port: what an adapter does for a broker. All of it is async and in batches; policy is the client's, not the adapter's.

An adapter is a callable `make(resource) -> Broker`, found under its name in the entry points `qiantang.messaging.adapters`.
It connects, moves frames and settles them. It does not retry, does not filter unless the broker does, keeps no policy, and
logs nothing of its own but a lost connection. The conformance suite in `qiantang.messaging.testing` says what it must keep.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any, Literal, Protocol

import msgspec

from qiantang.kernel import errors
from qiantang.messaging.model import Frame, Subscription, Taken, Topic


class Feature(StrEnum):
    """What brokers differ in."""

    TAGS = "tags"
    """The broker leaves out what a subscription's tags do not ask for."""
    ORDER = "order"
    """Frames of a key go to one member of a group at a time, in the order in which they were sent."""
    DELAY = "delay"
    """A frame with `deliver_at` is held back until then."""
    PRIORITY = "priority"
    """Of the frames that wait, those of a higher priority come first."""
    EXPIRY = "expiry"
    """A frame whose `expires_at` has passed is not delivered."""
    LATER = "later"
    """A frame can be settled as `later`: it comes back after so many seconds, its attempts counted."""
    CANCEL = "cancel"
    """A frame that is held back can be taken back."""


class Support(StrEnum):
    """Who provides a feature: the broker, the client in its place, or nobody."""

    NATIVE = "native"
    EMULATED = "emulated"
    UNSUPPORTED = "unsupported"


Settling = Literal["each", "position"]
"""How frames are settled: one by one, or by a position up to which a queue is done."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What the connected broker does by itself, and its limits: bytes of a frame, seconds of a delay; 0 means none is known."""

    native: frozenset[Feature]
    settling: Settling
    max_frame: int = 0
    max_delay: float = 0.0
    version: str = ""

    def has(self, feature: Feature) -> bool:
        """Say whether the broker provides the feature."""
        return feature in self.native


Verdict = Literal["accepted", "refused", "unknown"]


class SendOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker said of one frame: has it, will not have it (with the reason), or gave no answer."""

    verdict: Verdict
    queue: str = ""
    position: int = -1
    error: errors.QiantangError | None = None


class Batch(msgspec.Struct, frozen=True):
    """Frames that were fetched in one epoch; settling them in a later one does nothing."""

    epoch: int
    taken: Sequence[Taken]


class Settle(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one frame. `later` only where the broker has the feature.

    done: it is finished, and on brokers that settle by position all before it in its queue is too.
    back: it was not worked on; the broker delivers it again, in its place, without counting an attempt where it can.
    later: it comes back after `after` seconds, counted; in an ordered subscription its key waits with it.
    """

    taken: Taken
    what: Literal["done", "back", "later"] = "done"
    after: float = 0.0


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """What a group has not finished of a topic: how many messages, how many of them are being worked on, and how old the oldest is.

    `seconds` is 0 where nothing waits or the broker does not tell.
    """

    messages: int
    in_flight: int = 0
    seconds: float = 0.0


class Receiver(Protocol):
    """One member's hold on a subscription. Used by one task at a time, but for `settle`, `pause` and `resume`."""

    async def fetch(self, count: int, size: int, wait: float) -> Batch:
        """Give up to `count` frames of about `size` bytes in all, waiting up to `wait` seconds for the first.

        What was taken belongs to this member until it is settled, the member closes, or its hold is lost; then it is
        delivered again. Frames of one queue come in its order. Cancelling it loses nothing.

        Raises:
            BrokerAwayError: the connection is lost. A later call connects again.
        """
        ...

    async def settle(self, epoch: int, settles: Sequence[Settle]) -> None:
        """Tell the broker what became of frames; of another epoch than the present one nothing is told.

        Raises:
            BrokerAwayError: not told; they will be delivered again.
        """
        ...

    async def pause(self) -> None:
        """Take no more frames, and keep those that are taken; the member stays in its group."""
        ...

    async def resume(self) -> None:
        """Take frames again."""
        ...

    async def close(self) -> None:
        """Leave the group. What is not settled goes to others at once where the broker can tell, else when it finds out."""
        ...


class Broker(Protocol):
    """A connection to one resource."""

    @property
    def capabilities(self) -> Capabilities:
        """What this broker does. Known once it is open."""
        ...

    async def open(self) -> None:
        """Connect.

        Raises:
            BrokerAwayError: it cannot be reached in time.
            UnauthenticatedError, ForbiddenError: it does not let us in.
        """
        ...

    async def close(self) -> None:
        """Disconnect, once what is being sent is answered; closes its receivers. Closing twice does nothing."""
        ...

    async def ensure(self, topic: Topic, groups: Collection[Subscription] = ()) -> None:
        """Make the topic with its queues, and the groups on it, where they are missing. Never takes queues away.

        A group that is made receives what is sent from then on, at the latest when this returns.
        """
        ...

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        """Send frames, in this order within a queue; give an outcome for each. Never raises for the broker's sake."""
        ...

    async def receive(self, subscription: Subscription, member: str, queues: Collection[str] = ()) -> Receiver:
        """Join the group as `member`, a name that no other process has; with `queues`, for these physical queues alone.

        Raises:
            BrokerAwayError: it cannot be reached.
            UnknownTopicError: the broker has no such topic.
        """
        ...

    async def cancel(self, topic: str, id: str) -> bool:
        """Take a held back frame back; say whether it was still there. Only where the broker has the feature."""
        ...

    async def lag(self, topic: str, group: str) -> Lag:
        """Say what the group has not finished."""
        ...


class Codec(Protocol):
    """Writes and reads bodies; found under its name in the entry points `qiantang.messaging.codecs`. Safe from any thread."""

    def encode(self, body: Any) -> bytes:
        """Write a body; any exception says that it cannot be."""
        ...

    def decode(self, data: bytes, kind: Any) -> Any:
        """Read a body as `kind`; any exception says that it cannot be."""
        ...
