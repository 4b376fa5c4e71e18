"""The HTTP application over the tiny kind, in the test's own process, with people whose tokens are their names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from qiantang.kernel import errors
from qiantang_server.kernel import access, audit, storage
from qiantang_server.kernel.cache.adapters.memory import MemoryReleaseCache
from qiantang_server.kernel.cache.settings import CacheSettings
from qiantang_server.kernel.coordination.adapters.database import DatabaseCoordination
from qiantang_server.kernel.coordination.settings import CoordinationSettings
from qiantang_server.kernel.resources.finding import Finding
from qiantang_server.kernel.watch import Watch, WatchSettings
from qiantang_server.kernel.web import WebSettings, application, health
from qiantang_server.kernel.web import watch as web_watch
from server.tests import databases
from server.tests.kernel.resources.notes import KINDS, Life

PERMISSIONS = access.Permissions({**KINDS.permissions(), **web_watch.PERMISSIONS})


def person(name: str, *grants: access.Grant, tenant: str = "acme") -> access.Principal:
    return access.Principal(
        kind="user", id=name, name=name, tenant=tenant, grants=access.CompiledGrants(list(grants), PERMISSIONS)
    )


ACME = access.Target("acme")
PEOPLE = {
    "owner": person("owner", access.Grant(("*:*",), ACME, role="owner")),
    "reader": person("reader", access.Grant(("test.note:read",), ACME, role="reader")),
    "stranger": person("stranger", access.Grant(("*:*",), access.Target("other"), role="owner"), tenant="other"),
}


class Names:
    """An authenticator that believes a name."""

    async def authenticate(self, credentials: access.Presented) -> access.Principal:
        found = PEOPLE.get(credentials.bearer or credentials.cookie)
        if found is None:
            raise errors.UnauthenticatedError("who are you?")
        return found


class Running:
    def __init__(self, life: Life, watch: Watch, app: Litestar, client: AsyncTestClient[Any]) -> None:
        self.life = life
        self.watch = watch
        self.app = app
        self.client = client

    async def call(self, who: str, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {who}", **more.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **more)


@asynccontextmanager
async def run(database: storage.Database) -> AsyncIterator[Running]:
    life = Life(database)
    async with DatabaseCoordination(database, CoordinationSettings()) as coordination:
        watch = Watch(
            WatchSettings(),
            life.resources,
            cache=MemoryReleaseCache(CacheSettings()),
            coordination=coordination,
            principal=access.system(PERMISSIONS),
            node="n1",
        )
        async with watch:
            app = application.build(
                WebSettings(),
                life=life.resources,
                watching=watch,
                authenticator=Names(),
                denials=audit.Denials(database),
                permissions={**KINDS.permissions(), **web_watch.PERMISSIONS},
                routes=[],
                process_health=health.Health("1", "n1", {"database": health.database_check(database)}, opened=True),
                figures=health.Figures(),
                finders=Finding(life.parts).finders,
            )
            async with AsyncTestClient(app) as client:
                yield Running(life, watch, app, client)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with databases.opened("", tmp_path / "web.sqlite3") as database, run(database) as found:
        yield found
