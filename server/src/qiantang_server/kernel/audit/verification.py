"""Verification: replays a chain and says where it was broken.

It finds an edited record, one removed or put in, an end cut off and a beginning cut off. A writer with full
rights over the database could forge a whole chain anew: against him, keep the hash of the last record
outside, and compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from qiantang.kernel import wire
from qiantang_server.kernel import storage
from qiantang_server.kernel.audit import chain as chains
from qiantang_server.kernel.audit import store

_BATCH = 1000
PRUNED = "audit.record:delete"


class Verification(wire.Wire, frozen=True):
    """What a replay found. `broken_at` is the number of the first record that is not as it was written; 0
    where none is.

    `first` and `last` are the numbers replayed, `hash` that of the last one: an anchor to keep elsewhere.
    """

    chain: str
    intact: bool
    first: int
    last: int
    hash: str
    broken_at: int = 0
    reason: str = ""


class _Anchor(msgspec.Struct, frozen=True):
    """What a record of pruning says: where the chain begins since."""

    anchor_seq: int
    anchor_hash: str


class _Replay:
    """A walk along a chain from its anchor. Pure."""

    def __init__(self, chain: str, anchor_seq: int, anchor_hash: str) -> None:
        self.chain = chain
        self.first = anchor_seq + 1
        self.seq = anchor_seq
        self.hash = anchor_hash
        self.pruned: tuple[int, str] = (0, chains.start_hash(chain))

    def step(self, values: Mapping[str, Any]) -> str:
        """Take the next record; give what is wrong with it, or nothing."""
        seq, own_hash = int(values["seq"]), str(values["hash"])
        if seq != self.seq + 1:
            return f"record {self.seq + 1} is missing"
        if values["previous"] != self.hash:
            return f"record {seq} does not stand on record {seq - 1}: one of them was replaced"
        if chains.record_hash(values) != own_hash:
            return f"record {seq} was altered"
        if values["action"] == PRUNED and values["outcome"] == "allow":
            self._note_pruning(values["changes"])
        self.seq, self.hash = seq, own_hash
        return ""

    def result(self, broken_at: int = 0, reason: str = "") -> Verification:
        return Verification(
            chain=self.chain,
            intact=not reason,
            first=self.first,
            last=self.seq,
            hash=self.hash,
            broken_at=broken_at,
            reason=reason,
        )

    def _note_pruning(self, changes: str) -> None:
        for anchor in msgspec.json.decode(changes, type=list[_Anchor]):
            self.pruned = (anchor.anchor_seq, anchor.anchor_hash)


async def verify(database: storage.Database, chain: str) -> Verification:
    """Replay a chain as it is committed now. Reads in batches; records that are added meanwhile are left for
    next time.

    Raises:
        UnavailableError: the database is away.
    """
    async with database.reading() as session:
        head = await store.find_head(session, chain)
        beyond = await store.last_seq(session, chain)
    if head is None:
        replay = _Replay(chain, 0, chains.start_hash(chain))
        return replay.result(1, "the head of the chain is missing") if beyond else replay.result()
    replay = _Replay(chain, head.anchor_seq, head.anchor_hash)
    while replay.seq < head.seq:
        async with database.reading() as session:
            rows = await store.read_after(session, chain, replay.seq, _BATCH)
        if not rows:
            return replay.result(replay.seq + 1, f"the end is cut off: record {replay.seq + 1} is missing")
        for row in rows:
            wrong = replay.step(row)
            if wrong:
                return replay.result(replay.seq + 1, wrong)
            if replay.seq == head.seq:
                break
    return await _ending(database, replay, head)


async def _ending(database: storage.Database, replay: _Replay, head: store.Row) -> Verification:
    if replay.hash != head.hash:
        return replay.result(head.seq, f"the head does not name record {head.seq}: one of them was replaced")
    if replay.pruned != (head.anchor_seq, head.anchor_hash):
        reason = "the beginning is cut off, and no record in the chain says that it was pruned there"
        return replay.result(replay.first, reason)
    async with database.reading() as session:
        beyond = await store.last_seq(session, replay.chain)
        after = await store.find_head(session, replay.chain)
    if after is None or beyond > after.seq:
        return replay.result(head.seq + 1, f"record {head.seq + 1} was put in behind the head")
    return replay.result()
