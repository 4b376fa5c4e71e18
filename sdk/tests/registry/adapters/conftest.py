"""Fixtures of the adapters' tests over ZooKeeper: registries on the shared server, with a relay in their way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from qiantang.registry.adapters.zookeeper import ZooKeeperRegistry
from qiantang.registry.settings import RegistrySettings
from qiantang.registry.testing import fresh_name

from .relay import Relay

Opened = Callable[..., Awaitable[ZooKeeperRegistry]]
Made = tuple[str, int]


def settings_for(hosts: str, **options: Any) -> RegistrySettings:
    quick: dict[str, Any] = {
        "tenant": "acme",
        "operation_timeout": timedelta(seconds=3),
        "zookeeper_session_timeout": timedelta(seconds=4),
        "zookeeper_acl": "open",
        "zookeeper_root": "/busidomain/csf",
    }
    return RegistrySettings(adapter="zookeeper", address=hosts, **{**quick, **options})


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """Open registries at an address; they are closed with the test."""
    registries: list[ZooKeeperRegistry] = []

    async def open_(hosts: str, **options: Any) -> ZooKeeperRegistry:
        registries.append(ZooKeeperRegistry(settings_for(hosts, **options)))
        return await registries[-1].__aenter__()

    yield open_
    for one in registries:
        await one.__aexit__(None, None, None)


@pytest.fixture
async def relay(zookeeper_server: Any) -> AsyncIterator[Relay]:
    async with Relay("127.0.0.1", zookeeper_server.port) as made:
        yield made


@pytest.fixture
def root() -> str:
    return f"/{fresh_name('root')}"


def counting(registry: ZooKeeperRegistry) -> list[Made]:
    """Note the ephemeral nodes that a registry makes from now on, however it makes them: path and session."""
    made: list[Made] = []
    line = registry.line
    create, supplant = line.create, line.supplant

    async def noted_create(path: str, data: bytes, *, ephemeral: bool = False) -> None:
        await create(path, data, ephemeral=ephemeral)
        if ephemeral:
            made.append((path, line.session))

    async def noted_supplant(path: str, data: bytes, version: int) -> None:
        await supplant(path, data, version)
        made.append((path, line.session))

    line.create, line.supplant = noted_create, noted_supplant  # type: ignore[method-assign]
    return made
