"""Errors of messaging: the same ones on every broker, so that a program that changes its broker catches what it caught."""

from __future__ import annotations

from qiantang.kernel import errors


class UnknownTopicError(errors.NotFoundError):
    """No topic of that name is declared for this application."""

    code = "messaging.unknown_topic"


class SendForbiddenError(errors.ForbiddenError):
    """This center or application may not send to the topic."""

    code = "messaging.send_forbidden"


class ConsumeForbiddenError(errors.ForbiddenError):
    """This center or application may not consume the topic."""

    code = "messaging.consume_forbidden"


class InvalidMessageError(errors.InvalidRequestError):
    """A property of the message is outside its bounds: sending it again changes nothing."""

    code = "messaging.invalid_message"


class BodyTooLargeError(errors.TooLargeError):
    """The body, as it goes on the wire, is over the limit of the topic or of the broker."""

    code = "messaging.body_too_large"


class UnencodableError(errors.InvalidRequestError):
    """The body cannot be written by the topic's codec."""

    code = "messaging.unencodable"


class UndecodableError(errors.InvalidRequestError):
    """The bytes that arrived are not what their headers say, or do not fit the handler's type; never tried again."""

    code = "messaging.undecodable"


class UnknownKeyError(UndecodableError):
    """The body is encrypted under a key that this process does not have."""

    code = "messaging.unknown_key"


class BrokerAwayError(errors.UnavailableError):
    """The broker cannot be reached, or it refused for now: the message was not taken."""

    code = "messaging.broker_away"


class OutcomeUnknownError(errors.DeadlineError):
    """The message was handed to the broker and no answer came: it may be there. Sent again, it keeps its id."""

    code = "messaging.outcome_unknown"


class BacklogFullError(errors.ExhaustedError):
    """Too much waits: to be sent from this process, or to be consumed of the topic."""

    code = "messaging.backlog_full"


class RateLimitedError(errors.ExhaustedError):
    """The topic takes no more messages a second from this process."""

    code = "messaging.rate_limited"


class BusClosedError(errors.UnavailableError):
    """The bus is not open, or is being closed."""

    code = "messaging.bus_closed"
    retryable = False


class RequestFailedError(errors.QiantangError):
    """The request was received, and its handler gave it up; the detail says why."""

    code = "messaging.request_failed"


class FeatureMissingError(errors.UnsupportedError):
    """The broker cannot do what was asked, and nobody does it in its place."""

    code = "messaging.feature_missing"


class HandlerMismatchError(errors.MisconfiguredError):
    """A handler cannot be called with what its subscription delivers."""

    code = "messaging.handler_mismatch"


class SpoolFullError(errors.ExhaustedError):
    """The offline store takes nothing more: its disk or its own bound is full. What it holds is intact."""

    code = "messaging.spool_full"


class StoreRefusedError(errors.InvalidRequestError):
    """The store answers, and does not take this: giving it again changes nothing, until somebody changes the store."""

    code = "messaging.store_refused"


class DeadLetterGoneError(errors.NotFoundError):
    """No dead letter of that number is in the store: it was sent again or deleted, or was too old."""

    code = "messaging.dead_letter_gone"


class DeadLetterBusyError(errors.ConflictError):
    """Somebody else is sending or deleting this dead letter just now."""

    code = "messaging.dead_letter_busy"
