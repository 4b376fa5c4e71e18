"""Failures: what keeps a server from an application's dead letters. Each says what to do."""

from __future__ import annotations

import logging

from qiantang.kernel import errors
from qiantang.messaging.errors import BrokerAwayError, FeatureMissingError, OutcomeUnknownError

log = logging.getLogger(__name__)


class NoDeadLetterStoreError(errors.ConflictError):
    """The application has published no store where dead letters are kept."""

    code = "messaging.no_dead_letter_store"


class NotReachableError(errors.ConflictError):
    """A server may not, or cannot, open an address that the application has published."""

    code = "messaging.not_reachable"


class DeadLettersAwayError(errors.UnavailableError):
    """The store of dead letters, or the broker of a topic, does not answer."""

    code = "messaging.dead_letters_away"


class TooManyOpenError(errors.ExhaustedError):
    """Dead letters of too many applications are looked at just now, or those of one by too many."""

    code = "messaging.too_many_open"


def explained(error: errors.QiantangError) -> errors.QiantangError:
    """Say by our names, and with what to do, what a bus was kept from; any other error is as it was.

    What a driver says names hosts and accounts, which whoever may see dead letters need not know: it is for the log alone.
    """
    if isinstance(error, BrokerAwayError):
        return _logged(
            error,
            DeadLettersAwayError(
                f"the application's database or broker does not answer ({_kind(error)}): see that it runs, and that the "
                "servers of the control plane reach its published address; the letters are safe where they are"
            ),
        )
    if isinstance(error, OutcomeUnknownError):
        return _logged(
            error,
            OutcomeUnknownError(
                "no answer came, so that it may have been done: look at the history of dead letters before trying again"
            ),
        )
    if isinstance(error, errors.UnauthenticatedError | errors.ForbiddenError):
        return _logged(
            error,
            NotReachableError("the application's database or broker refuses the name and password that are published"),
        )
    if isinstance(error, FeatureMissingError | errors.MisconfiguredError | errors.UnsupportedError):
        return NotReachableError(f"it cannot be done from here: {error.detail}")
    return error


def _logged(error: errors.QiantangError, told: errors.QiantangError) -> errors.QiantangError:
    log.warning("dead letters are not reached", extra={"code": error.code, "error": error.detail})
    return told


def _kind(error: BaseException) -> str:
    """Give the kind of the first cause, which tells a name that is not known from a port that nobody listens on."""
    while (cause := error.__cause__) is not None:
        error = cause
    return type(error).__name__
