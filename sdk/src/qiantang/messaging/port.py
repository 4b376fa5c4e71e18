"""Port: what an adapter does for a broker. All of it is async and in batches; policy is the client's, not the adapter's.

An adapter is a callable `make(resource) -> Broker`, found under its name in the entry points `qiantang.messaging.adapters`.
It connects, moves frames and settles them. It does not retry, does not filter unless the broker does, keeps no policy, and
logs nothing of its own but a lost connection. The conformance suite in `qiantang.messaging.testing` says what it must keep.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from qiantang.kernel import errors
from qiantang.kernel.rate import Rate
from qiantang.messaging.errors import StoreRefusedError
from qiantang.messaging.model import DeadAction, DeadCause, DeadLetter, Failure, Frame, Subscription, Taken, Topic


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
    BROADCAST = "broadcast"
    """A group can end with its only member: nothing is left of it at the broker, at the latest some time after its process died."""


class Support(StrEnum):
    """Who provides a feature: the broker, the client in its place, or nobody."""

    NATIVE = "native"
    EMULATED = "emulated"
    UNSUPPORTED = "unsupported"


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What the connected broker does by itself, and its limits: bytes of a frame, seconds of a delay; 0 means none is known.

    `emulated` is what the client does in the broker's place; an adapter leaves it empty.
    """

    native: frozenset[Feature]
    emulated: frozenset[Feature] = frozenset()
    max_frame: int = 0
    max_delay: float = 0.0
    version: str = ""

    def has(self, feature: Feature) -> bool:
        """Say whether somebody provides the feature."""
        return feature in self.native or feature in self.emulated

    def support(self, feature: Feature) -> Support:
        """Say who provides the feature."""
        if feature in self.native:
            return Support.NATIVE
        return Support.EMULATED if feature in self.emulated else Support.UNSUPPORTED


Verdict = Literal["accepted", "spooled", "refused", "unknown"]


class SendOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker said of one frame: has it, will not have it (with the reason), or gave no answer.

    `spooled` is the client's word, not an adapter's: it is kept on disk and goes out once the broker is back.
    """

    verdict: Verdict
    queue: str = ""
    position: int = -1
    error: errors.QiantangError | None = None

    @classmethod
    def refused(cls, error: errors.QiantangError) -> SendOutcome:
        """Give the outcome of what the broker will not have."""
        return cls(verdict="refused", error=error)

    @classmethod
    def unknown(cls, error: errors.QiantangError) -> SendOutcome:
        """Give the outcome of what got no answer: the broker may have it."""
        return cls(verdict="unknown", error=error)

    @property
    def may_pass(self) -> bool:
        """Whether sending it again may help: the broker is away, or gave no answer."""
        if self.verdict == "refused":
            return self.error is None or (isinstance(self.error, errors.UnavailableError) and self.error.retryable)
        return self.verdict == "unknown"


class Settle(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one frame. `later` only where the broker has the feature.

    done: it is finished. A broker that settles by position is told the part without gaps: see `model.watermark`.
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

    async def fetch(self, count: int, size: int, wait: float) -> list[Taken]:
        """Give up to `count` frames of about `size` bytes in all, waiting up to `wait` seconds for the first.

        What was taken belongs to this member until it is settled, the member closes, or its hold is lost; then it is
        delivered again. Frames of one queue come in its order. Cancelling it loses nothing.

        Raises:
            BrokerAwayError: the connection is lost. A later call connects again.
        """
        ...

    async def settle(self, settles: Sequence[Settle]) -> None:
        """Tell the broker what became of frames; of those whose hold is lost nothing is told.

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


class HoldingReceiver(Receiver, Protocol):
    """What a broker without `later` gives, so that the client can provide it."""

    @property
    def holds(self) -> Mapping[str, int]:
        """The queues that are this member's alone at present, each with the number of its hold, as `Taken` names both.

        It says whose business the messages are that wait for another attempt.
        """
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

        A group that is made receives what is sent from then on, at the latest when this returns. One of a subscription with
        `broadcast` may be made by `receive` alone; it has the name of its only member.
        """
        ...

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        """Send frames, in this order within a queue; give an outcome for each. Never raises for the broker's sake."""
        ...

    async def receive(self, subscription: Subscription, member: str, queues: Collection[str] = ()) -> Receiver:
        """Join the group as `member`, a name that no other process has; with `queues`, for these physical queues alone.

        With `broadcast`, what is sent is received from when this returns, and closing the receiver ends the group.

        Raises:
            BrokerAwayError: it cannot be reached.
            UnknownTopicError: the broker has no such topic.
        """
        ...

    async def cancel(self, topic: str, id: str) -> bool:
        """Take a held back frame back; say whether it was still there. Only where the broker has the feature."""
        ...

    async def lag(self, topic: str, group: str, first: int = 0) -> Lag:
        """Say what the group has not finished; with `first`, of the queues from that number on.

        Where `first` is given, and nobody has sent to these queues since before the call, 0 means that nothing is there but what
        waits for its own time.
        """
        ...

    def queues(self, topic: str) -> int:
        """Say how many queues a topic has by what is known here; 0 where it was not had yet."""
        ...


class Waiting(msgspec.Struct, kw_only=True):
    """A message that waits for another attempt: from `due` on (seconds since 1970), and once none of its key is before it.

    `attempt` is the number of the next attempt. The key is empty where the subscription has no order.
    """

    taken: Taken
    key: str = ""
    due: float = 0.0
    attempt: int = 1


class Parked(msgspec.Struct, frozen=True):
    """The handle of a message that came out of a parking; `origin` is what the broker gave, where that is not settled yet."""

    number: int
    key: str = ""
    origin: Taken | None = None


class Parking(Protocol):
    """Where a member of a group keeps what waits for another attempt, for a broker without `later`. Of one receiver.

    Queues are those that the receiver holds. Who holds one takes over what waits in it; who held it before changes nothing more.
    """

    @property
    def durable(self) -> bool:
        """Whether what is put here outlives the process: the broker can be told that it is done."""
        ...

    async def own(self, holds: Mapping[str, int]) -> Mapping[str, Mapping[str, int]]:
        """Take queues over, by force, each under the number of its hold; give the keys that wait in each, with their counts.

        Raises:
            BrokerAwayError: the store is away.
        """
        ...

    def forget(self, queue: str) -> None:
        """Let a queue go: it is another's."""
        ...

    async def put(self, waiting: Sequence[Waiting]) -> Sequence[Waiting]:
        """Keep messages, in this order; give those that were there already, from before a crash, and are kept once.

        Of queues that are another's nothing is kept.

        Raises:
            BrokerAwayError: nothing was kept.
        """
        ...

    async def due(self, count: int) -> list[Taken]:
        """Give up to `count` messages whose time has come; none twice before it is settled.

        Of a key these are its first ones, in their order: where one of them is not done, those behind it have to be given back.
        """
        ...

    async def settle(self, done: Sequence[Taken], back: Sequence[Taken], later: Sequence[Waiting]) -> None:
        """Say what became of what `due` gave: done, given back unworked, or to wait again.

        Raises:
            BrokerAwayError: nothing was told, and it may be said again.
        """
        ...

    @property
    def next_due(self) -> float:
        """When to ask `due` again, in seconds since 1970; infinite where nothing waits for a time."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be fetched until some of it is done."""
        ...


class Store(Protocol):
    """What the platform keeps for brokers that do not: found under its name in the entry points `qiantang.messaging.stores`.

    A callable `make(resource) -> Store`.
    """

    async def open(self) -> None:
        """Connect, and make what is missing; once it is open this does nothing.

        Raises:
            BrokerAwayError: it cannot be reached.
        """
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...

    def parking(self, link: str, subscription: Subscription) -> Parking:
        """Give the place for what a group retries of a topic that came over a link."""
        ...

    async def parked(self, link: str, topic: str, group: str, first: int = 0) -> Lag:
        """Say how much waits there, of the queues from a number on."""
        ...

    async def note(self, failures: Sequence[Failure], keep_seconds: float) -> None:
        """Write failures down, in their order, and remove those that are older than `keep_seconds` now and then.

        Raises:
            BrokerAwayError: the store cannot be reached; nothing was written, or everything.
        """
        ...

    async def failures(self, *, topic: str, kind: str, before: int, count: int) -> list[Failure]:
        """Give failures, the newest first: of a topic and a kind where these are said, and with lower numbers than `before` where
        that is not 0.

        Raises:
            BrokerAwayError: the store cannot be reached.
        """
        ...

    def crashed(self, member: str) -> Crashed:
        """Make the table of what brokers that are away did not take; it is not opened, and has its own connections."""
        ...

    async def draw(self, name: str, rate: Rate, wanted: float, most: float) -> float:
        """Take `wanted` of a rate that all who name it so keep together; give the seconds to wait before it may be used.

        Where these are more than `most`, nothing was taken.

        Raises:
            BrokerAwayError: the store cannot be reached.
        """
        ...

    @property
    def dead(self) -> DeadStore:
        """Where dead letters are kept; open while the store is."""
        ...

    @property
    def broker(self) -> Broker:
        """A broker in the same store that has every feature: it holds messages until their time."""
        ...


class DeadQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters, causes or actions are asked for: those to which all applies that is not empty or 0.

    `words` stand in the error, in whatever case. `before`: with lower numbers. At most `count`.
    """

    topic: str = ""
    group: str = ""
    fingerprint: str = ""
    words: str = ""
    before: int = 0
    count: int = 100


class DeadStore(Protocol):
    """Dead letters, and the history of what was done with them. All of it raises `BrokerAwayError` where the store is away."""

    async def keep(
        self, kept: Sequence[DeadLetter], keep_seconds: float, history_seconds: float
    ) -> Mapping[int, StoreRefusedError]:
        """Keep letters, in their order; one that was kept before, or is in the history, is not kept again.

        Gives which of them, by their places, the store does not take though it is there, with why: the others are kept.

        Letters that were kept longer ago than `keep_seconds`, and history that is older than `history_seconds`, are removed now
        and then, also where no letters are given.

        Raises:
            BrokerAwayError: nothing was kept, or some of them; kept again, they are there once.
            OutcomeUnknownError: they were kept, or not; the same.
        """
        ...

    async def find(self, query: DeadQuery) -> list[DeadLetter]:
        """Give letters without their frames, the newest first."""
        ...

    async def causes(self, query: DeadQuery) -> list[DeadCause]:
        """Give letters by what they died of, the cause with the newest letter first; `before` is about the newest of each."""
        ...

    async def get(self, number: int) -> DeadLetter | None:
        """Give a letter with its frame, None where it is not there."""
        ...

    async def claim(self, number: int, claim: str, seconds: float) -> DeadLetter:
        """Have a letter for so long, so that nobody else does anything with it, and give it; `claim` is a name nobody else has.

        Raises:
            DeadLetterGoneError: it is not there.
            DeadLetterBusyError: somebody else has it.
        """
        ...

    async def release(self, number: int, claim: str) -> None:
        """Let go of a letter that is claimed; of any other nothing happens."""
        ...

    async def finish(self, action: DeadAction) -> None:
        """Move a letter to the history, in one transaction, though it is gone meanwhile; done again it is there once.

        Where the store does not take the message as it was sent beside the letter, it is kept without that.

        Raises:
            BrokerAwayError: it was not moved.
            OutcomeUnknownError: it was moved, or not.
        """
        ...

    async def history(self, query: DeadQuery) -> list[DeadAction]:
        """Give what was done, without frames, the newest first."""
        ...

    async def done(self, number: int) -> DeadAction | None:
        """Give one thing that was done, with its frames, None where it is not there."""
        ...


class Kept(NamedTuple):
    """What an outbox holds of one message: its number, its slot, and what was written."""

    number: int
    slot: int
    data: bytes


class Relayed(Protocol):
    """Messages in slots of a table, which a relay sends: each slot is sent by the member that holds it."""

    @property
    def slots(self) -> int:
        """How many slots it has: the messages of a key lie in one."""
        ...

    async def open(self) -> None:
        """Connect, make what is missing, and take part in sending; once it is open this does nothing.

        Raises:
            BrokerAwayError: the database cannot be reached.
        """
        ...

    async def close(self) -> None:
        """Take no part any more."""
        ...

    async def take(self, count: int) -> Sequence[Kept]:
        """Give the oldest that were committed, of the slots that are this member's, without removing them.

        Raises:
            BrokerAwayError: the database is away.
        """
        ...

    async def gone(self, numbers: Collection[int]) -> None:
        """Remove what its broker has. Of what is gone already nothing happens.

        Raises:
            BrokerAwayError: nothing was removed; it will be sent again.
        """
        ...

    async def waiting(self) -> Lag:
        """Say how much waits, of all slots."""
        ...


class Moved(NamedTuple):
    """A message that moves into a table of what brokers did not take: the slot of its key, -1 without one, and what was written."""

    slot: int
    data: bytes
    member: str
    topic: str
    id: str


class Crashed(Relayed, Protocol):
    """What brokers that are away did not take, where it outlives the machine."""

    async def put(self, moved: Sequence[Moved]) -> None:
        """Put messages behind those that are there, in their order.

        Raises:
            BrokerAwayError: nothing was put.
            OutcomeUnknownError: everything was put, or nothing.
        """
        ...

    async def members(self) -> set[str]:
        """Give those of whom anything is there.

        Raises:
            BrokerAwayError: the database is away.
        """
        ...

    async def left(self, members: Collection[str]) -> int:
        """Count what is there of these members still.

        Raises:
            BrokerAwayError: the database is away.
        """
        ...


class Outbox(Relayed, Protocol):
    """Messages that an application commits with its own rows: found in the entry points `qiantang.messaging.outboxes`.

    A callable `make(resource, member) -> Outbox`. All but `write` and `once` is the relay's, which sends what was committed.
    """

    def once(self, connection: Any, group: str, id: str) -> Any:
        """Note in the application's open transaction that a group handles a message; say whether it had not, as `write` does.

        Another transaction that noted it, and has not ended, is waited for.
        """
        ...

    def write(self, connection: Any, rows: Sequence[tuple[int, bytes]]) -> Any:
        """Write messages, each with its slot, in the application's open transaction; give what is to be awaited, or None.

        Raises:
            MisconfiguredError: it is no connection that is known, or has no transaction open.
        """
        ...


Claim = Literal["mine", "handled", "busy"]
"""Of a message: it is this process's to handle, it was handled, or another process has claimed it."""


class Seen(Protocol):
    """Which messages groups have handled: found in the entry points `qiantang.messaging.seen`.

    A callable `make(url) -> Seen`. All of it raises `UnavailableError` where the store is away; nothing was done then.
    """

    async def claim(self, group: str, ids: Sequence[str], seconds: float) -> Sequence[Claim]:
        """Claim messages for so long, each for itself; claiming anew what is one's own already prolongs it."""
        ...

    async def handled(self, group: str, ids: Sequence[str], seconds: float) -> None:
        """Note that messages were handled, for so long: whoever has claimed them meanwhile."""
        ...

    async def release(self, group: str, ids: Sequence[str]) -> None:
        """Give claims up that are one's own still."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


class Codec(Protocol):
    """Writes and reads bodies; found under its name in the entry points `qiantang.messaging.codecs`. Safe from any thread."""

    def encode(self, body: Any) -> bytes:
        """Write a body; any exception says that it cannot be."""
        ...

    def decode(self, data: bytes, kind: Any) -> Any:
        """Read a body as `kind`; any exception says that it cannot be."""
        ...
