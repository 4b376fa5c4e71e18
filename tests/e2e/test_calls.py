"""Calls between two applications of a real platform: its registry, its tokens, its rules, restarts and kills of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

import qiantang
from qiantang.kernel import errors
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import method, service
from tests.servers.platform import Api, Platform
from tests.servers.product import Platforms, eventually

pytestmark = pytest.mark.process

ORDER, TILL, OTHER = "acme/prod/shop/order", "acme/prod/shop/till", "acme/test/shop/till"


@service("shop.Orders", version="1.2.0")
class Orders(Protocol):
    @method(timeout=10, idempotent=True)
    async def price(self, article: str) -> str: ...


class Shop:
    async def price(self, article: str) -> str:
        return f"{article} for {current.get().caller}"


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platforms()
    yield made()
    made.close()


def options(platform: Platform, folder: Path, scope: str, **more: Any) -> dict[str, Any]:
    tenant, environment, center, application = scope.split("/")
    given = platform.administrator().make_application(scope)
    return {
        "servers": [platform.address],
        "tenant": tenant,
        "environment": environment,
        "center": center,
        "application": application,
        "credential": given["id"],
        "secret": given["secret"],
        "folder": folder / scope.replace("/", "-"),
        "start_policy": "defaults",
        "rpc": {"notice": 0.2},
    } | more


@asynccontextmanager
async def two(platform: Platform, folder: Path) -> AsyncGenerator[Orders]:
    """Have an application that answers, and a client of another one."""
    answering = qiantang.App(**options(platform, folder, ORDER))
    answering.provide(Orders, Shop())
    calling = qiantang.App(**options(platform, folder, TILL))
    orders = calling.client(Orders, of="order")
    async with answering, calling:
        yield orders


async def soon(orders: Orders, seconds: float = 30.0) -> str:
    """Call until it is answered."""
    ends = time.monotonic() + seconds
    while True:
        try:
            return await orders.price("tea")
        except errors.QiantangError:
            if time.monotonic() > ends:
                raise
            await asyncio.sleep(0.05)


def publish_rule(api: Api, scope: str, name: str, body: dict[str, Any]) -> None:
    api.call("PUT", f"rpc/{scope}/rules/{name}", {"body": body}, **{"If-Match": "*"})
    revision = int(api.call("GET", f"rpc/{scope}/status")["position"][1])
    api.call("POST", f"rpc/{scope}/releases", {"expected_revision": revision})


def convergence(api: Api) -> list[tuple[str, bool]]:
    rows = api.call("GET", f"rpc/{ORDER}/instances?limit=10")["items"]
    return [(row["status"], row["current"]) for row in rows]


async def test_one_application_calls_another_and_is_known_there(platform: Platform, tmp_path: Path) -> None:
    async with two(platform, tmp_path) as orders:
        assert await soon(orders) == f"tea for {TILL}"
        api = platform.administrator()
        publish_rule(api, ORDER, "not-the-till", {"access": {"refused": ["shop/till"]}})
        async with asyncio.timeout(30):
            while True:
                try:
                    await orders.price("tea")
                except errors.ForbiddenError as error:
                    assert "not-the-till" in error.detail
                    break
        await asyncio.to_thread(eventually, lambda: convergence(api) == [("applied", True)], "the rule is in force")


async def test_calls_go_on_while_the_platform_is_killed_and_comes_back(platform: Platform, tmp_path: Path) -> None:
    async with two(platform, tmp_path) as orders:
        await soon(orders)
        await asyncio.to_thread(platform.kill)
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            assert await orders.price("tea") == f"tea for {TILL}"
            await asyncio.sleep(0.01)
        await asyncio.to_thread(platform.start)
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            assert await orders.price("tea") == f"tea for {TILL}"
            await asyncio.sleep(0.01)


async def test_another_environment_finds_nobody(platform: Platform, tmp_path: Path) -> None:
    stranger = qiantang.App(**options(platform, tmp_path, OTHER))
    theirs = stranger.client(Orders, of="order")
    async with two(platform, tmp_path) as orders, stranger:
        await soon(orders)
        with pytest.raises(errors.NotFoundError, match="no node"):
            await theirs.price("tea")
