"""Dedup: a message that comes twice is handled once, as far as what was handled is remembered.

Claimed before the handler, noted after it. While the memory is away nothing is handled: that would break the promise, and the
broker keeps what waits. A claim of somebody else's is waited for: it ends with his work, or with its time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from qiantang.kernel import errors, observe
from qiantang.messaging.model import Dedup
from qiantang.messaging.port import Claim, Seen

log = observe.BoundedLog(logging.getLogger(__name__))

LOOK_FIRST, LOOK_LONGEST = 0.05, 1.0
TWICE: Final = "qiantang_messaging_duplicates_total"
NOTE_TIMES: Final = 5
"""So often it is tried to note what was handled; then its claim protects it, for as long as that lasts."""


class Once:
    """Of one subscription."""

    def __init__(self, group: str, dedup: Dedup, seen: Seen) -> None:
        self._group = group
        self._dedup = dedup
        self._seen = seen
        self._here: set[str] = set()
        self._twice = observe.METER.counter(
            TWICE, "messages that had been handled before, and were not again", group=group
        )

    async def claim(self, ids: Sequence[str]) -> set[str]:
        """Give those of the messages that are to be handled: the others were. Waits for what others are handling."""
        waiting = list(dict.fromkeys(ids))
        mine: set[str] = set()
        look = LOOK_FIRST
        try:
            while True:
                claimed = await self._claimed([one for one in waiting if one not in self._here])
                fresh = {one for one, claim in claimed.items() if claim == "mine"}
                mine |= fresh
                self._here |= fresh
                waiting = [one for one in waiting if claimed.get(one, "busy") == "busy"]
                if not waiting:
                    break
                await asyncio.sleep(look)
                look = min(LOOK_LONGEST, look * 2)
        except BaseException:
            self._here -= mine  # the claims end by themselves
            raise
        self._twice.add(len(ids) - len(mine))
        return mine

    async def _claimed(self, ids: Sequence[str]) -> dict[str, Claim]:
        """Claim messages; give what could be said of them."""
        if not ids:
            return {}
        try:
            claims = await self._seen.claim(self._group, ids, self._dedup.claim_seconds)
        except errors.UnavailableError as error:
            log.failure(self._group, "messages cannot be claimed, and are not handled until they can", error=error)
            return {}
        log.recovered(self._group, "messages are claimed again")
        return dict(zip(ids, claims, strict=True))

    async def done(self, handled: Sequence[str], failed: Sequence[str]) -> None:
        """Note what was handled, and have what was not be handled by whoever gets it next."""
        try:
            if handled:
                await self._tell("noted", lambda: self._seen.handled(self._group, handled, self._dedup.keep_seconds))
            if failed:
                await self._tell("released", lambda: self._seen.release(self._group, failed))
        finally:
            self._here.difference_update(handled, failed)

    async def _tell(self, what: str, call: Callable[[], Awaitable[None]]) -> None:
        look = LOOK_FIRST
        for left in reversed(range(NOTE_TIMES)):
            try:
                await call()
            except errors.UnavailableError as error:
                log.failure(f"{self._group} {what}", f"messages cannot be {what}", error=error)
                if left:
                    await asyncio.sleep(look)
                    look = min(LOOK_LONGEST, look * 2)
            else:
                return
