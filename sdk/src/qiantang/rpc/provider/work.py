"""Work: a call that was let in, on its way through the rules and its handler, whatever it came by."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from qiantang.rpc.governance.verdict import Outcome, Refusal, Ticket
from qiantang.rpc.model.context import CallContext
from qiantang.rpc.provider.guarding import Entrance
from qiantang.rpc.provider.handlers import Handler
from qiantang.rpc.provider.host import NotBegunError


class Work(msgspec.Struct, eq=False):
    """A call that was let in."""

    handler: Handler
    arguments: Any
    context: CallContext
    entrance: Entrance
    ticket: Ticket

    async def wait(self) -> None:
        """Wait for its turn, or until a fault on purpose lets it go on.

        Raises:
            NotBegunError: a rule refuses it after all.
        """
        if self.entrance.waits:
            found = self.entrance.wait(time.monotonic(), self.ticket, self.context.tag)
            if isinstance(found, Refusal):
                raise NotBegunError(found.error())
            await asyncio.sleep(found)

    def leave(self, outcome: Outcome) -> None:
        """It has ended; one that was cancelled at its deadline was too slow."""
        if self.entrance.is_open:
            return
        now = time.monotonic()
        if outcome is Outcome.CANCELLED and now >= self.ticket.deadline:
            outcome = Outcome.TIMEOUT
        self.entrance.leave(now, self.ticket, outcome)
