"""Redriving: what people do with dead letters in the estate's store: look at them, send them again, edited or not, or delete them.

A letter goes to the topic where it died, under its id, for the group in which it died alone. Who does something with it has
claimed it, and it moves to the history only once the broker has it. Who dies between the two leaves it where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from msgspec import UNSET

from qiantang.kernel import errors, ids
from qiantang.messaging.client import dead
from qiantang.messaging.client.ground import Ground
from qiantang.messaging.client.packing import Keys, Packer, unpack
from qiantang.messaging.client.pipeline import checked
from qiantang.messaging.client.sender import Sender
from qiantang.messaging.errors import (
    BodyTooLargeError,
    DeadLetterGoneError,
    FeatureMissingError,
    OutcomeUnknownError,
    UndecodableError,
)
from qiantang.messaging.model import (
    DeadAction,
    DeadLetter,
    DeadOutcome,
    Frame,
    Header,
    Message,
    Sent,
    Topic,
    envelope,
)
from qiantang.messaging.model.deadletter import Change, What
from qiantang.messaging.model.message import RESERVED
from qiantang.messaging.port import DeadStore

LEASE_SECONDS: Final = 30.0
"""How much longer than a send a letter is claimed: for what comes before and after."""
FINISH_TIMES: Final = 3
AGAIN_SECONDS: Final = 0.2
MAX_WORDS: Final = 255
"""Of who did something; a reason may have four times as many signs."""
_WRITTEN: Final = frozenset(
    {
        envelope.VERSION,
        envelope.ID,
        envelope.TAG,
        envelope.KEY,
        envelope.PRIORITY,
        envelope.SENT_AT,
        envelope.SENDER,
        envelope.CODEC,
        envelope.COMPRESSION,
        envelope.KEY_ID,
    }
)
"""Headers that are written with a message; what else is the platform's own stays as it was."""


class Edits(msgspec.Struct, frozen=True, kw_only=True):
    """What of a message is not to be as it was; headers replace all that there were."""

    body: Any = UNSET
    headers: Mapping[str, Header] | None = None
    key: str | None = None
    tag: str | None = None

    @property
    def changed(self) -> list[Change]:
        """Name what is edited."""
        said: dict[Change, bool] = {
            "body": self.body is not UNSET,
            "headers": self.headers is not None,
            "key": self.key is not None,
            "tag": self.tag is not None,
        }
        return [name for name, is_said in said.items() if is_said]


class Redriving:
    """Of one bus."""

    def __init__(self, ground: Ground, sender: Sender) -> None:
        self._ground = ground
        self._sender = sender

    async def store(self) -> DeadStore:
        """Give where dead letters are kept.

        Raises:
            FeatureMissingError: the estate has no store.
            BrokerAwayError: the store cannot be reached.
        """
        store = self._ground.store
        if store is None:
            raise FeatureMissingError("the estate has no store where dead letters are kept: give it `store`")
        await store.open()
        return store.dead

    async def get(self, number: int) -> DeadLetter:
        """Give a letter with its frame; see `MessageBus.dead_letter`."""
        found = await (await self.store()).get(number)
        if found is None:
            raise DeadLetterGoneError(f"there is no dead letter {number}: it was sent again or deleted, or was too old")
        return found

    async def done(self, number: int) -> DeadAction:
        """Give one thing that was done; see `MessageBus.dead_action`."""
        found = await (await self.store()).done(number)
        if found is None:
            raise DeadLetterGoneError(f"nothing of the number {number} is in the history of dead letters")
        return found

    def body(self, frame: Frame) -> Any:
        """Read the body of a letter; see `MessageBus.dead_body`."""
        topic = self._ground.topics.get(frame.text.get(dead.TOPIC, frame.topic))
        most = max(topic.max_body if topic is not None else 0, Topic(name="any", clusters=["any"]).max_body)
        return unpack(envelope.read(frame), Any, self._ground.keys, most)

    async def resend(self, number: int, edits: Edits, by: str, reason: str, deadline: float) -> Sent:
        """Send a letter again; see `MessageBus.resend`."""
        _check_words(by, reason)
        store = await self.store()
        async with _claimed(store, number, deadline + LEASE_SECONDS) as letter:
            frame = again(letter, edits, self._ground.topic(letter.topic), self._ground.keys, self._ground.now())
            (sent,) = await self._sender.send_frames([frame], deadline)
            if sent.error is not None:
                raise sent.error
            action = self._action(letter, "resent", by, reason)
            await _finish(store, msgspec.structs.replace(action, changed=edits.changed, sent=frame))
        return sent

    async def resend_many(
        self, numbers: Iterable[int], by: str, reason: str, per_second: float, deadline: float
    ) -> list[DeadOutcome]:
        """Send letters again; see `MessageBus.resend_many`."""
        _check_words(by, reason)
        if not per_second > 0:
            raise errors.InvalidRequestError(f"{per_second:g} letters a second are none: give more than 0")

        async def work(number: int) -> None:
            await self.resend(number, Edits(), by, reason, deadline)

        return await _each(numbers, work, 1 / per_second)

    async def delete(self, numbers: Iterable[int], by: str, reason: str) -> list[DeadOutcome]:
        """Delete letters; see `MessageBus.delete_dead`."""
        _check_words(by, reason)
        store = await self.store()

        async def work(number: int) -> None:
            async with _claimed(store, number, LEASE_SECONDS) as letter:
                await _finish(store, self._action(letter, "deleted", by, reason))

        return await _each(numbers, work)

    def _action(self, letter: DeadLetter, what: What, by: str, reason: str) -> DeadAction:
        return DeadAction(letter=letter, what=what, by=by, at=self._ground.now(), reason=reason)


def again(letter: DeadLetter, edits: Edits, topic: Topic, keys: Keys, now: float) -> Frame:
    """Make the message that a letter was, for the group in which it died, with what is edited; `now` in seconds since 1970.

    What is not edited is as it was, to the byte: a body that is encrypted needs no key.

    Raises:
        InvalidMessageError, BodyTooLargeError, UnencodableError: what is edited is wrong.
        UndecodableError: it is no message that could be edited, unless it gets another body.
        MisconfiguredError: the topic's codec, compression or key is not there, and the body is edited.
    """
    frame = letter.frame
    if frame is None:
        raise errors.InvalidRequestError(f"dead letter {letter.number} is here without its message: {letter.error}")
    text = {name: value for name, value in frame.text.items() if not name.startswith(dead.PREFIX)}
    group = frame.text.get(dead.MEANT, "") if letter.was_refused else letter.group
    if group:  # else no group has ever had it
        text[dead.FOR] = group
    plain = envelope.framed(letter.topic, frame.body, text, frame.binary)
    return _edited(plain, edits, topic, keys, now) if edits.changed else plain


def _edited(frame: Frame, edits: Edits, topic: Topic, keys: Keys, now: float) -> Frame:
    opened = _opened(frame, edits, topic, now)
    said = msgspec.structs.replace(
        opened.envelope,
        tag=opened.envelope.tag if edits.tag is None else edits.tag,
        key=opened.envelope.key if edits.key is None else edits.key,
        headers=opened.envelope.headers if edits.headers is None else edits.headers,
    )
    checked(
        Message(topic=topic.name, body=None, id=said.id, tag=said.tag, key=said.key, headers=edits.headers or {}), now
    )
    if said.version == "1.0":
        body = _first_body(opened) if edits.body is UNSET else edits.body
        written = envelope.write_first(topic.name, said, body)
    else:
        data = opened.body
        if edits.body is not UNSET:
            data, codec, compression, key_id = Packer(topic.packing, keys).pack(edits.body, said.id)
            said = msgspec.structs.replace(said, codec=codec, compression=compression, key_id=key_id)
        written = envelope.write(topic.name, said, data)
    if len(written.body) > topic.max_body:
        raise BodyTooLargeError(f"the body has {len(written.body)} bytes; topic {topic.name} takes {topic.max_body}")
    return msgspec.structs.replace(written, text={**_own_headers(frame, is_reserved=True), **written.text})


def _own_headers(frame: Frame, *, is_reserved: bool) -> dict[str, str]:
    """Give headers of text: those of the platform that are not written anew, or those of the application."""
    return {
        name: value
        for name, value in frame.text.items()
        if name.startswith(RESERVED) == is_reserved and name not in _WRITTEN
    }


def _opened(frame: Frame, edits: Edits, topic: Topic, now: float) -> envelope.Opened:
    """Read a frame; one that nobody can read is as good as any with another body."""
    try:
        found = envelope.read(frame)
    except UndecodableError:
        if edits.body is UNSET:
            raise
        found = envelope.Opened(
            envelope.Envelope(
                id=frame.id,
                codec="bytes",
                key=frame.key,
                tag=frame.tag,
                sent_at=int(now * 1000),
                headers={**_own_headers(frame, is_reserved=False), **frame.binary},
                version=topic.write_version,
            ),
            b"",
        )
    said = found.envelope
    return msgspec.structs.replace(found, envelope=msgspec.structs.replace(said, id=said.id or ids.ordered_id()))


def _first_body(opened: envelope.Opened) -> Any:
    return opened.body.decode() if opened.envelope.codec == "text" else msgspec.json.decode(opened.body)


@asynccontextmanager
async def _claimed(store: DeadStore, number: int, seconds: float) -> AsyncGenerator[DeadLetter]:
    """Have a letter for the time of an `async with`; it is let go of where that fails."""
    claim = ids.ordered_id()
    letter = await store.claim(number, claim, seconds)
    try:
        yield letter
    except BaseException:
        with contextlib.suppress(errors.QiantangError):  # then the claim ends by itself
            await store.release(number, claim)
        raise


async def _finish(store: DeadStore, action: DeadAction) -> None:
    for attempt in range(1, FINISH_TIMES + 1):
        try:
            return await store.finish(action)
        except (errors.UnavailableError, errors.DeadlineError) as error:
            if attempt == FINISH_TIMES:
                what = f"dead letter {action.letter.number} was {action.what}"
                raise OutcomeUnknownError(f"{what}, which could not be written down: it may still be there") from error
        await asyncio.sleep(AGAIN_SECONDS)
    return None


async def _each(
    numbers: Iterable[int], work: Callable[[int], Awaitable[None]], pause: float = 0.0
) -> list[DeadOutcome]:
    """Do something with each, `pause` seconds after the one before began; once something is away the others are not tried."""
    clock = asyncio.get_running_loop().time
    found: list[DeadOutcome] = []
    away: errors.QiantangError | None = None
    turn = clock()
    for number in dict.fromkeys(numbers):
        error = away
        if error is None:
            await asyncio.sleep(max(0.0, turn - clock()))
            turn = max(turn, clock()) + pause
            try:
                await work(number)
            except errors.QiantangError as failure:
                error = failure
                away = failure if isinstance(failure, errors.UnavailableError) else None
        found.append(DeadOutcome(number=number, error=error))
    return found


def _check_words(by: str, reason: str) -> None:
    if not 0 < len(by) <= MAX_WORDS or not by.isprintable():
        raise errors.InvalidRequestError(f"say who does it, in 1 to {MAX_WORDS} printable characters")
    if len(reason) > 4 * MAX_WORDS:
        raise errors.InvalidRequestError(f"a reason has {4 * MAX_WORDS} characters at most")
