"""Pipeline: what happens to a message between `send` and its frame, compiled once for each topic.

Permission, then interceptors, then the bounds of its properties, then packing, then the layout. A message that breaks a rule
fails here, at once and alike on every broker.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from qiantang.kernel import admission, scope
from qiantang.messaging.client.interceptors import SendInterceptor
from qiantang.messaging.client.packing import UNPACKED, Keys, Packer
from qiantang.messaging.errors import BodyTooLargeError, InvalidMessageError, SendForbiddenError
from qiantang.messaging.model import Frame, Header, Message, Topic, envelope
from qiantang.messaging.model.message import (
    HIGHEST,
    LOWEST,
    MAX_HEADER_BYTES,
    MAX_HEADER_NAME,
    MAX_HEADERS,
    MAX_KEY,
    MAX_TAG,
    RESERVED,
)

MAX_AHEAD: Final = 10 * 365 * 86400.0
"""Ten years: what is due later is taken for a mistake in units."""
LATE: Final = 60.0
"""Seconds in the past that are still taken as now: clocks differ."""


class Pipeline:
    """The way of one topic's messages.

    `now` gives seconds since 1970; `headers` are added where a message has none of their name.
    """

    def __init__(
        self,
        topic: Topic,
        place: scope.Scope,
        keys: Keys,
        interceptors: Sequence[SendInterceptor] = (),
        *,
        now: Callable[[], float] = time.time,
        headers: Mapping[str, Header] | None = None,
    ) -> None:
        self.topic = topic
        self._headers = headers
        self.interceptors = tuple(interceptors)
        self._packer = Packer(topic.packing, keys)
        self._sender = f"{place.center}/{place.application}"
        self._refused = not admission.may(place.center, place.application, topic.senders, topic.refused_senders)
        self._place = place
        self._now = now

    def frame(self, message: Message[Any]) -> Frame:
        """Write a message.

        Raises:
            SendForbiddenError: the topic does not take messages of this center.
            InvalidMessageError: a property is outside its bounds; the detail names it.
            BodyTooLargeError: the body is, once written.
            UnencodableError: the body cannot be written.
        """
        if self._refused:
            raise SendForbiddenError(f"{self._sender} may not send to topic {self.topic.name}")
        for one in self.interceptors:
            message = one.before_send(message)
        if self._headers:
            message = msgspec.structs.replace(message, headers={**self._headers, **message.headers})
        now = self._now()
        deliver_at = checked(message, now)
        first = self.topic.write_version == "1.0"
        packed = UNPACKED if first else self._packer.pack(message.body, message.id)
        said = envelope.Envelope(
            id=message.id,
            codec=packed.codec,
            tag=message.tag,
            key=message.key,
            priority=message.priority,
            deliver_at=math.ceil(deliver_at * 1000),
            expires_at=int(((deliver_at or now) + message.ttl) * 1000) if message.ttl is not None else 0,
            sent_at=int(now * 1000),
            sender=self._sender,
            compression=packed.compression,
            key_id=packed.key_id,
            headers=message.headers,
        )
        name = self.topic.name
        frame = envelope.write_first(name, said, message.body) if first else envelope.write(name, said, packed.data)
        if len(frame.body) > self.topic.max_body:
            raise BodyTooLargeError(
                f"the body of message {message.id} has {len(frame.body)} bytes; topic {self.topic.name} takes {self.topic.max_body}"
            )
        return frame


def checked(message: Message[Any], now: float) -> float:
    """Check the bounds of what a message says; give when it is to be delivered, 0 for now.

    Raises:
        InvalidMessageError: a property is outside its bounds; the detail names it.
    """
    _check_words("id", message.id, 1, 64)
    if message.tag:
        _check_words("tag", message.tag, 0, MAX_TAG)
    if message.key:
        _check_words("key", message.key, 0, MAX_KEY)
    if not LOWEST <= message.priority <= HIGHEST:
        raise InvalidMessageError(f"the priority {message.priority} is not between {LOWEST} and {HIGHEST}")
    if message.ttl is not None and not 0 < message.ttl <= MAX_AHEAD:
        raise InvalidMessageError(f"a ttl of {message.ttl:g} seconds is not between 0 and ten years")
    if message.headers:
        _check_headers(message)
    if message.deliver_at is None:
        return 0.0
    ahead = message.deliver_at - now
    if ahead < -LATE:
        raise InvalidMessageError(f"it was to be delivered {-ahead:.0f} seconds ago")
    if ahead > MAX_AHEAD:
        raise InvalidMessageError("it is to be delivered in more than ten years: deliver_at is in seconds since 1970")
    return message.deliver_at if ahead > 0 else 0.0


def _check_words(what: str, words: str, least: int, most: int) -> None:
    if least <= len(words) <= most and words.isascii() and words.isprintable():
        return
    size = len(words) if words.isascii() else len(words.encode(errors="replace"))
    if not least <= size <= most:
        raise InvalidMessageError(f"the {what} {words[:40]!r} has {size} bytes: {least} to {most} are allowed")
    if words and not words.isprintable():
        raise InvalidMessageError(f"the {what} {words[:40]!r} holds characters that cannot be printed")


def _check_headers(message: Message[Any]) -> None:
    if len(message.headers) > MAX_HEADERS:
        raise InvalidMessageError(f"{len(message.headers)} headers are more than {MAX_HEADERS}")
    size = 0
    headers: Mapping[str, Any] = message.headers
    for name, value in headers.items():
        if (
            not (0 < len(name) <= MAX_HEADER_NAME and name.isascii() and name.isprintable())
            or " " in name
            or ":" in name
        ):
            raise InvalidMessageError(
                f"the header {name[:40]!r} is no name: 1 to {MAX_HEADER_NAME} printable ASCII characters without space and colon"
            )
        if name.lower().startswith(RESERVED):
            raise InvalidMessageError(f"the header {name!r} begins with {RESERVED!r}, which is the platform's own")
        if not isinstance(value, str | bytes):
            raise InvalidMessageError(f"the header {name!r} is neither text nor bytes")
        size += len(name) + len(value)
    if size > MAX_HEADER_BYTES:
        raise InvalidMessageError(f"the headers have {size} bytes: {MAX_HEADER_BYTES} are allowed")
