"""Refusals: each source is heard, none can flood."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel import errors
from qiantang_server.kernel import access, audit, storage

PERMISSIONS = access.Permissions({"audit.record:list": "read the trail"})
ROOT = access.system(PERMISSIONS)


def refusal(actor: str = "", address: str = "192.0.2.1", chain: str = "acme") -> audit.AuditEvent:
    return audit.AuditEvent(
        action="config.item:update",
        target=access.Target("beta"),
        chain=chain,
        actor_kind="user" if actor else "",
        actor_id=actor,
        address=address,
        outcome="deny",
        reason="not granted",
    )


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 400)), max_size=300))
def test_every_refusal_is_counted_once_and_rows_are_bounded(offers: list[tuple[int, int]]) -> None:
    coalescer = audit.Coalescer(window=1000, immediate=2, sources=8, rows=12)
    now = 5000
    rows: list[tuple[int, audit.AuditEvent]] = []
    for source, pause in offers:
        now += pause
        rows += [(now, event) for event in coalescer.offer(f"s{source}", refusal(f"u{source}"), now)]
    assert len(coalescer._entries) <= 8
    rows += [(now, event) for event in coalescer.due(now, all_=True)]
    assert sum(event.count for _, event in rows) == len(offers)
    duration = sum(pause for _, pause in offers)
    assert len(rows) <= (duration // 1000 + 1) * 12 + 1


async def test_a_flood_becomes_a_few_rows_with_a_count(database: storage.Database) -> None:
    now = [0]
    denials = audit.Denials(database, clock=lambda: now[0])
    for _ in range(500):
        await denials.record(refusal("mallory"))
    await denials.record(refusal("ann"))
    now[0] = 61_000
    await denials.flush()
    found, _ = await audit.timeline(database, ROOT, audit.Timeline(chain="acme"))
    assert sorted(record.count for record in found if record.actor_id == "mallory") == [1, 1, 1, 497]
    assert [record.count for record in found if record.actor_id == "ann"] == [1]
    assert (await audit.verify(database, "acme")).intact


async def test_strangers_are_counted_by_their_network(database: storage.Database) -> None:
    denials = audit.Denials(database, clock=lambda: 0)
    for number in range(50):
        await denials.record(refusal(address=f"2001:db8:1:2::{number:x}", chain="*"))
    await denials.record(refusal(address="2001:db8:1:3::1", chain="*"))
    await denials.flush(all_=True)
    found, _ = await audit.timeline(database, ROOT, audit.Timeline(chain="*"))
    assert sorted(record.count for record in found) == [1, 1, 1, 1, 47]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address" * 20, ("not an address" * 20)[:64]),
        ("", ""),
    ],
)
def test_addresses_fall_into_networks(address: str, network: str) -> None:
    assert audit.network(address) == network


async def test_a_database_that_is_away_hides_no_refusal(
    database: storage.Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_work: object) -> None:
        raise errors.UnavailableError("away")

    monkeypatch.setattr(database, "write", away)
    denials = audit.Denials(database, clock=lambda: 1)
    with caplog.at_level(logging.ERROR):
        for number in range(9):
            await denials.record(refusal(f"u{number}"))
    assert len(caplog.records) == 1
