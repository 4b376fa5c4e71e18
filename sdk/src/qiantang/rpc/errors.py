"""Errors of calls. What a provider raises as one of the tree, its caller raises again; everything else is `rpc.failed`.

`was_processed` says what a retry depends on: False where the call certainly did not begin.
"""

from __future__ import annotations

from typing import ClassVar

from qiantang.kernel import errors


class UnknownServiceError(errors.NotFoundError):
    """No node that can be reached provides the service."""

    code = "rpc.unknown_service"


class UnknownMethodError(errors.NotFoundError):
    """The service has no such method."""

    code = "rpc.unknown_method"


class NoTokenError(errors.UnavailableError):
    """The control plane has not given this application a token for its calls yet; it is asked on."""

    code = "rpc.no_token"


class NotSubscribedError(errors.ForbiddenError):
    """The calling application has not subscribed to the service, or was refused it."""

    code = "rpc.not_subscribed"


class InvalidArgumentsError(errors.InvalidRequestError):
    """What was sent does not fit the method's types."""

    code = "rpc.invalid_arguments"


class UnreadableResultError(errors.InternalError):
    """What came back does not fit the method's result: the two ends have different definitions."""

    code = "rpc.unreadable_result"


class TooLargeError(errors.TooLargeError):
    """A call or its result is over the limit of a frame."""

    code = "rpc.too_large"


class ProtocolError(errors.InvalidRequestError):
    """What came is not csf1, or breaks its rules; the connection is closed."""

    code = "rpc.protocol"


class NodeAwayError(errors.UnavailableError):
    """A node could not be reached, or was lost before the call was handed to it."""

    code = "rpc.node_away"


class ConnectionLostError(errors.UnavailableError):
    """The connection ended while the call was under way: it may have been processed."""

    code = "rpc.connection_lost"


class DrainingError(errors.UnavailableError):
    """The node is leaving and takes no more calls."""

    code = "rpc.draining"


class OverloadedError(errors.ExhaustedError):
    """The node has as much as it can take."""

    code = "rpc.overloaded"


class LimitedError(errors.ExhaustedError):
    """A rule limits how much may be called."""

    code = "rpc.limited"


class CircuitOpenError(errors.RejectedError):
    """The circuit breaker of the method or of every node is open."""

    code = "rpc.circuit_open"


class DegradedError(errors.RejectedError):
    """A rule answers calls of the method with this in place of making them."""

    code = "rpc.degraded"


class InjectedError(errors.RejectedError):
    """A rule injects this error on purpose."""

    code = "rpc.injected"


class DeadlineError(errors.DeadlineError):
    """The call had no answer within its time; it may have been processed."""

    code = "rpc.deadline"


class CancelledError(errors.RejectedError):
    """The caller gave the call up."""

    code = "rpc.cancelled"


class FailedError(errors.InternalError):
    """The handler raised something that is no error of the tree; the provider's log says what."""

    code = "rpc.failed"


class ServiceError(errors.RejectedError):
    """An answer of the service that is an error to its caller, and no fault: it is never retried and opens no circuit.

    Extend it and give the subclass a `code` of its own: callers that know the class catch it by its type.
    """

    code = "rpc.service"
    retryable: ClassVar[bool] = False


NOT_PROCESSED: frozenset[str] = frozenset(
    one.code
    for one in (
        UnknownServiceError,
        UnknownMethodError,
        NotSubscribedError,
        InvalidArgumentsError,
        NodeAwayError,
        NoTokenError,
        DrainingError,
        OverloadedError,
        LimitedError,
        CircuitOpenError,
        DegradedError,
        InjectedError,
    )
)
"""Codes that say the call certainly did not begin."""


BEGUN = "rpc_begun"
"""Fact of an error whose code says that a call did not begin, though it did: a handler raised it, of one of its own calls, or
it ends a stream that had begun.
"""
GIVEN_UP = "rpc_given_up"
"""Fact of an error whose call was tried again as often as it may be: nobody further up tries it again."""


def was_processed(error: errors.QiantangError) -> bool:
    """Say whether the handler can have begun: what is not repeatable is not tried again then.

    A node that has left says so of streams that it ends, whose code is that of calls that it does not take.
    """
    return error.code not in NOT_PROCESSED or bool(error.facts.get(BEGUN))
