"""Machine: what the first page says of the server to the person who has just started it."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import sqlalchemy as sa

from qiantang.kernel import errors
from qiantang_server.kernel.capability import Kernel

VERSION = metadata.version("qiantang-server")
_STORES = {"sqlite": "SQLite, WAL", "postgresql": "PostgreSQL", "mysql": "MySQL / MariaDB"}


@dataclass(frozen=True, slots=True)
class Machine:
    """Parts by name with whether they answer, and facts; an empty fact is not known."""

    parts: dict[str, bool]
    memory: str
    store: str
    data: str
    listens: str
    loopback: bool


async def look(kernel: Kernel, server: tuple[str, int | None] | None) -> Machine:
    """Look at this server; `server` is the socket's own address."""
    host, port = server or ("", None)
    return Machine(
        parts={"database": await _answers(kernel), "coordination": kernel.coordination.condition.ready},
        memory=_memory(),
        store=_STORES.get(kernel.database.dialect, kernel.database.dialect),
        data=_short(kernel.folder),
        listens=f"{host}:{port}" if port else "",
        loopback=_is_loopback(host),
    )


async def _answers(kernel: Kernel) -> bool:
    try:
        async with kernel.database.reading() as session:
            await session.scalar(sa.select(sa.literal(1)))
    except errors.QiantangError:
        return False
    return True


def _memory() -> str:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return ""
    return f"{pages * os.sysconf('SC_PAGE_SIZE') / (1 << 20):.0f} MB"


def _short(folder: Path) -> str:
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
