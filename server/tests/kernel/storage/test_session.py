"""Session: rows in, rows out, with one meaning on all three databases."""

from __future__ import annotations

import time
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qiantang.kernel import errors
from qiantang_server.kernel import storage
from qiantang_server.kernel.storage.values import require_holdable
from server.tests.kernel.storage.conftest import numbered, thing, things, unique


async def names(database: storage.Database) -> list[str]:
    async with database.reading() as session:
        return [row.name for row in await session.all(sa.select(things.c.name).order_by(things.c.name))]


async def find(database: storage.Database, name: str) -> Any:
    async with database.reading() as session:
        return await session.first(sa.select(things).where(things.c.name == name))


async def test_an_upsert_sets_only_what_it_names(database: storage.Database) -> None:
    async def first(session: storage.Session) -> None:
        await session.upsert(things, [thing("a", 1, "one"), thing("b", 2, "two")], ["number"])

    async def second(session: storage.Session) -> None:
        await session.upsert(things, [thing("b", 20, "changed"), thing("c", 3, "three")], ["number"])
        await session.upsert(things, [], ["number"])

    await database.write(first)
    await database.write(second)
    b = await find(database, "b")
    assert (b.number, b.text) == (20, "two")
    assert await names(database) == ["a", "b", "c"]


async def test_new_rows_pass_over_those_that_are_there(database: storage.Database) -> None:
    async def work(session: storage.Session) -> None:
        await session.insert_new(things, [thing("a", 1, "one")])
        await session.insert_new(things, [thing("a", 9, "nine"), thing("b", 2, "two")])
        await session.insert_new(things, [])
        await session.insert_new(unique, [{"name": "x"}])
        await session.insert_new(unique, [{"name": "x"}, {"name": "y"}])

    await database.write(work)
    a = await find(database, "a")
    assert (a.number, a.text, await names(database)) == (1, "one", ["a", "b"])
    async with database.reading() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(unique)) == 2


async def test_a_text_that_is_too_long_is_refused_and_never_cut(database: storage.Database) -> None:
    if database.dialect == "sqlite":
        return  # keeps it whole

    async def work(session: storage.Session) -> None:
        await session.insert_new(things, [thing("n" * 65)])

    with pytest.raises(errors.InternalError):
        await database.write(work)
    assert await names(database) == []


async def test_keys_of_new_rows_count_up(database: storage.Database) -> None:
    async def work(session: storage.Session) -> list[int]:
        return [await session.insert_key(numbered, {"blob": bytes(range(256))}) for _ in range(3)]

    keys = await database.write(work)
    assert keys == sorted(set(keys))
    async with database.reading() as session:
        assert await session.scalar(sa.select(numbered.c.blob)) == bytes(range(256))


async def test_counts_are_of_rows_that_a_condition_met_even_where_nothing_changed(database: storage.Database) -> None:
    async def work(session: storage.Session) -> tuple[int, int, int]:
        await session.execute(sa.insert(things), [thing("a", 1), thing("b", 1)])
        same = await session.execute(sa.update(things).values(number=1))
        none = await session.execute(sa.update(things).where(things.c.name == "z").values(number=2))
        return same, none, await session.execute(sa.insert(things), [])

    assert await database.write(work) == (2, 0, 0)


async def test_names_are_compared_by_code_point(database: storage.Database) -> None:
    alike = ["a", "A", "ä", "á", "\uff41", "ß", "ss", " a", *(["a "] if database.dialect != "mysql" else [])]

    async def work(session: storage.Session) -> None:
        await session.insert_new(things, [thing(name, index) for index, name in enumerate(alike)])

    await database.write(work)
    found = [await find(database, name) for name in alike]
    assert [row.number for row in found] == list(range(len(alike)))


async def test_the_databases_clock_is_in_milliseconds_and_moves_inside_a_transaction(
    database: storage.Database,
) -> None:
    before = time.time_ns() // 1_000_000

    async def work(session: storage.Session) -> tuple[int, int]:
        first = await session.now()
        for _ in range(200):
            later = await session.now()
            if later > first:
                break
        return first, later

    first, later = await database.write(work)
    assert before - 1000 <= first <= time.time_ns() // 1_000_000 + 1000
    assert later > first, "a lease measured by the begin of a transaction would live too long"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), number=st.integers())
def test_values_pass_or_are_refused_alike(text: str, number: int) -> None:
    fits = -(1 << 63) <= number < 1 << 63
    for parameters, many in (((text, number), False), ({"a": text, "b": number}, False), ([(text, number)], True)):
        if fits:
            require_holdable(None, None, "", parameters, None, many)
        else:
            with pytest.raises(errors.InvalidRequestError, match="64 bits"):
                require_holdable(None, None, "", parameters, None, many)


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "half \udfff", 1 << 63, -(1 << 63) - 1])
async def test_what_no_row_can_hold_is_the_callers_mistake(database: storage.Database, value: Any) -> None:
    column = things.c.number if isinstance(value, int) else things.c.name

    async def work(session: storage.Session) -> None:
        await session.execute(sa.insert(things), [thing("x") | {column.name: value}])

    with pytest.raises(errors.InvalidRequestError):
        await database.write(work)
    with pytest.raises(errors.InvalidRequestError):
        async with database.reading() as session:
            await session.all(sa.select(things).where(column == value))
    assert await names(database) == []


async def test_every_other_text_comes_back_as_it_was(database: storage.Database) -> None:
    texts = ["", " ", "  x  ", "\t\r\n", "\x01\x7f", "钱塘", "🌊" * 10, "e\u0301", "%_\\'\"`", "x" * 200_000]

    async def work(session: storage.Session) -> None:
        await session.execute(sa.insert(things), [thing(str(n), n, text) for n, text in enumerate(texts)])

    await database.write(work)
    async with database.reading() as session:
        rows = await session.all(sa.select(things.c.text).order_by(things.c.number))
    assert [row.text for row in rows] == texts
