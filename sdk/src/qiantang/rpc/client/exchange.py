"""Exchange: what a call says and how its answer is read, the same for callers that wait and callers that block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from qiantang.kernel import errors
from qiantang.rpc.errors import DeadlineError, InvalidArgumentsError, UnknownMethodError, UnreadableResultError
from qiantang.rpc.model.context import CallContext
from qiantang.rpc.model.definition import MethodDefinition
from qiantang.rpc.wire import headers
from qiantang.rpc.wire.frames import Bytes
from qiantang.rpc.wire.streams import NEVER, Span

HOP_SECONDS = 0.002
"""What a call below another leaves of its time for the way back."""


def timeout_left(method: MethodDefinition, most: float, above: CallContext, now: float) -> float:
    """Give the seconds that a call has: what it may have at most, or what is left to the call above it.

    Raises:
        DeadlineError: nothing is left.
    """
    timeout = min(most, above.deadline - now - HOP_SECONDS)
    if timeout <= 0:
        raise DeadlineError(f"no time is left for {method.path}: the call above it has used it up")
    return timeout


def written(method: MethodDefinition, arguments: Any) -> bytes:
    """Write the arguments of a call.

    Raises:
        InvalidArgumentsError: a value of them cannot be carried.
    """
    try:
        return headers.encode(arguments)
    except errors.QiantangError:
        raise
    except Exception as error:
        raise InvalidArgumentsError(f"the arguments of {method.path} cannot be written: {error}") from error


def header_of(
    method: MethodDefinition, places: Mapping[str, int], above: CallContext, *, left: float, attempt: int, priority: int
) -> headers.CallHeader:
    """Make the header of a call to a node that has its methods at these places; `left` is in seconds.

    Raises:
        UnknownMethodError: the node has no such method.
    """
    place = places.get(method.path)
    if place is None:
        raise UnknownMethodError(f"the node has no {method.path}: it has another version of the service")
    return headers.CallHeader(place, max(1, int(left * 1000)), above.trace, attempt, priority, above.tag)


def stream_header_of(header: headers.CallHeader, span: Span, now: float) -> headers.StreamHeader:
    """Make the header of a call that streams within a span of time out of that of its attempt."""
    whole = 0 if span.until == NEVER else _milliseconds(span.until - now)
    idle = _milliseconds(span.idle)
    return headers.StreamHeader(*msgspec.structs.astuple(header), idle=idle, whole=whole)


def _milliseconds(seconds: float) -> int:
    return min(headers.LONGEST, max(1, int(seconds * 1000)))


def item_of(method: MethodDefinition, item: Any) -> bytes:
    """Write an item of what the caller streams.

    Raises:
        InvalidArgumentsError: it cannot be carried.
    """
    try:
        return headers.encode(item)
    except errors.QiantangError:
        raise
    except Exception as error:
        raise InvalidArgumentsError(
            f"an item of {method.stream} of {method.path} cannot be written: {error}"
        ) from error


def result_of(method: MethodDefinition, node: str, answer: Bytes) -> Any:
    """Read the result of a call.

    Raises:
        UnreadableResultError: it does not fit the method's type here.
    """
    try:
        return method.read_result(answer)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise UnreadableResultError(
            f"{node} gave a result of {method.path} that does not fit its type here: {error}"
        ) from error
