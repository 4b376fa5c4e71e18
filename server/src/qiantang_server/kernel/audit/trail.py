"""Trail: writes a record in the transaction of what it records, so that neither is there without the
other.
"""

from __future__ import annotations

from typing import Any

from qiantang.kernel import errors
from qiantang_server.kernel import storage
from qiantang_server.kernel.audit import chain as chains
from qiantang_server.kernel.audit import store
from qiantang_server.kernel.audit.event import AuditEvent


async def record(session: storage.Session, event: AuditEvent) -> int:
    """Append to the chain and give the record's number in it.

    Locks the chain's head until the transaction ends: call it last in a transaction, so that writers wait for
    each other at one place and briefly.
    """
    chain = event.chain or event.target.tenant
    head, clock = await _head(session, chain)
    values: dict[str, Any] = chains.written(event) | {
        "chain": chain,
        "seq": head.seq + 1,
        "at": max(clock, head.at),
        "previous": head.hash,
    }
    values["hash"] = chains.record_hash(values)
    await store.append(session, values)
    return int(values["seq"])


async def _head(session: storage.Session, chain: str) -> tuple[store.Row, int]:
    found = await store.lock_head(session, chain)
    if found is None:
        await store.create_head(session, chain, chains.start_hash(chain))
        found = await store.lock_head(session, chain)
    if found is None:
        raise errors.InternalError(f"the audit chain {chain!r} could not be begun")
    return found
