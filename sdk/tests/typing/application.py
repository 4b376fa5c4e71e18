"""What a type checker has to see in an application; checked by pyright in test_typing.py, never imported."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import assert_type

import msgspec
import pydantic

import qiantang
from qiantang.config import Event, Pinned
from qiantang.config.testing import FakeConfig


class Settings(msgspec.Struct):
    greeting: str = "hello"
    timeout: float = 1.5


@dataclass
class Database:
    url: str = ""


class Mail(pydantic.BaseModel):
    host: str = ""


class Connection:
    def ping(self) -> bool:
        return True

    def close(self) -> None: ...


def connect(url: str) -> Connection:
    return Connection()


async def connect_slowly(url: str) -> Connection:
    return Connection()


def blocking() -> None:
    with qiantang.sync.App(application="shop", start_deadline=1.5) as app:
        settings = app.config.bind(Settings)
        assert_type(settings, Settings)
        assert_type(settings.timeout, float)
        assert_type(app.config.bind(Database, "db"), Database)
        assert_type(app.config.bind(Mail, prefix="mail", namespace="shared"), Mail)

        @app.config.on_change("greeting")
        def changed(event: Event) -> None:
            assert_type(event.snapshot, Pinned)

        assert_type(changed(None), None)  # pyright: ignore[reportArgumentType]

        @app.config.on_change("*")
        async def nothing() -> int:
            return 1

        @app.config.on_change("*")
        def both(before: Pinned, after: Pinned) -> None:
            assert_type(after[settings], Settings)

        @app.config.on_change("*")  # pyright: ignore[reportArgumentType, reportUntypedFunctionDecorator]
        def three(one: int, two: int, other: int) -> None: ...

        with app.config.pin() as pinned:
            assert_type(pinned, Pinned)
            assert_type(pinned[settings].greeting, str)
            assert_type(pinned.revision, int)

        with qiantang.LiveResource(app.config, connect, Connection.ping, Connection.close, key="db.url") as database:
            assert_type(database, qiantang.LiveResource[Connection])
            with database.use() as connection:
                assert_type(connection, Connection)

        qiantang.sync.App(servres=[])  # pyright: ignore[reportCallIssue]


async def asyncio_program() -> AsyncIterator[str]:
    async with qiantang.App(servers=["http://127.0.0.1:8600"]) as app:
        settings = app.config.bind(Settings)
        async with qiantang.LiveResource(app.config, connect_slowly, select=settings) as database:
            async with database.use() as connection:
                assert_type(connection, Connection)
        yield settings.greeting


def fake() -> None:
    config = FakeConfig({"greeting": "hi"})
    assert_type(config.bind(Settings), Settings)
