"""Views: dead letters and their messages as the console shows them, and what it gives back as a bus takes it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from qiantang.kernel import errors
from qiantang.messaging import MessageBus
from qiantang.messaging.errors import UndecodableError
from qiantang.messaging.model import DeadAction, DeadCause, DeadLetter, DeadOutcome, Frame, Header, Topic, envelope
from qiantang.messaging.model.answers import (
    BodyEdit,
    BodyFormat,
    DeadActionDetail,
    DeadActionView,
    DeadCauseView,
    DeadLetterDetail,
    DeadLetterView,
    DeadOutcomeView,
    HeadersEdit,
    MessageView,
)
from qiantang.messaging.model.message import RESERVED

MAX_SHOWN: Final = 1 << 20
"""Characters of a body that are shown."""
MAX_READ: Final = 8 << 20
"""Bytes of a body beyond which it is not even looked into."""
_NOTHING: Final = Frame(topic="", id="", body=b"")


def cause(one: DeadCause) -> DeadCauseView:
    """Show a cause."""
    return DeadCauseView(
        cause=one.fingerprint,
        topic=one.topic,
        group=one.group,
        count=one.count,
        first=_millis(one.first),
        last=_millis(one.last),
        newest=one.newest,
        error=one.error,
    )


def letter(one: DeadLetter) -> DeadLetterView:
    """Show a letter without its message."""
    return DeadLetterView(**_of_letter(one))


def letter_detail(one: DeadLetter) -> DeadLetterDetail:
    """Show a letter with the stack of its error."""
    return DeadLetterDetail(**_of_letter(one), stack=one.stack)


def action(one: DeadAction) -> DeadActionView:
    """Show what was done."""
    return DeadActionView(**_of_action(one))


def action_detail(one: DeadAction) -> DeadActionDetail:
    """Show what was done, with the stack of the letter's error."""
    return DeadActionDetail(**_of_action(one), stack=one.letter.stack)


def outcome(one: DeadOutcome) -> DeadOutcomeView:
    """Show what became of one letter of several."""
    if one.error is None:
        return DeadOutcomeView(number=one.number, done=True)
    return DeadOutcomeView(number=one.number, done=False, code=one.error.code, detail=one.error.detail)


def message(bus: MessageBus, frame: Frame | None) -> MessageView:
    """Show a message; what takes long is its body, so not on an event loop."""
    frame = frame or _NOTHING
    key, tag, headers = _said(frame)
    kind, text, exact, unread = _body(bus, frame)
    return MessageView(
        key=key,
        tag=tag,
        headers={
            name: value if isinstance(value, str) else base64.b64encode(value).decode()
            for name, value in headers.items()
        },
        binary=sorted(name for name, value in headers.items() if isinstance(value, bytes)),
        format=kind,
        body=text[:MAX_SHOWN],
        size=len(frame.body),
        whole=len(text) <= MAX_SHOWN,
        exact=exact and len(text) <= MAX_SHOWN,
        unread=unread,
    )


def body(edit: BodyEdit, topic: Topic | None) -> Any:
    """Read another body; text of a topic that carries bytes is bytes in UTF-8.

    Raises:
        InvalidRequestError: it is not what its format says.
    """
    try:
        if edit.format == "json":
            return msgspec.json.decode(edit.text)
        if edit.format == "base64":
            return base64.b64decode(edit.text, validate=True)
    except (msgspec.DecodeError, RecursionError) as error:
        raise errors.InvalidRequestError(f"the body is no JSON: {error}") from error
    except (binascii.Error, ValueError) as error:
        raise errors.InvalidRequestError("the body is not in base64") from error
    is_bytes = topic is not None and topic.packing.codec == "bytes"
    return edit.text.encode() if is_bytes else edit.text


def headers(edit: HeadersEdit) -> dict[str, Header]:
    """Read other headers.

    Raises:
        InvalidRequestError: one that is said to be binary is not in base64.
    """
    found: dict[str, Header] = dict(edit.values)
    for name in edit.binary:
        if name in found:
            try:
                found[name] = base64.b64decode(edit.values[name], validate=True)
            except (binascii.Error, ValueError) as error:
                raise errors.InvalidRequestError(f"the header {name[:80]!r} is not in base64") from error
    return found


def _millis(seconds: float) -> int:
    return int(seconds * 1000)


def _of_letter(one: DeadLetter) -> dict[str, Any]:
    same = ("number", "topic", "group", "id", "key", "tag", "center", "application", "error", "attempts", "queue")
    return {
        **{name: getattr(one, name) for name in same},
        "position": one.position,
        "died_at": _millis(one.at),
        "cause": one.fingerprint,
        "refused": one.was_refused,
    }


def _of_action(one: DeadAction) -> dict[str, Any]:
    return {
        "number": one.number,
        "letter": letter(one.letter),
        "what": one.what,
        "by": one.by,
        "at": _millis(one.at),
        "reason": one.reason,
        "changed": list(one.changed),
    }


def _said(frame: Frame) -> tuple[str, str, Mapping[str, Header]]:
    """Give the key, the tag and the application's headers; of what is no message of ours, what its broker carried."""
    try:
        said = envelope.read(frame).envelope
    except UndecodableError:
        return frame.key, frame.tag, {**_own(frame.text.items()), **frame.binary}
    return said.key, said.tag, _own(said.headers.items())


def _own(pairs: Iterable[tuple[str, Header]]) -> dict[str, Header]:
    return {name: value for name, value in pairs if not name.startswith(RESERVED)}


def _body(bus: MessageBus, frame: Frame) -> tuple[BodyFormat, str, bool, str]:
    """Give the body's format, its text, whether that is all of it, and why it could not be read."""
    if len(frame.body) > MAX_READ:
        reason = f"the body has {len(frame.body):,} bytes; the console looks into those of up to {MAX_READ:,}"
        return "base64", base64.b64encode(frame.body[:MAX_SHOWN]).decode(), False, reason
    try:
        value = bus.dead_body(frame)
    except UndecodableError as error:
        return "base64", base64.b64encode(frame.body).decode(), False, error.detail
    if isinstance(value, str):
        return "text", value, True, ""
    if isinstance(value, bytes):
        return _bytes(value)
    try:
        encoded = msgspec.json.encode(value)
        exact = msgspec.json.decode(encoded) == value
        return "json", msgspec.json.format(encoded, indent=2).decode(), exact, ""
    except (TypeError, ValueError, msgspec.MsgspecError, RecursionError) as error:
        return "base64", base64.b64encode(frame.body).decode(), False, f"the body cannot be shown as JSON: {error}"


def _bytes(value: bytes) -> tuple[BodyFormat, str, bool, str]:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "base64", base64.b64encode(value).decode(), True, ""
    if all(char.isprintable() or char in "\n\t" for char in text):
        return "text", text, True, ""
    return "base64", base64.b64encode(value).decode(), True, ""
