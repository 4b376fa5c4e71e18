"""Answers: what a server said: a value, the error that it rendered, or nothing that ours would say."""

from __future__ import annotations

from typing import TypeVar, cast

from qiantang.kernel import errors, wire
from qiantang.kernel.uplink.address import Address
from qiantang.kernel.uplink.http import Answer, Connection, Head

T = TypeVar("T")

PROBLEM_MEDIA_TYPE = "application/problem+json"
MAX_PROBLEM_BYTES = 1_048_576


class UnexpectedAnswerError(errors.UnavailableError):
    """What answered is not a control plane, or not one that this client understands.

    It is a kind of being unavailable, whatever the status: a proxy's 403 must not be taken for the
    platform's.
    """

    code = "uplink.unexpected_answer"


def raise_problem(address: Address, head: Head, body: bytes) -> None:
    """Raise the error that the answer tells of, if it does.

    Raises:
        QiantangError: the one that the server rendered.
        UnexpectedAnswerError: a failure that no server of ours rendered.
    """
    if 200 <= head.status < 300:
        return
    if head.media_type != PROBLEM_MEDIA_TYPE:
        raise UnexpectedAnswerError(
            f"{address} answered with status {head.status} and {head.media_type or 'nothing'}: "
            "is this the address of the control plane, or of something before it?"
        )
    try:
        document = wire.decode(body, errors.ProblemDocument)
    except errors.InvalidRequestError as error:
        raise UnexpectedAnswerError(f"{address} sent an error that cannot be read: {error.detail}") from error
    raise errors.from_document(document)


async def read_problem(connection: Connection) -> bytes:
    """Read a body that should be a problem, up to a bound."""
    body = b""
    async for chunk in connection.chunks():
        body += chunk
        if len(body) > MAX_PROBLEM_BYTES:
            break
    return body


def decoded(address: Address, answer: Answer, answer_type: type[T]) -> T:
    """Decode a good answer: `bytes` gives the body as it is, `type(None)` gives None.

    Raises:
        UnexpectedAnswerError: it is not of that type.
    """
    if answer_type is type(None):
        return cast("T", None)
    if answer_type is bytes:
        return cast("T", answer.body)
    try:
        return wire.decode(answer.body, answer_type)
    except errors.InvalidRequestError as error:
        raise UnexpectedAnswerError(
            f"the answer of {address} cannot be read: {error.detail}; is it of another version?"
        ) from error
