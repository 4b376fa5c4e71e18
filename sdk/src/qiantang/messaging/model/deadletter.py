"""Dead letters in the estate's store: what died of what, grouped by its cause, and what was done with each.

A letter is kept from when it was collected until somebody sends it again or deletes it: then it moves to the history.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from qiantang.kernel import errors
from qiantang.messaging.model.frame import Frame

What = Literal["resent", "deleted"]
Change = Literal["body", "headers", "key", "tag"]

TOP_FRAMES: Final = 5
"""Of a stack: where it happened and who called that. What is further out differs by who called, not by the cause."""
_FRAME: Final = re.compile(r'File "([^"]*)", line \d+, in (\S+)')
_KIND: Final = re.compile(r"[A-Za-z_][\w.]*(?=:|$)")
_HEADING: Final = "Traceback (most recent call last)"
_VARIES: Final = re.compile(r"(?i)\b0x[0-9a-f]+\b|\b[0-9a-f-]*\d[0-9a-f-]*\b|\d+")
_MOST: Final = 200


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that nobody will try again by himself.

    `number` is the store's, rises, and is never used twice; 0 before it is there. `topic` and `group` say where it died, `at` when
    (seconds since 1970), `attempts` after how many tries, `queue` and `position` where it stood. `center` and `application` are of
    who sent it, empty where he did not say. Letters of one `fingerprint` died of the same. `frame` is the whole letter as its
    broker carried it: None in lists, since it may be large.
    """

    topic: str
    group: str
    id: str
    number: int = 0
    key: str = ""
    tag: str = ""
    center: str = ""
    application: str = ""
    error: str = ""
    stack: str = ""
    attempts: int = 0
    at: float = 0.0
    queue: str = ""
    position: int = -1
    fingerprint: str = ""
    frame: Frame | None = None

    @property
    def was_refused(self) -> bool:
        """Whether it never came to a group: its broker would not take it, and it died in the name of who sent it."""
        return not self.queue

    @property
    def mark(self) -> str:
        """What tells it from all others: the same for a letter that its broker delivers twice."""
        frame = self.frame
        said = (self.group, self.topic, self.id, int(self.at * 1000), self.queue, self.position, self.key, self.tag)
        return _hash(msgspec.msgpack.encode((said, frame.body if frame is not None else b"")), 16)


class DeadCause(msgspec.Struct, frozen=True, kw_only=True):
    """Letters that died of the same: how many there are, when the first and the last of them died (seconds since 1970), and the
    number and the error of the newest.
    """

    fingerprint: str
    topic: str
    group: str
    count: int
    first: float
    last: float
    newest: int
    error: str


class DeadAction(msgspec.Struct, frozen=True, kw_only=True):
    """What was done with a letter, by whom, and when (seconds since 1970).

    `number` is the history's, and rises. Of what was sent again, `changed` names what was not as before, and `sent` is the message
    as it went out. `sent` and the letter's frame are None in lists.
    """

    letter: DeadLetter
    what: What
    by: str
    at: float
    number: int = 0
    reason: str = ""
    changed: Sequence[Change] = ()
    sent: Frame | None = None


class DeadOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one letter of several that something was to be done with: it was done, or the error says why not."""

    number: int
    error: errors.QiantangError | None = None

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return self.error is None


def fingerprint(group: str, topic: str, error: str, stack: str) -> str:
    """Give what letters of one cause have in common, in 16 signs: where they died, the kind of the error, and the innermost frames
    of its stack, whatever machine, line or message it was. Without a stack the words of the error, without numbers and ids.
    """
    last = stack.rpartition(_HEADING)[2]
    frames = [f"{_place(file)} {function}" for file, function in _FRAME.findall(last)][-TOP_FRAMES:]
    kind = _KIND.match(error)
    said = [kind.group()] if frames and kind is not None else [steady(error)]
    return _hash("\n".join([group, topic, *said, *frames]).encode(errors="replace"), 8)


def steady(text: str) -> str:
    """Leave out of the words of an error what differs from one message to the next: numbers, ids, addresses."""
    return " ".join(_VARIES.sub("#", text).split())[:_MOST]


def _place(file: str) -> str:
    """Give the end of a path: where packages are installed differs between machines."""
    return "/".join(re.split(r"[\\/]", file)[-2:])


def _hash(data: bytes, size: int) -> str:
    return hashlib.blake2b(data, digest_size=size).hexdigest()
