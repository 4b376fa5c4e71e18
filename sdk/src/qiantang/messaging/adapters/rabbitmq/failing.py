"""Failing: what RabbitMQ and its library say went wrong, by our names."""

from __future__ import annotations

import re
from typing import Final

from aiormq import exceptions as amqp

from qiantang.kernel import errors
from qiantang.messaging.errors import (
    BodyTooLargeError,
    BrokerAwayError,
    OutcomeUnknownError,
    SendForbiddenError,
    UnknownTopicError,
)
from qiantang.messaging.model import Frame
from qiantang.messaging.port import SendOutcome

_EXCHANGE: Final = re.compile(r"exchange '([^']*)'")
_SIZE: Final = re.compile(r"message size (\d+) is larger")
NOT_ALLOWED: Final = 530
ACCESS_REFUSED: Final = 403


def named(error: BaseException, doing: str) -> errors.QiantangError:
    """Give an error of ours for what failed while `doing` something."""
    if isinstance(error, errors.QiantangError):
        return error
    if isinstance(error, TimeoutError):
        return BrokerAwayError(f"RabbitMQ gave no answer in time: {doing}")
    words = f"RabbitMQ: {doing} failed: {_said(error)}"
    if isinstance(error, amqp.ProbableAuthenticationError | amqp.AuthenticationError):
        return errors.UnauthenticatedError(words)
    if isinstance(error, amqp.ChannelAccessRefused | amqp.ConnectionNotAllowed):
        return errors.ForbiddenError(words)
    if isinstance(error, amqp.ConnectionClosed) and error.args[:1] == (NOT_ALLOWED,):
        return errors.ForbiddenError(words)
    if isinstance(error, amqp.ChannelNotFoundEntity):
        return UnknownTopicError(words)
    if isinstance(error, amqp.ChannelPreconditionFailed):
        return errors.MisconfiguredError(words)
    return BrokerAwayError(words)


def is_refusal(error: BaseException) -> bool:
    """Whether a consumer was refused since another has the queue."""
    return isinstance(error, amqp.ChannelAccessRefused | amqp.ChannelLockedResource) and (
        "exclusive" in _said(error) or "locked" in _said(error)
    )


def unanswered(frames: list[Frame], error: BaseException | None) -> list[SendOutcome]:
    """Give what became of messages that were written, in this order, to a channel that was closed before they were confirmed.

    Where the server says that it closed the channel for one of them, it looked at none after that one.
    """
    culprit, refusal = _culprit(frames, error)
    said = "the connection was lost" if error is None else _said(error)
    unknown = OutcomeUnknownError(f"RabbitMQ did not confirm a message, which may be there: {said}")
    untouched = BrokerAwayError(f"a message was not sent, for RabbitMQ closed the channel before it: {said}")
    outcomes: list[SendOutcome] = []
    for place, frame in enumerate(frames):
        if refusal is None or place < culprit:
            outcomes.append(SendOutcome.unknown(unknown))
        elif place == culprit or (frame.topic == frames[culprit].topic and not isinstance(refusal, BodyTooLargeError)):
            outcomes.append(SendOutcome.refused(refusal))
        else:
            outcomes.append(SendOutcome.refused(untouched))
    return outcomes


def _culprit(frames: list[Frame], error: BaseException | None) -> tuple[int, errors.QiantangError | None]:
    """Find the message for which a channel was closed, and what is wrong with it."""
    words = "" if error is None else _said(error)
    if isinstance(error, amqp.ChannelPreconditionFailed) and (size := _SIZE.search(words)):
        place = next((at for at, one in enumerate(frames) if len(one.body) == int(size[1])), -1)
        return place, BodyTooLargeError(f"RabbitMQ takes no message so large: {words}") if place >= 0 else None
    if isinstance(error, amqp.ChannelNotFoundEntity | amqp.ChannelAccessRefused) and (name := _EXCHANGE.search(words)):
        place = next((at for at, one in enumerate(frames) if one.topic == name[1]), -1)
        if place >= 0 and isinstance(error, amqp.ChannelNotFoundEntity):
            return place, UnknownTopicError(f"RabbitMQ has no topic {name[1]!r}")
        return place, SendForbiddenError(f"RabbitMQ does not let us send: {words}") if place >= 0 else None
    return -1, None


def _said(error: BaseException) -> str:
    """Give the server's own words, where there are any."""
    words = [str(one) for one in error.args if one is not None and str(one)]
    return ": ".join(words) or type(error).__name__
