"""Search over HTTP: everything by a part of it, and nothing that the reader may not see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from qiantang_server.kernel.resources.finding import Finding
from qiantang_server.kernel.storage.words import holding
from server.tests.kernel.resources.notes import Life
from server.tests.kernel.web.conftest import PEOPLE, Running

ADA = PEOPLE["owner"]
SEARCH = "/api/v1/search/acme"


@pytest.fixture
async def filled(running: Running) -> AsyncIterator[Running]:
    await running.life.edit(ADA, "timeouts", "Fifty % of_all")
    await running.life.publish(ADA, 0)
    await running.life.edit(ADA, "waiting-draft", "not published")
    yield running


async def found(life: Life, who: str, words: str, limit: int = 8) -> list[tuple[str, str]]:
    finding = Finding(life.resources.parts)
    hits = [hit for one in finding.finders for hit in await one(PEOPLE[who], "acme", words, limit)]
    return [(hit.type, hit.name) for hit in hits]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("timeo", [("resource", "timeouts")]),
        ("TIMEO", [("resource", "timeouts")]),
        ("draft", [("resource", "waiting-draft")]),
        ("fifty", [("text", "timeouts")]),
        ("%", [("text", "timeouts")]),
        ("of_all", [("text", "timeouts")]),
        ("ofxall", []),
        ("not published", []),
        ("'; drop table draft; --", []),
    ],
)
async def test_what_is_found(filled: Running, words: str, expected: list[tuple[str, str]]) -> None:
    assert await found(filled.life, "reader", words) == expected


async def test_who_may_not_read_finds_nothing(filled: Running) -> None:
    assert await found(filled.life, "stranger", "timeo") == []


async def test_another_tenant_is_as_if_it_were_not(running: Running) -> None:
    assert (await running.call("stranger", "GET", f"{SEARCH}?words=timeo")).status_code == 404
    assert (await running.client.get(f"{SEARCH}?words=timeo")).status_code == 401


@pytest.mark.parametrize("query", ["", "words=", "words=a&limit=0", "words=a&limit=21", f"words={'x' * 201}"])
async def test_a_wrong_question_is_a_problem(running: Running, query: str) -> None:
    answer = await running.call("owner", "GET", f"{SEARCH}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_route_without_finders_finds_nothing(running: Running) -> None:
    answer: Any = await running.call("owner", "GET", f"{SEARCH}?words=timeo")
    assert (answer.status_code, answer.json()) == (200, [])


def test_the_words_are_never_a_pattern() -> None:
    column: sa.ColumnElement[str] = sa.column("path")
    for dialect, operator in ((sqlite.dialect(), "LIKE"), (postgresql.dialect(), "ILIKE"), (mysql.dialect(), "LIKE")):
        compiled = holding("50%_/", column).compile(dialect=dialect)
        assert operator in str(compiled)
        assert list(compiled.params.values()) == ["%50/%/_//%"]
