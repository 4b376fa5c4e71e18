"""Failing: what RocketMQ says went wrong, by our names."""

from __future__ import annotations

import re
from typing import Final

from qiantang.kernel import errors
from qiantang.messaging.adapters.rocketmq.wire import Answer, Command
from qiantang.messaging.errors import (
    BodyTooLargeError,
    BrokerAwayError,
    FeatureMissingError,
    InvalidMessageError,
    OutcomeUnknownError,
    SendForbiddenError,
    UnknownTopicError,
)
from qiantang.messaging.port import SendOutcome

_WHO: Final = re.compile(r"authenticat|signature|access ?key|username|user:\S* is not found", re.IGNORECASE)
"""Words by which it says that it does not know us, rather than that we may not."""
_SIZE: Final = ("size", "too long", "length")
STORED: Final = {Answer.DONE, Answer.NO_SLAVE}
"""What says that a message is stored; without a slave it is on one server only, which is what that cluster has."""
UNCERTAIN: Final = {Answer.DISK_TIMEOUT, Answer.SLAVE_TIMEOUT}


def named(answer: Command, doing: str) -> errors.QiantangError:
    """Give an error of ours for an answer that is a refusal of what was to be done."""
    code = answer.header.code
    said = _said(answer)
    words = f"RocketMQ: {doing} failed: {said} (code {code})"
    if code in (Answer.NO_TOPIC, Answer.NO_GROUP):
        return UnknownTopicError(words)
    if _WHO.search(said):
        return errors.UnauthenticatedError(words)
    if code == Answer.NO_PERMISSION:
        return errors.ForbiddenError(words)
    if code == Answer.INVALID:
        return errors.MisconfiguredError(words)
    if code in (Answer.UNSUPPORTED, Answer.ILLEGAL_OPERATION):
        return FeatureMissingError(words)
    return BrokerAwayError(words)


def outcome(answer: Command, topic: str) -> SendOutcome:
    """Say what became of messages that were not taken, by the answer."""
    code = answer.header.code
    said = f"RocketMQ: sending to {topic} failed: {_said(answer)} (code {code})"
    if code in UNCERTAIN:
        unsure = f"RocketMQ has a message to {topic}, but not yet where it is safe: {_said(answer)} (code {code})"
        return SendOutcome.unknown(OutcomeUnknownError(unsure))
    if code == Answer.ILLEGAL_MESSAGE:
        large = any(one in said.lower() for one in _SIZE)
        return SendOutcome.refused(BodyTooLargeError(said) if large else InvalidMessageError(said))
    found = named(answer, f"sending to {topic}")
    if type(found) is errors.ForbiddenError:
        return SendOutcome.refused(SendForbiddenError(said))
    return SendOutcome.refused(found)


def _said(answer: Command) -> str:
    """Give its own words; the first line, since a stack follows sometimes."""
    lines = (answer.header.remark or "").strip().splitlines()
    return lines[0][:300] if lines else "it gives no reason"
