"""Host: what the connections of a provider need of it, whatever they speak."""

from __future__ import annotations

from typing import Protocol

from qiantang.kernel import errors
from qiantang.kernel.observe import BoundedLog
from qiantang.rpc.errors import BEGUN, NOT_PROCESSED, FailedError
from qiantang.rpc.model.context import CallContext
from qiantang.rpc.provider.guarding import Guard
from qiantang.rpc.wire.proof import Admits


class Host(Protocol):
    """A provider towards one connection."""

    node: str
    gate: Admits
    guard: Guard
    log: BoundedLog
    max_frame: int
    max_calls: int

    def may_begin(self) -> errors.QiantangError | None:
        """Say why another call cannot be taken, or nothing; one that may is counted until `ended`."""
        ...

    def ended(self) -> None:
        """A call that was counted has ended."""
        ...

    def load(self) -> int:
        """Give how much of what it can take it has: 0 to 255."""
        ...


class NotBegunError(Exception):
    """The provider itself refuses a call before its handler begins."""

    def __init__(self, error: errors.QiantangError) -> None:
        super().__init__(error.detail)
        self.error = error


def told(error: Exception, host: Host, context: CallContext) -> errors.QiantangError:
    """Give what a caller is told of what a handler raised: errors of the tree as they are, of others that there was one.

    A handler has begun, whatever the code of its error says of a call that it made itself.
    """
    if isinstance(error, NotBegunError):
        return error.error
    if isinstance(error, errors.QiantangError):
        if error.code in NOT_PROCESSED:
            error.facts = {**error.facts, BEGUN: True}
        return error
    path = f"{context.service}/{context.method}"
    host.log.failure(path, "a handler failed", error=error, extra={"caller": context.caller})
    return FailedError(f"{path} failed on {host.node}; its log says why")
