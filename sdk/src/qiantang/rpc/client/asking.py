"""Asking: what a call that streams is before its first attempt, the same for callers that wait and callers that block."""

from __future__ import annotations

from typing import Any

import msgspec

from qiantang.rpc.client import exchange
from qiantang.rpc.governance.verdict import Ticket
from qiantang.rpc.model.context import CallContext
from qiantang.rpc.model.definition import MethodDefinition
from qiantang.rpc.wire.streams import Span


class Asked(msgspec.Struct, frozen=True):
    """A call that was asked for. `outgoing` is what the caller streams."""

    method: MethodDefinition
    arguments: Any
    body: bytes
    above: CallContext
    outgoing: Any


def span_of(ticket: Ticket, above: CallContext) -> Span:
    """Give the time of a stream: between two items that of its method, for the whole that of the call above it."""
    return Span(ticket.deadline - ticket.begun, above.deadline - exchange.HOP_SECONDS)
