"""Paging: pages put together are the sorted list, whatever is equal or without a value; marks belong to one order."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel import errors
from qiantang_server.kernel import storage
from qiantang_server.kernel.storage.paging import By, Sorting
from server.tests.kernel.storage.conftest import metadata

rows = sa.Table(
    "paged",
    metadata,
    storage.name_column("place", primary_key=True),
    storage.name_column("name", primary_key=True),
    sa.Column("title", sa.String(128), nullable=False),
    sa.Column("seen", sa.BigInteger, nullable=True),
    sa.Column("note", sa.String(128), nullable=True),
)
SORTING = Sorting(
    {
        "name": By(rows.c.name),
        "title": By(rows.c.title, folded=True),
        "seen": By(rows.c.seen),
        "note": By(rows.c.note, folded=True),
    },
    key=(rows.c.place, rows.c.name),
)
SORTS = ["", *SORTING.by, *(f"-{name}" for name in SORTING.by)]


class Paged(NamedTuple):
    place: str
    name: str
    title: str
    seen: int | None
    note: str | None


_name = st.text("ab", min_size=1, max_size=2)
_words = st.text("aAb 物", max_size=2).map(str.rstrip)
_lists = st.lists(
    st.builds(Paged, _name, _name, _words, st.none() | st.integers(0, 2), st.none() | _words),
    unique_by=lambda row: row[:2],
    max_size=12,
)


def ordered(found: list[Paged], sort: str) -> list[Paged]:
    """The whole list as Python sorts it: what has no value last, equal ones by their key."""
    by_key = sorted(found, key=lambda row: (row.place, row.name))
    if not sort:
        return by_key
    name = sort.removeprefix("-")

    def value(row: Paged) -> Any:
        held = getattr(row, name)
        return held.lower() if isinstance(held, str) and SORTING.by[name].folded else held

    there = [row for row in by_key if value(row) is not None]
    # sorting is stable both ways round: equal ones stay in the order of their key
    return sorted(there, key=value, reverse=sort.startswith("-")) + [row for row in by_key if value(row) is None]


@pytest.fixture(scope="module")
def engine() -> sa.Engine:
    made = sa.create_engine("sqlite://")
    rows.create(made)
    return made


@given(found=_lists, sort=st.sampled_from(SORTS), limit=st.integers(1, 5))
def test_pages_put_together_are_the_sorted_list(engine: sa.Engine, found: list[Paged], sort: str, limit: int) -> None:
    with engine.connect() as connection:
        if found:
            connection.execute(sa.insert(rows), [row._asdict() for row in found])
        seen: list[Paged] = []
        after = ""
        for _page in range(len(found) + 1):
            order = SORTING.order(sort, after)
            page = connection.execute(order.page(sa.select(rows), limit + 1)).all()
            seen += [Paged(*row) for row in page[:limit]]
            if len(page) <= limit:
                break
            after = order.mark(page[limit - 1])
        assert seen == ordered(found, sort)
        connection.rollback()


@pytest.mark.parametrize("sort", SORTS)
async def test_every_database_pages_alike(database: storage.Database, sort: str) -> None:
    held = [
        Paged(place, name, title, seen, note)
        for number, (title, seen, note) in enumerate(
            (("b", 2, None), ("B", None, "x"), ("", 2, "X"), ("aa", 1, "w"), ("物", None, ""), ("Aa", 0, None))
        )
        for place, name in (("p", f"n{number}"), ("o", f"n{number % 2}-{number}"))
    ]

    async def work(session: storage.Session) -> None:
        await session.execute(sa.insert(rows), [row._asdict() for row in held])

    await database.write(work)
    seen: list[Paged] = []
    after = ""
    async with database.reading() as session:
        while True:
            order = SORTING.order(sort, after)
            page = await session.all(order.page(sa.select(rows), 6))
            seen += [Paged(*row) for row in page[:5]]
            if len(page) <= 5:
                break
            after = order.mark(page[4])
    assert seen == ordered(held, sort)


def test_rows_that_come_and_go_meanwhile_move_nothing(engine: sa.Engine) -> None:
    def add(connection: sa.Connection, name: str) -> None:
        connection.execute(sa.insert(rows), Paged("p", name, name, 1, None)._asdict())

    with engine.connect() as connection:
        for name in "bdfh":
            add(connection, name)
        first = connection.execute(SORTING.order("title", "").page(sa.select(rows), 2)).all()
        after = SORTING.order("title", "").mark(first[-1])
        add(connection, "a")
        add(connection, "e")
        connection.execute(sa.delete(rows).where(rows.c.name == "d"))
        rest = connection.execute(SORTING.order("title", after).page(sa.select(rows), 9)).all()
        assert [row.name for row in rest] == ["e", "f", "h"]
        connection.rollback()


def test_what_a_list_is_not_sorted_by_is_refused_with_what_it_is() -> None:
    for sort in ("nothing", "-", "--name", "name ", "NAME", "-place"):
        with pytest.raises(errors.InvalidRequestError, match="name, title, seen, note"):
            SORTING.order(sort, "")


def test_a_mark_of_another_order_is_refused() -> None:
    mark = SORTING.order("seen", "").mark(Paged("p", "n", "t", None, None))
    assert SORTING.order("seen", mark).last == [None, "p", "n"]
    wrong = [
        mark,
        mark[:-2],
        mark + "A",
        "p/n",
        "%%",
        "物",
        "bnVsbA",
        "W10",
        SORTING.order("title", "").mark(Paged("p", "n", "t", 1, "")),
    ]
    for sort, marks in (("-seen", wrong), ("name", wrong), ("note", wrong), ("title", wrong[:-1])):
        for one in marks:
            with pytest.raises(errors.InvalidRequestError, match="no mark of a list sorted by"):
                SORTING.order(sort, one)
