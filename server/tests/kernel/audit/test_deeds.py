"""Deeds: what was done since a look, each once, of which chains, and how far back."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest
import sqlalchemy as sa

from qiantang_server.kernel import audit, storage
from qiantang_server.kernel.audit import deeds, store
from server.tests.kernel.audit.test_trail import event, run, write


async def done(
    database: storage.Database, seen: Mapping[str, int], chains: Collection[str] | None = None
) -> tuple[dict[str, int], list[str]]:
    """How far the chains are, and what was done in which of them."""
    async with database.reading() as session:
        ends, found = await audit.done_since(session, seen, chains)
    return ends, sorted(f"{one.target.tenant} {one.action}" for one in found)


async def test_what_was_done_since_the_last_look_comes_once(any_database: storage.Database) -> None:
    assert await done(any_database, {}) == ({}, [])
    await write(any_database, *(event(3 * number) for number in range(4)), event(chain="beta"))
    ends, found = await done(any_database, {})
    assert (ends, found) == ({"acme": 4, "beta": 1}, ["acme config.item:update", "beta config.item:update"])
    assert await done(any_database, ends) == (ends, [])
    refused = event(action="config.item:delete", outcome="deny")
    await write(any_database, refused, event(action="config.item:create"), event(chain="gamma"))
    assert await done(any_database, ends, ["acme", "nothing"]) == ({"acme": 6}, ["acme config.item:create"])
    assert await done(any_database, ends) == (
        {"acme": 6, "beta": 1, "gamma": 1},
        ["acme config.item:create", "gamma config.item:update"],
    )
    assert await done(any_database, {"acme": 99, "beta": 1, "gamma": 1}) == ({"acme": 6, "beta": 1, "gamma": 1}, [])


async def test_of_a_chain_not_seen_yet_only_what_is_recent(database: storage.Database) -> None:
    await write(database, event(), event(action="config.item:create"))
    old = (
        sa.update(store.records).where(store.records.c.seq == 1).values(at=store.records.c.at - deeds.LOOKED_BACK - 999)
    )
    await run(database, old)
    assert await done(database, {}) == ({"acme": 2}, ["acme config.item:create"])
    await run(database, sa.update(store.heads).values(at=0))
    assert await done(database, {}) == ({"acme": 2}, [])
    assert await done(database, {"acme": 0}) == ({"acme": 2}, ["acme config.item:create", "acme config.item:update"])


async def test_what_is_read_at_once_is_bounded(database: storage.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deeds, "MAX_DEEDS", 2)
    monkeypatch.setattr(deeds, "CHAINS_AT_ONCE", 2)
    await write(database, *(event(action=f"config.item:v{number}") for number in range(5)))
    await write(database, *(event(chain=f"t{number}") for number in range(5)))
    _ends, found = await done(database, {"acme": 0})
    assert found == [
        "acme config.item:v3",
        "acme config.item:v4",
        *(f"t{number} config.item:update" for number in range(5)),
    ]
