"""The chain: what is written, what tampering is found, what pruning leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from qiantang.kernel import errors, secret, wire
from qiantang_server.kernel import access, audit, storage
from qiantang_server.kernel.audit import store

PERMISSIONS = access.Permissions({"audit.record:list": "read the trail", "config.item:update": "write"})
ROOT = access.system(PERMISSIONS)


def event(number: int = 0, chain: str = "acme", **details: Any) -> audit.AuditEvent:
    fields: dict[str, Any] = {
        "action": "config.item:update",
        "target": access.Target(chain, "dev", "sales", "orders"),
        "actor_kind": "user",
        "actor_id": f"u{number % 3}",
        "resource": f"config/item/{number}",
        "changes": [{"path": "timeout", "before": number, "after": number + 1}],
    }
    return audit.AuditEvent(**(fields | details))


async def write(database: storage.Database, *events: audit.AuditEvent) -> None:
    async def work(session: storage.Session) -> None:
        for one in events:
            await audit.record(session, one)

    await database.write(work)


async def run(database: storage.Database, statement: sa.Executable) -> None:
    async def work(session: storage.Session) -> None:
        await session.execute(statement)

    await database.write(work)


async def test_records_chain_up_and_read_back(any_database: storage.Database) -> None:
    hard = event(1, actor_name="王\0芳\ud800" + "x" * 300, reason="r" * 5000, resource="ключ" * 100)
    await write(any_database, event(0), hard)
    await write(any_database, event(2, chain="beta"))
    found = await audit.verify(any_database, "acme")
    assert (found.intact, found.first, found.last, found.reason) == (True, 1, 2, "")
    records, following = await audit.timeline(any_database, ROOT, audit.Timeline(chain="acme"))
    assert [record.seq for record in records] == [2, 1]
    assert following == 0
    assert records[0].actor_name.startswith("王\N{REPLACEMENT CHARACTER}芳?x")
    assert len(records[0].actor_name) == 128
    assert records[1].changes == [{"path": "timeout", "before": 0, "after": 1}]
    assert records[0].previous == records[1].hash
    assert abs(records[0].at - records[1].at) < 60_000


async def test_writers_at_the_same_time_make_one_chain(any_database: storage.Database) -> None:
    await asyncio.gather(*(write(any_database, event(number), event(number)) for number in range(12)))
    found = await audit.verify(any_database, "acme")
    assert (found.intact, found.last) == (True, 24)


async def test_a_rolled_back_change_leaves_no_record(database: storage.Database) -> None:
    async def work(session: storage.Session) -> None:
        await audit.record(session, event())
        raise errors.RejectedError("no")

    with pytest.raises(errors.RejectedError):
        await database.write(work)
    assert (await audit.verify(database, "acme")).last == 0


async def test_no_secret_stands_in_a_record(database: storage.Database) -> None:
    written = wire.builtins(secret.Secret.of("hunter2-hunter2"))
    await write(database, event(changes=[{"path": "password", "before": None, "after": written}]))
    records, _ = await audit.timeline(database, ROOT, audit.Timeline(chain="acme"))
    assert "hunter2" not in wire.encode(records).decode()
    assert records[0].changes[0]["after"] == {"$secret": {"mask": ""}}


async def test_a_huge_change_is_named_by_its_digest(database: storage.Database) -> None:
    await write(database, event(changes=[{"after": "x" * 200_000}]))
    records, _ = await audit.timeline(database, ROOT, audit.Timeline(chain="acme"))
    assert records[0].changes[0]["bytes"] > 200_000
    assert len(records[0].changes[0]["sha256"]) == 64


async def test_the_request_is_named_without_being_passed(database: storage.Database) -> None:
    token = audit.CORRELATION.set(audit.Correlation(request_id="r-1", trace_id="t-1"))
    await write(database, event())
    audit.CORRELATION.reset(token)
    records, _ = await audit.timeline(database, ROOT, audit.Timeline(chain="acme"))
    assert (records[0].request_id, records[0].trace_id) == ("r-1", "t-1")


R = store.records
H = store.heads


def where(seq: int) -> sa.ColumnElement[bool]:
    return sa.and_(R.c.chain == "acme", R.c.seq == seq)


@pytest.mark.parametrize(
    ("tamper", "broken_at", "reason"),
    [
        (lambda: sa.update(R).where(where(4)).values(reason="nothing happened"), 4, "was altered"),
        (lambda: sa.update(R).where(where(4)).values(outcome="deny"), 4, "was altered"),
        (lambda: sa.update(R).where(where(4)).values(changes="[]"), 4, "was altered"),
        (lambda: sa.update(R).where(where(4)).values(at=R.c.at + 1), 4, "was altered"),
        (lambda: sa.update(R).where(where(4)).values(previous="0" * 64), 4, "does not stand on"),
        (lambda: sa.update(R).where(where(4)).values(hash="0" * 64), 4, "was altered"),
        (lambda: sa.delete(R).where(where(4)), 4, "record 4 is missing"),
        (lambda: sa.delete(R).where(where(1)), 1, "record 1 is missing"),
        (lambda: sa.delete(R).where(where(9)), 9, "the end is cut off"),
        (lambda: sa.delete(R).where(R.c.seq > 0), 1, "the end is cut off"),
        (lambda: sa.delete(H).where(H.c.chain == "acme"), 1, "head of the chain is missing"),
        (lambda: sa.update(H).where(H.c.chain == "acme").values(seq=8), 8, "head does not name"),
        (lambda: sa.update(H).where(H.c.chain == "acme").values(hash="f" * 64), 9, "head does not name"),
    ],
)
async def test_tampering_is_found_and_placed(
    database: storage.Database, tamper: Callable[[], sa.Executable], broken_at: int, reason: str
) -> None:
    await write(database, *(event(number) for number in range(9)))
    await run(database, tamper())
    found = await audit.verify(database, "acme")
    assert not found.intact
    assert found.broken_at == broken_at
    assert reason in found.reason
    assert (await audit.verify(database, "beta")).intact


async def test_a_record_behind_the_head_is_found(database: storage.Database) -> None:
    await write(database, *(event(number) for number in range(5)))
    shorter = sa.select(R.c.hash).where(where(4)).scalar_subquery()
    await run(database, sa.update(H).values(seq=4, hash=shorter))
    found = await audit.verify(database, "acme")
    assert (found.intact, found.broken_at) == (False, 5)
    assert "behind the head" in found.reason


async def test_pruning_removes_whole_segments_and_stays_verifiable(any_database: storage.Database) -> None:
    await write(any_database, *(event(number) for number in range(25)))
    assert await audit.prune(any_database, "acme", before=0, segment=10) == 0
    assert await audit.prune(any_database, "acme", before=2**60, segment=10) == 20
    found = await audit.verify(any_database, "acme")
    assert (found.intact, found.first, found.last) == (True, 21, 26)
    await write(any_database, event(99))
    assert (await audit.verify(any_database, "acme")).last == 27
    assert await audit.prune(any_database, "nobody", before=2**60) == 0


async def test_a_beginning_cut_off_by_hand_is_found(database: storage.Database) -> None:
    await write(database, *(event(number) for number in range(25)))
    anchor = sa.select(R.c.hash).where(where(10)).scalar_subquery()
    await run(database, sa.update(H).values(anchor_seq=10, anchor_hash=anchor))
    await run(database, sa.delete(R).where(R.c.seq <= 10))
    found = await audit.verify(database, "acme")
    assert (found.intact, found.broken_at) == (False, 11)
    assert "beginning is cut off" in found.reason


async def test_the_timeline_filters_and_pages(database: storage.Database) -> None:
    await write(database, *(event(number) for number in range(10)))
    await write(database, event(1, outcome="deny", target=access.Target("acme", "prod", "sales", "orders")))

    async def seqs(**filters: Any) -> list[int]:
        found, _ = await audit.timeline(database, ROOT, audit.Timeline(chain="acme", **filters))
        return [record.seq for record in found]

    assert await seqs(actor="u1") == [11, 8, 5, 2]
    assert await seqs(outcome="deny") == [11]
    assert await seqs(environment="prod") == [11]
    assert await seqs(resource="config/item/1", outcome="allow") == [2]
    assert await seqs(action="config.") == list(range(11, 0, -1))
    assert await seqs(action="%") == []
    assert await seqs(until=1) == []
    pages: list[int] = []
    before = 0
    while True:
        found, before = await audit.timeline(database, ROOT, audit.Timeline(chain="acme"), before=before, limit=4)
        pages += [record.seq for record in found]
        if not before:
            break
    assert pages == list(range(11, 0, -1))


async def test_the_timeline_shows_only_what_may_be_seen(database: storage.Database) -> None:
    await write(database, event(0), event(1, target=access.Target("acme", "prod", "sales", "orders")))
    grants = access.CompiledGrants([access.Grant(("audit.*:list",), access.Target("acme", "dev"))], PERMISSIONS, "acme")
    limited = access.Principal(kind="user", id="u", name="u", tenant="acme", grants=grants)
    found, _ = await audit.timeline(database, limited, audit.Timeline(chain="acme"))
    assert [record.environment for record in found] == ["dev"]
    assert (await audit.timeline(database, limited, audit.Timeline(chain="beta")))[0] == []
