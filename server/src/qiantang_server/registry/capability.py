"""Manifest of the platform's own registry."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

from qiantang_server.kernel.capability import Capability, Kernel, Opened
from qiantang_server.kernel.jobs import Job, JobContext
from qiantang_server.registry import api
from qiantang_server.registry.service import Registry
from qiantang_server.registry.service.overrides import PERMISSIONS
from qiantang_server.registry.settings import RegistrySettings


@asynccontextmanager
async def opened(kernel: Kernel) -> AsyncGenerator[Opened]:
    """Open the room."""
    async with Registry(kernel, cast("RegistrySettings", kernel.settings["registry"])) as registry:

        async def expire(_context: JobContext) -> None:
            await registry.housekeeping.expire()

        yield Opened(routes=api.routers(registry), jobs=[Job("registry-expire", timedelta(hours=1), expire)])


REGISTRY = Capability(
    name="registry",
    title="Registry",
    open=opened,
    settings=RegistrySettings,
    permissions=PERMISSIONS,
    migrations=Path(__file__).parent / "migrations",
)
