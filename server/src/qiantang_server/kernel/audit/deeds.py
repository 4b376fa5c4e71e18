"""Deeds: what was done lately in some chains, for whoever has to hear soon of what other servers did.

A record is written in the transaction of what it records and numbered under a lock: whatever has a higher number than one that
was seen was committed after it, so none is passed over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from qiantang_server.kernel import storage
from qiantang_server.kernel.access import Target
from qiantang_server.kernel.audit import store

LOOKED_BACK = 5_000
"""Milliseconds: how far back a chain is read that nothing is known of."""
MAX_DEEDS = 1_000
CHAINS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was done: the permission that it needed, where, and by whom."""

    action: str
    target: Target
    actor: str


async def done_since(
    session: storage.Session, seen: Mapping[str, int], chains: Collection[str] | None
) -> tuple[dict[str, int], list[Deed]]:
    """Give how far chains are, `None` for all of them, and what was done in them after the numbers seen, each deed once.

    Of a chain that was not seen yet, what was done in the last seconds; of one that moved far, the newest thousand.
    """
    rows = await store.read_ends(session, chains)
    moved = [row for row in rows if _has_news(row, seen.get(row.chain))]
    found: dict[Deed, None] = {}
    for first in range(0, len(moved), CHAINS_AT_ONCE):
        found |= dict.fromkeys(await _deeds(session, seen, moved[first : first + CHAINS_AT_ONCE]))
    return {row.chain: int(row.seq) for row in rows}, list(found)


def _has_news(row: store.Row, seen: int | None) -> bool:
    return row.at >= row.clock - LOOKED_BACK if seen is None else row.seq != seen


async def _deeds(session: storage.Session, seen: Mapping[str, int], ends: Iterable[store.Row]) -> list[Deed]:
    parts: list[store.Part] = []
    for row in ends:
        known = seen.get(row.chain)
        after = max(min(known or 0, row.seq), row.seq - MAX_DEEDS)
        parts.append(store.Part(row.chain, after, row.seq, row.clock - LOOKED_BACK if known is None else 0))
    rows = await store.read_deeds(session, parts)
    return [
        Deed(row.action, Target(row.tenant, row.environment, row.center, row.application), row.actor_id) for row in rows
    ]
