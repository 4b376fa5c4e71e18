"""Listings: whole lists to everybody who follows, written once, the newest alone to who is slow, and within bounds."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from qiantang.kernel import errors
from qiantang_server.kernel import storage
from qiantang_server.registry.rules import listing
from qiantang_server.registry.service.listings import Seat
from qiantang_server.registry.store import tables
from server.tests.registry.town import ORDER, STOCK, Town, followed, taken, told


@pytest.fixture
def town(any_database: storage.Database) -> Town:
    return Town(any_database)


async def test_all_comes_at_once_and_again_after_each_change(town: Town) -> None:
    session = await town.session(ORDER)
    await town.register(ORDER, session, "b")
    async with followed(town, STOCK, "order", "nothing") as seat:
        first = dict(await taken(seat, 2))
        assert ([one.name for one in first["order"]], first["nothing"]) == (["b"], [])
        await town.register(ORDER, session, "a")
        assert [[one.name for one in nodes] for _name, nodes in await taken(seat)] == [["a", "b"]]
        await town.sessions.close(ORDER, session)
        assert await taken(seat) == [("order", [])]


async def test_a_list_is_read_and_written_once_for_all_who_follow(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await town.session(ORDER)
    await town.register(ORDER, session, "a")
    written: list[str] = []
    write = listing.written

    def counted(microservice: str, *rest: Any) -> bytes:
        written.append(microservice)
        return write(microservice, *rest)

    monkeypatch.setattr(listing, "written", counted)
    seats = [Seat(STOCK, ["order"]) for _ in range(20)]
    for seat in seats:
        await town.listings.add(seat, 0)
    chunks = [await seat.take(60) for seat in seats]
    assert written == ["order"]
    assert all(chunk is chunks[0] for chunk in chunks)
    await town.register(ORDER, session, "b")
    again = [await asyncio.wait_for(seat.take(600), 60) for seat in seats]
    assert written == ["order", "order"]
    assert all(chunk is again[0] for chunk in again)
    for seat in seats:
        town.listings.remove(seat)
    assert len(town.listings) == 0


async def test_what_changed_elsewhere_disturbs_nobody(town: Town) -> None:
    session, other = await town.session(ORDER), await town.session(STOCK)
    await town.register(ORDER, session, "a")
    async with followed(town, STOCK, "order") as seat:
        await taken(seat)
        await town.register(STOCK, other, "x")
        await town.register(ORDER, session, "a", gently=True)
        await town.register(ORDER, session, "b")
        assert [[one.name for one in nodes] for _name, nodes in await taken(seat)] == [["a", "b"]]


async def test_who_is_slow_gets_the_newest_alone(town: Town) -> None:
    session = await town.session(ORDER)
    async with followed(town, STOCK, "order") as slow, followed(town, STOCK, "order") as quick:
        await taken(slow)
        await taken(quick)
        for number in range(5):
            await town.register(ORDER, session, f"n{number}")
            while len((await taken(quick))[0][1]) != number + 1:
                pass
        ((_name, nodes),) = await taken(slow)
        assert len(nodes) == 5


async def test_what_another_server_did_is_heard_and_otherwise_found(any_database: storage.Database) -> None:
    here, there = Town(any_database), Town(any_database)
    session = await there.session(ORDER)
    async with followed(here, STOCK, "order") as seat:
        await taken(seat)
        await there.register(ORDER, session, "a")
        (place,) = await here.rows(tables.places)
        here.listings.moved(tables.Place("acme", "dev"), place.revision)  # as the coordination tells
        assert len((await taken(seat))[0][1]) == 1
    comparing = Town(any_database, poll=timedelta(milliseconds=100))
    async with followed(comparing, STOCK, "order") as seat:
        await taken(seat)
        task = asyncio.create_task(comparing.listings.compare())
        await there.register(ORDER, session, "b")
        assert len((await taken(seat))[0][1]) == 2
        task.cancel()


async def test_a_server_that_knows_less_than_who_comes_looks_first(any_database: storage.Database) -> None:
    here, there = Town(any_database), Town(any_database)
    session = await there.session(ORDER)
    async with followed(here, STOCK, "order") as early:
        await taken(early)
        await there.register(ORDER, session, "a")
        (place,) = await here.rows(tables.places)
        late = Seat(STOCK, ["order"])
        await here.listings.add(late, place.revision)
        assert len((await taken(late))[0][1]) == 1
        here.listings.remove(late)


async def test_a_database_that_was_set_back_is_shown_as_it_is(town: Town) -> None:
    session = await town.session(ORDER)
    await town.register(ORDER, session, "a")
    await town.register(ORDER, session, "b")
    async with followed(town, STOCK, "order") as seat:
        await taken(seat)
        await town.run(sa.delete(tables.nodes).where(tables.nodes.c.name == "b"))
        await town.run(sa.update(tables.places).values(revision=0))
        late = Seat(STOCK, ["order"])
        await town.listings.add(late, 99)
        assert [one.name for one in (await taken(late))[0][1]] == ["a"]
        assert [one.name for one in (await taken(seat))[0][1]] == ["a"]
        town.listings.remove(late)


async def test_streams_are_bounded_and_sent_away_when_the_server_stops(any_database: storage.Database) -> None:
    town = Town(any_database, max_streams=2, max_streams_per_application=1)
    async with followed(town, STOCK, "order") as seat:
        with pytest.raises(errors.UnavailableError, match="max_streams_per_application"):
            town.listings.require_room(STOCK)
        async with followed(town, ORDER, "order"):
            with pytest.raises(errors.UnavailableError, match="another"):
                town.listings.require_room(ORDER)
        town.listings.require_room(ORDER)
        town.listings.close()
        assert b"event: goodbye" in await seat.take(60)
        assert seat.closed


async def test_who_is_not_admitted_any_more_is_told(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qiantang_server.registry.service.listings.RECHECK_SECONDS", 0.01)

    async def gone() -> None:
        raise errors.GoneError("it was deleted")

    seat = Seat(STOCK, ["order"], gone)
    await town.listings.add(seat, 0)
    task = asyncio.create_task(town.listings.recheck())
    seen = b""
    while b"event: gone" not in seen:
        seen += await asyncio.wait_for(seat.take(600), 60)
    assert seat.closed
    task.cancel()
    town.listings.remove(seat)


def test_a_large_list_comes_in_events_that_a_reader_takes() -> None:
    nodes = [b'{"addresses":{},"name":"n%05d","zone":"%b"}' % (number, b"z" * 100) for number in range(5_000)]
    events = listing.written("order", 7, nodes)
    assert max(len(event) for event in events.split(b"\n\n")) < 262_144
    microservice, read = told(events)
    assert (microservice, len(read), read[-1].name) == ("order", 5_000, "n04999")
    assert told(listing.written("order", 7, [])) == ("order", [])
