"""Sealed: opens the database and the keyring alone, for commands that look after keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from qiantang.kernel import settings
from qiantang_server.app.process import DATABASE_FILE, ControlPlane
from qiantang_server.kernel import sealing
from qiantang_server.kernel.sealing import Sealing, SealingSettings
from qiantang_server.kernel.storage import Database, StorageSettings

T = TypeVar("T")


def run_sealed(loaded: settings.Loaded, work: Callable[[Sealing], Awaitable[T]]) -> T:
    """Run `work` over the sealing of the platform that the settings name.

    Raises:
        MisconfiguredError: the keyring is not the one of the database.
        UnavailableError: the database is away.
    """
    plane = ControlPlane(loaded.sections)

    async def opened() -> T:
        storage = plane.section("storage", StorageSettings)
        async with (
            Database(storage, default_file=plane.folder / DATABASE_FILE) as database,
            sealing.open_sealing(plane.section("sealing", SealingSettings), database, plane.folder) as keys,
        ):
            return await work(keys)

    return asyncio.run(opened())
