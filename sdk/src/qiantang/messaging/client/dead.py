"""Dead letters: what nobody will try again goes to a topic of its own, with everything that one needs to judge and resend it.

The topic is called `dead.<group>`, lies where the message came from, and takes messages of all topics of the group. The letter
is the message as it was, body and headers untouched, with headers that say where it died and why. Sent again, it goes to where it
died, for the group in which it did: the header `mf-for` names that, and other groups pass it over.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Final

import msgspec

from qiantang.messaging.errors import UndecodableError
from qiantang.messaging.model import DeadLetter, Died, Frame, Subscription, Taken, Topic, envelope
from qiantang.messaging.model.deadletter import fingerprint
from qiantang.messaging.model.envelope import DELIVER_AT, EXPIRES_AT
from qiantang.messaging.model.estate import MAX_BODY
from qiantang.messaging.model.message import DEAD

FOR: Final = "mf-for"
PREFIX: Final = "mf-dead-"
TOPIC: Final = "mf-dead-topic"
GROUP: Final = "mf-dead-group"
ERROR: Final = "mf-dead-error"
STACK: Final = "mf-dead-stack"
ATTEMPTS: Final = "mf-dead-attempts"
AT: Final = "mf-dead-at"
QUEUE: Final = "mf-dead-queue"
POSITION: Final = "mf-dead-position"
ASIDE: Final = "mf-dead-aside"
"""Of a letter that the store does not take: why."""
MEANT: Final = "mf-dead-for"
"""Of a message that was sent again and that its broker refused then: the group that it is for still."""

ROOM: Final = 64 * 1024
"""More than a letter says of its end."""
MAX_ERROR: Final = 1000
MAX_STACK: Final = 6000
MAX_BRIEF: Final = 100


def topic_of(topic: Topic, group: str) -> Topic:
    """Give the topic of a group's dead letters, on the brokers of the topic where they died."""
    return home(f"{DEAD}{group}", topic.clusters)


def home(name: str, clusters: Sequence[str]) -> Topic:
    """Give a topic of dead letters. It takes what any topic takes, and what a letter says beside: its group may consume several,
    and what other programs send may be as large as its topic takes, with headers.
    """
    return Topic(name=name, clusters=list(clusters), queues=1, max_body=MAX_BODY + ROOM)


def aside(frame: Frame, home: Topic, error: BaseException) -> Frame:
    """Make what is put aside of a letter that the store does not take: all that it was, and why."""
    said, _ = told(error)
    return msgspec.structs.replace(frame, topic=home.name, text={**frame.text, ASIDE: said}, queue=-1)


def refused(frame: Frame, group: str, error: BaseException, at: float) -> Frame:
    """Make the dead letter of a message that its broker will never take, in the name of who sent it."""
    sender = Subscription(group=group, topic=frame.topic)
    return letter(Taken(frame=frame), sender, 1, error, at)


def letter(taken: Taken, subscription: Subscription, failures: int, error: BaseException | str, at: float) -> Frame:
    """Make the dead letter of a message that failed so often, last with this error; `at` is in seconds since 1970."""
    frame = taken.frame
    said, stack = told(error)
    text = {
        **frame.text,
        TOPIC: frame.text.get(TOPIC, frame.topic),
        GROUP: subscription.group,
        ERROR: said,
        STACK: stack,
        ATTEMPTS: str(failures),
        AT: str(int(at * 1000)),
        QUEUE: taken.queue,
        POSITION: str(taken.position),
    }
    meant = text.pop(FOR, "")
    if meant and not taken.queue:
        text[MEANT] = meant
    text.pop(DELIVER_AT, None)
    text.pop(EXPIRES_AT, None)
    return msgspec.structs.replace(
        frame, topic=f"{DEAD}{subscription.group}", text=text, deliver_at=0, expires_at=0, queue=-1
    )


def brief(letter: Frame) -> Frame:
    """Make a letter that says as little as it can of its end, for a broker to which it is too large."""
    text = {name: value for name, value in letter.text.items() if name != STACK}
    return msgspec.structs.replace(letter, text={**text, ERROR: _short(text.get(ERROR, ""), MAX_BRIEF)})


def told(error: BaseException | str | None) -> tuple[str, str]:
    """Give an error in words and its stack, both short enough to be kept."""
    if error is None or isinstance(error, str):
        return _short(_clean(error or ""), MAX_ERROR), ""
    stack = _short(_clean("".join(traceback.format_exception(error))), MAX_STACK)
    return _short(_clean(f"{type(error).__name__}: {error}"), MAX_ERROR), stack


def read(frame: Frame) -> Died | None:
    """Give what a dead letter says of its end; None for any other message."""
    said = frame.text
    if TOPIC not in said:
        return None
    return Died(
        topic=said[TOPIC],
        group=said.get(GROUP, ""),
        error=said.get(ERROR, ""),
        stack=said.get(STACK, ""),
        attempts=_number(said.get(ATTEMPTS, "")),
        at=_number(said.get(AT, "")) / 1000,
        queue=said.get(QUEUE, ""),
        position=_number(said.get(POSITION, "")),
    )


def kept(frame: Frame) -> DeadLetter:
    """Make what is kept of a dead letter; of what somebody else put into its topic all that it says."""
    died = read(frame) or Died(topic="", group=frame.topic.removeprefix(DEAD), error="it does not say of what it died")
    try:
        sender = envelope.read(frame).envelope.sender
    except UndecodableError:
        sender = frame.text.get(envelope.SENDER, "")
    center, _, application = _clean(sender).partition("/")
    error, stack = _short(_clean(died.error), MAX_ERROR), _short(_clean(died.stack), MAX_STACK)
    return DeadLetter(
        topic=_clean(died.topic),
        group=_clean(died.group),
        id=_clean(frame.id),
        key=_clean(frame.key),
        tag=_clean(frame.tag),
        center=center,
        application=application,
        error=error,
        stack=stack,
        attempts=died.attempts,
        at=died.at,
        queue=_clean(died.queue),
        position=died.position,
        fingerprint=fingerprint(died.group, died.topic, error, stack),
        frame=frame,
    )


def stub(frame: Frame, home: Topic, link: str, error: BaseException) -> DeadLetter:
    """Make what a store may still take of a letter that it does not take: all but the message, with where that is."""
    letter = kept(frame)
    why = _short(_clean(str(error)), MAX_ERROR // 3)
    said = f"its message is not in the store, which does not take it ({why}): it lies in {home.name} at {link}"
    return msgspec.structs.replace(letter, error=_short(f"{said}. It died of {letter.error}", MAX_ERROR), frame=None)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.lstrip("-").isdigit() and len(text) <= 18 else 0


def _clean(text: str) -> str:
    """Leave out what databases and brokers do not take: zeros, and halves of characters."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def _short(text: str, most: int) -> str:
    """Cut the middle out: the beginning says where it was called, the end what happened."""
    return text if len(text) <= most else f"{text[: most // 3]}\n…\n{text[-(most - most // 3) :]}"
