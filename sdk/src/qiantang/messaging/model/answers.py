"""Answers: what the control plane says of an application's dead letters, and what is asked of it. Times are in milliseconds UTC."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from qiantang.kernel import wire
from qiantang.messaging.model.deadletter import Change, What
from qiantang.messaging.model.message import MAX_HEADERS, MAX_KEY, MAX_TAG, Outcome

BodyFormat = Literal["json", "text", "base64"]
Number = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
Numbers = Annotated[list[Number], msgspec.Meta(min_length=1, max_length=100)]
Reason = Annotated[str, msgspec.Meta(max_length=1000)]


class DeadCauseView(wire.Wire, frozen=True):
    """Letters that died of the same: how many, when the first and the last of them died, and the newest."""

    cause: str
    topic: str
    group: str
    count: int
    first: int
    last: int
    newest: int
    error: str


class DeadLetterView(wire.Wire, frozen=True):
    """A dead letter without its message. `refused`: its broker did not take it, and it never came to a group."""

    number: int
    topic: str
    group: str
    id: str
    key: str
    tag: str
    center: str
    application: str
    error: str
    attempts: int
    died_at: int
    queue: str
    position: int
    cause: str
    refused: bool


class DeadLetterDetail(DeadLetterView, frozen=True):
    """A dead letter with the stack of its error."""

    stack: str


class MessageView(wire.Wire, frozen=True):
    """A message to be looked at and edited.

    `body` is written as `format` says, of `size` bytes on the wire; `whole` unless it is cut off, and `exact` where sending what
    is shown loses nothing of it. `unread` says why the body could not be read: then it is shown as it is, in base64. Of `headers`
    those named in `binary` are in base64.
    """

    key: str
    tag: str
    headers: dict[str, str]
    binary: list[str]
    format: BodyFormat
    body: str
    size: int
    whole: bool
    exact: bool
    unread: str = ""


class DeadActionView(wire.Wire, frozen=True):
    """What was done with a dead letter, by whom, and when."""

    number: int
    letter: DeadLetterView
    what: What
    by: str
    at: int
    reason: str
    changed: list[Change]


class DeadActionDetail(DeadActionView, frozen=True):
    """What was done, with the stack of the letter's error."""

    stack: str


class DeadActionMessages(wire.Wire, frozen=True):
    """The message of a letter as it died, and as it was sent again, null where it was deleted."""

    died: MessageView
    sent: MessageView | None


class BodyEdit(wire.Command, frozen=True):
    """Another body, as text: JSON, the text itself, or bytes in base64."""

    format: BodyFormat
    text: str


class HeadersEdit(wire.Command, frozen=True):
    """Other headers, in place of all that there were; those named in `binary` are in base64."""

    values: Annotated[dict[str, str], msgspec.Meta(max_length=MAX_HEADERS)]
    binary: Annotated[list[str], msgspec.Meta(max_length=MAX_HEADERS)] = []


class ResendCommand(wire.Command, frozen=True):
    """Send a dead letter again; what is left out stays as it was."""

    reason: Reason = ""
    body: BodyEdit | None = None
    headers: HeadersEdit | None = None
    key: Annotated[str, msgspec.Meta(max_length=MAX_KEY)] | None = None
    tag: Annotated[str, msgspec.Meta(max_length=MAX_TAG)] | None = None


class ResendManyCommand(wire.Command, frozen=True):
    """Send dead letters again, as they are."""

    numbers: Numbers
    reason: Reason = ""


class DeleteCommand(wire.Command, frozen=True):
    """Delete dead letters; the reason stays in their history."""

    numbers: Numbers
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class Resent(wire.Wire, frozen=True):
    """Where a letter that was sent again went."""

    id: str
    outcome: Outcome
    queue: str
    position: int


class DeadOutcomeView(wire.Wire, frozen=True):
    """What became of one of several letters: it was done, or the code and the words of what kept it from that."""

    number: int
    done: bool
    code: str = ""
    detail: str = ""
