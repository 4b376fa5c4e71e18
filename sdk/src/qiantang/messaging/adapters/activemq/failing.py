"""Failing: what ActiveMQ says went wrong, by our names."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Final

from qiantang.kernel import errors
from qiantang.messaging.adapters.activemq.incoming import Said
from qiantang.messaging.errors import BodyTooLargeError, BrokerAwayError, OutcomeUnknownError, SendForbiddenError
from qiantang.messaging.model import Frame
from qiantang.messaging.port import SendOutcome

FAILURES: Final = (OSError, TimeoutError)
_TOO_LARGE: Final = ("maximum frame size", "maximum data length")
_SECURITY: Final = ("SecurityException", "not authorized", "password is invalid", "Unable to authenticate")
_MOST: Final = 300


class RefusedError(Exception):
    """The server said ERROR; `said` is what."""

    def __init__(self, said: Said) -> None:
        super().__init__(_words(said))
        # the server says it in words alone, or with the class of its exception before them
        self.is_security = any(one in f"{self} {said.body[:_MOST]!r}" for one in _SECURITY)
        self.is_too_large = any(one in str(self) for one in _TOO_LARGE)


class UntouchedError(ConnectionError):
    """The connection was lost for something else, before the server looked at this."""


def _words(said: Said) -> str:
    words = said.headers.get("message", "") or said.body.decode(errors="replace").partition("\n")[0]
    return words[:_MOST] or "no reason was given"


def named(error: BaseException, doing: str) -> errors.QiantangError:
    """Give an error of ours for what failed while `doing` something."""
    if isinstance(error, errors.QiantangError):
        return error
    if isinstance(error, TimeoutError):
        return BrokerAwayError(f"ActiveMQ gave no answer in time: {doing}")
    words = f"ActiveMQ: {doing} failed: {error or type(error).__name__}"
    if isinstance(error, RefusedError) and error.is_security:
        return errors.ForbiddenError(f"{words}; its user needs to be allowed that")
    return BrokerAwayError(words)


def not_let_in(error: RefusedError, doing: str) -> errors.QiantangError:
    """Give an error of ours for what the server said instead of letting us in."""
    words = f"ActiveMQ: {doing} failed: {error}"
    return errors.UnauthenticatedError(words) if error.is_security else BrokerAwayError(words)


@contextlib.contextmanager
def naming(doing: str) -> Generator[None]:
    """Raise errors of ours for those of the network and of the server."""
    try:
        yield
    except (*FAILURES, RefusedError, ValueError) as error:
        raise named(error, doing) from error


def refused(error: RefusedError, topic: str) -> SendOutcome:
    """Give the outcome of messages of a topic that the server would not have."""
    if error.is_security:
        return SendOutcome.refused(SendForbiddenError(f"ActiveMQ does not let us send to {topic!r}: {error}"))
    return SendOutcome.refused(BrokerAwayError(f"ActiveMQ took no message of {topic!r}: {error}"))


def unanswered(frames: list[Frame], error: BaseException | None) -> list[SendOutcome]:
    """Give what became of messages that were written to a connection which was lost before they were answered.

    Where the server closed it since one was too large, it answered before all that it took, and looked at none after it.
    """
    words = f"{error}" if error is not None else "the connection was lost"
    untouched = BrokerAwayError(f"a message was not taken, for ActiveMQ closed the connection before it: {words}")
    if isinstance(error, RefusedError) and error.is_too_large and frames:
        largest = max(len(one.body) for one in frames)
        too_large = BodyTooLargeError(f"ActiveMQ takes no message so large: {words}")
        return [SendOutcome.refused(too_large if len(one.body) == largest else untouched) for one in frames]
    if isinstance(error, UntouchedError):
        return [SendOutcome.refused(untouched)] * len(frames)
    unknown = OutcomeUnknownError(f"ActiveMQ did not confirm a message, which may be there: {words}")
    return [SendOutcome.unknown(unknown)] * len(frames)
