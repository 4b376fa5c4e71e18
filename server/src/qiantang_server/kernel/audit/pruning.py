"""Pruning: lets go of old records by whole segments, and keeps in the chain itself where it begins now."""

from __future__ import annotations

from qiantang_server.kernel import storage
from qiantang_server.kernel.access import Target
from qiantang_server.kernel.audit import store
from qiantang_server.kernel.audit.event import AuditEvent
from qiantang_server.kernel.audit.trail import record
from qiantang_server.kernel.audit.verification import PRUNED

SEGMENT = 1000
_STEP = 10 * SEGMENT


async def prune(database: storage.Database, chain: str, before: int, *, segment: int = SEGMENT) -> int:
    """Remove the whole segments of a chain that are older than a moment (milliseconds); give the count of
    records.

    Each step is one transaction that removes, keeps the anchor and records that it did. The newest record
    always stays.
    """
    removed = 0
    while True:
        count = await database.write(lambda session: _prune_step(session, chain, before, segment))
        removed += count
        if not count:
            return removed


async def _prune_step(session: storage.Session, chain: str, before: int, segment: int) -> int:
    found = await store.lock_head(session, chain)
    if found is None:
        return 0
    head, _ = found
    oldest_kept = min(await store.seq_before(session, chain, before), head.seq - 1)
    until = min(oldest_kept // segment * segment, head.anchor_seq + max(_STEP, segment))
    anchor = await store.hash_at(session, chain, until) if until > head.anchor_seq else None
    if anchor is None:
        return 0
    count = await store.drop_until(session, chain, until, anchor)
    await record(
        session,
        AuditEvent(
            action=PRUNED,
            target=Target(chain),
            chain=chain,
            actor_kind="system",
            actor_id="audit",
            actor_name="audit",
            reason=f"records up to {until} were past their retention",
            changes=[{"anchor_seq": until, "anchor_hash": anchor}],
        ),
    )
    return count
