"""Sealing over each database: places, tenants, rotation, other keyrings, an outage."""

from __future__ import annotations

import asyncio
import base64
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel import errors
from qiantang.kernel.settings import Secret
from qiantang_server.kernel import storage
from qiantang_server.kernel.sealing import (
    Keyring,
    SealedError,
    Sealing,
    SealingSettings,
    WrongKeyringError,
    open_sealing,
    sealing,
    store,
)

ONE = "one:" + base64.b64encode(b"1" * 32).decode()
TWO = "two:" + base64.b64encode(b"2" * 32).decode()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def opened(database: storage.Database, keys: str = ONE, clock: Any = time.monotonic) -> Sealing:
    one = Sealing(database, Keyring.parse(keys), clock=clock)
    await one.prove()
    return one


async def rows(database: storage.Database) -> list[sa.Row[Any]]:
    async with database.reading() as session:
        return list(await session.all(sa.select(store.data_keys)))


async def test_what_is_sealed_opens_in_its_place_only(database: storage.Database) -> None:
    one = await opened(database)
    for tenant in ("acme", "umbrella"):
        await one.ready(tenant)
    sealed = one.seal("acme", "s3cret 钱".encode(), "a/b|c")
    assert one.open("acme", sealed, "a/b|c") == "s3cret 钱".encode()
    assert one.seal("acme", b"s3cret", "a/b|c") != one.seal("acme", b"s3cret", "a/b|c")
    key = sealed.split(".")[1]
    for tenant, text, context in (
        ("acme", sealed, "a/b|d"),
        ("acme", sealed, ""),
        ("umbrella", sealed, "a/b|c"),
        ("acme", sealed[:-4], "a/b|c"),
        ("acme", sealed[:-4] + "AAAA", "a/b|c"),
        ("acme", sealed.replace("v1.", "v2."), "a/b|c"),
        ("acme", f"v1.{key}.", "a/b|c"),
        ("acme", f"v1.{key}.!", "a/b|c"),
        ("acme", f"v1.{key}.钱", "a/b|c"),
        ("acme", "v1.nokey." + sealed.split(".")[2], "a/b|c"),
        ("acme", "", "a/b|c"),
        ("acme", "plain text", "a/b|c"),
    ):
        with pytest.raises(SealedError) as caught:
            one.open(tenant, text, context)
        assert "s3cret" not in str(caught.value)


async def test_another_server_opens_it(database: storage.Database) -> None:
    one, two = await opened(database), await opened(database)
    await asyncio.gather(*(side.ready("acme") for side in (one, two) for _ in range(5)))
    assert two.open("acme", one.seal("acme", b"x", "c"), "c") == b"x"
    assert one.open("acme", two.seal("acme", b"x", "c"), "c") == b"x"
    assert one.mask("acme", "v") == two.mask("acme", "v")
    assert len(await rows(database)) == 3, "the check, one mask key and one data key, however many raced"


async def test_masks_are_equal_inside_a_tenant_alone(database: storage.Database) -> None:
    one = await opened(database)
    await one.ready("acme")
    await one.ready("umbrella")
    mask = one.mask("acme", "v")
    assert mask == one.mask("acme", "v")
    assert len(mask) == 8
    assert int(mask, 16) >= 0
    assert mask != one.mask("acme", "w")
    assert mask != one.mask("umbrella", "v")


async def test_named_keys_are_shared_and_differ(database: storage.Database) -> None:
    one, two = await opened(database), await opened(database)
    keys = await asyncio.gather(*(side.named_key("cache") for side in (one, two) for _ in range(5)))
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32
    assert await one.named_key("sessions") != keys[0]


async def test_use_before_ready_is_a_fault_of_the_caller(database: storage.Database) -> None:
    one = await opened(database)
    with pytest.raises(errors.InternalError, match="not loaded"):
        one.seal("acme", b"x", "c")


async def test_nothing_readable_is_in_the_database(database: storage.Database) -> None:
    one = await opened(database)
    await one.ready("acme")
    named = await one.named_key("cache")
    stored = " ".join(str(tuple(row)) for row in await rows(database))
    assert base64.b64encode(named).decode() not in stored
    assert base64.b64encode(b"1" * 32).decode() not in stored
    assert base64.b64encode(b"1" * 32).decode() not in repr(one)


async def test_a_new_data_key_is_used_once_every_server_has_loaded_it(database: storage.Database) -> None:
    here, there = Clock(), Clock()
    one, two = await opened(database, clock=here), await opened(database, clock=there)
    await one.ready("acme")
    await two.ready("acme")
    old = one.seal("acme", b"x", "c")
    fresh = await one.rotate_data_key("acme")
    assert f".{fresh}." not in one.seal("acme", b"x", "c"), "the other server does not have it yet"
    there.now += sealing.STALE_SECONDS
    await two.ready("acme")
    assert f".{fresh}." not in two.seal("acme", b"x", "c")
    for clock in (here, there):
        clock.now += sealing.SETTLE_MS / 1000 + 1
    for side in (one, two):
        text = side.seal("acme", b"x", "c")
        assert f".{fresh}." in text
        assert one.open("acme", text, "c") == two.open("acme", text, "c") == b"x"
        assert side.open("acme", old, "c") == b"x", "old values still open"
    assert one.mask("acme", "v") == two.mask("acme", "v")


async def test_rotations_at_once_leave_a_key_in_use(database: storage.Database) -> None:
    one, two = await opened(database), await opened(database)
    await one.ready("acme")
    await asyncio.gather(one.rotate_data_key("acme"), two.rotate_data_key("acme"))
    assert two.open("acme", one.seal("acme", b"x", "c"), "c") == b"x"


async def test_keys_move_under_a_new_master_and_the_old_one_can_go(
    database: storage.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "REWRAP_BATCH", 3)
    one = await opened(database, ONE)
    for number in range(5):
        await one.ready(f"t{number}")
    sealed, named = one.seal("t1", b"x", "c"), await one.named_key("cache")
    with pytest.raises(WrongKeyringError):
        await opened(database, TWO)
    both = await opened(database, f"{TWO},{ONE}")
    moved = await both.rewrap()
    assert moved == 12
    assert await both.rewrap() == 0
    assert {row.master for row in await rows(database)} == {"two"}
    two = await opened(database, TWO)
    await two.ready("t1")
    assert two.open("t1", sealed, "c") == b"x"
    assert await two.named_key("cache") == named
    assert one.open("t1", sealed, "c") == b"x", "what runs goes on with the keys in memory"
    with pytest.raises(WrongKeyringError, match="same keyring"):
        await opened(database, ONE)


async def test_a_rewrap_that_was_broken_off_goes_on(
    database: storage.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "REWRAP_BATCH", 2)
    one = await opened(database, ONE)
    for number in range(3):
        await one.ready(f"t{number}")
    both = await opened(database, f"{TWO},{ONE}")
    real, batches = database.write, 0

    async def dies(work: Any) -> Any:
        nonlocal batches
        batches += 1
        if batches == 2:
            raise errors.UnavailableError("gone")
        return await real(work)

    monkeypatch.setattr(database, "write", dies)
    with pytest.raises(errors.UnavailableError):
        await both.rewrap()
    monkeypatch.setattr(database, "write", real)
    assert {row.master for row in await rows(database)} == {"one", "two"}
    with pytest.raises(WrongKeyringError, match="same keyring"):
        await opened(database, TWO)
    assert await both.rewrap() == 5
    await opened(database, TWO)


async def test_two_servers_with_different_keyrings_are_found_out(database: storage.Database) -> None:
    started = await asyncio.gather(opened(database, ONE), opened(database, TWO), return_exceptions=True)
    assert sorted(type(one).__name__ for one in started) == ["Sealing", "WrongKeyringError"]
    await (opened(database, ONE) if isinstance(started[0], Sealing) else opened(database, TWO))


async def test_a_master_of_the_same_name_that_differs_is_found_out(database: storage.Database) -> None:
    await opened(database, ONE)
    with pytest.raises(WrongKeyringError, match="not the one that sealed"):
        await opened(database, ONE.split(":")[0] + ":" + TWO.split(":")[1])


async def test_an_altered_row_is_found_out(database: storage.Database) -> None:
    one = await opened(database)
    await one.ready("acme")
    data = {row.tenant: row for row in await rows(database) if row.purpose == "seal"}["acme"]
    await database.write(
        lambda session: session.execute(
            sa.update(store.data_keys).where(store.data_keys.c.id == data.id).values(tenant="umbrella")
        )
    )
    two = await opened(database)
    with pytest.raises(WrongKeyringError, match="altered"):
        await two.ready("umbrella")


async def test_the_file_is_made_once_and_never_for_a_database_that_has_one(
    database: storage.Database, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    async with open_sealing(SealingSettings(), database, here) as one:
        await one.ready("acme")
        sealed = one.seal("acme", b"x", "c")
    async with open_sealing(SealingSettings(), database, here) as again:
        await again.ready("acme")
        assert again.open("acme", sealed, "c") == b"x"
    with pytest.raises(WrongKeyringError, match="backup"):
        async with open_sealing(SealingSettings(), database, there):
            pass
    assert list(there.iterdir()) == [], "no keyring that looks like one and opens nothing"
    with pytest.raises(WrongKeyringError, match="same keyring"):
        async with open_sealing(SealingSettings(keys=Secret(ONE)), database, here):
            pass


async def test_keys_in_memory_serve_while_the_database_is_away(
    database: storage.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    one = await opened(database, clock=clock)
    await one.ready("acme")
    sealed = one.seal("acme", b"x", "c")
    asked = 0

    def away() -> Any:
        nonlocal asked
        asked += 1
        raise errors.UnavailableError("away")

    monkeypatch.setattr(database, "reading", away)
    clock.now += 3600
    for _ in range(10):
        await one.ready("acme")
        assert one.open("acme", sealed, "c") == b"x"
    assert asked == 1, "not at each use"
    with pytest.raises(errors.UnavailableError):
        await one.ready("umbrella")
    monkeypatch.undo()
    clock.now += 60
    await one.ready("acme")
    await one.ready("umbrella")


async def test_many_uses_at_once_load_once(database: storage.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await opened(database)
    await one.ready("acme")
    two, real, loads = await opened(database), database.reading, 0

    def counted() -> Any:
        nonlocal loads
        loads += 1
        return real()

    monkeypatch.setattr(database, "reading", counted)
    await asyncio.gather(*(two.ready("acme") for _ in range(100)))
    assert loads == 1


async def test_a_caller_that_goes_away_takes_nobody_along(database: storage.Database) -> None:
    one = await opened(database)
    waiting = [asyncio.create_task(one.ready("acme")) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [None, None]


async def test_memory_is_bounded(database: storage.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "MAX_TENANTS", 3)
    one = await opened(database)
    for number in range(6):
        await one.ready(f"t{number}")
    assert len(one._tenants) == 3
    await one.ready("t0")
    assert one.open("t0", one.seal("t0", b"x", "c"), "c") == b"x"


@given(st.binary(max_size=300), st.text(max_size=60), st.text(max_size=60))
async def test_every_value_opens_where_it_was_sealed_and_nowhere_else(plain: bytes, place: str, other: str) -> None:
    one = Sealing(None, Keyring.parse(ONE))  # type: ignore[arg-type]  # its keys are put in by hand
    keys = sealing._TenantKeys(mask=b"m" * 32)
    keys.ciphers["k"] = sealing.AESGCM(b"3" * 32)
    keys.active.append((0.0, "k"))
    one._tenants["acme"] = keys
    sealed = one.seal("acme", plain, place)
    assert one.open("acme", sealed, place) == plain
    if other != place:
        with pytest.raises(SealedError):
            one.open("acme", sealed, other)
