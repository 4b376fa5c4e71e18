"""Passage: the pieces that a call goes through, in their order, at either end. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Protocol

import msgspec

from qiantang.rpc.governance.faults import Faults
from qiantang.rpc.governance.hot import HotParameter
from qiantang.rpc.governance.limits import Pacing
from qiantang.rpc.governance.verdict import Outcome, Refusal, Ticket


class Piece(Protocol):
    """One rule, and what it has counted."""

    def enter(self, now: float, ticket: Ticket) -> Refusal | None:
        """Let a call in, or refuse it."""
        ...

    def leave(self, now: float, ticket: Ticket, outcome: int) -> None:
        """A call that was let in has ended."""
        ...


class Passage:
    """Of one method, until the rules change. `is_open` says that nothing is asked of calls at all."""

    def __init__(
        self,
        pieces: Sequence[Piece | None],
        hot: Sequence[tuple[str, HotParameter]] = (),
        pacing: Pacing | None = None,
        faults: Faults | None = None,
    ) -> None:
        self._pieces = tuple(one for one in pieces if one is not None)
        self._hot = [(_reader(argument), piece) for argument, piece in hot]
        self._pacing = pacing
        self._faults = faults
        self.waits = pacing is not None or faults is not None
        self.is_open = not (self._pieces or self._hot or self.waits)

    def enter(self, now: float, ticket: Ticket, arguments: Any) -> Refusal | None:
        """Let a call in, or refuse it; one that is let in is left once."""
        for read, hot in self._hot:
            refusal = hot.enter(now, read(arguments))
            if refusal is not None:
                return refusal
        for piece in self._pieces:
            refusal = piece.enter(now, ticket)
            if refusal is not None:
                for entered in self._pieces[: self._pieces.index(piece)]:
                    entered.leave(now, ticket, Outcome.CANCELLED)
                return refusal
        return None

    def leave(self, now: float, ticket: Ticket, outcome: int) -> None:
        """A call that was let in has ended, with all its attempts."""
        for piece in self._pieces:
            piece.leave(now, ticket, outcome)

    def wait(self, now: float, ticket: Ticket, tag: str) -> Refusal | float:
        """Give the seconds that a call that was let in has to wait before it goes on, or refuse it."""
        found = 0.0
        if self._pacing is not None:
            paced = self._pacing.enter(now, ticket)
            if isinstance(paced, Refusal):
                return paced
            found = paced
        if self._faults is not None:
            late = self._faults.enter(now, ticket, tag)
            return late if isinstance(late, Refusal) else found + late
        return found


def _reader(path: str) -> Callable[[Any], Any]:
    """Give what reads the value at a path of a method's arguments; None where there is none."""
    read = attrgetter(path)

    def value(arguments: msgspec.Struct) -> Any:
        try:
            return read(arguments)
        except AttributeError:
            return None

    return value
