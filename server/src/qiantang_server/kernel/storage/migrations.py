"""Migrations: each room declares its folder; all are brought to their newest step under one lock of the database."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from qiantang_server.kernel.storage.engine import Database
from qiantang_server.kernel.storage.schema import metadata

log = logging.getLogger(__name__)
KERNEL = Path(__file__).parent / "migrations_kernel"
_LOCK = 0x7169616E  # "qian": the key of the advisory lock


def script_directory(folders: Sequence[Path]) -> ScriptDirectory:
    """Give the steps of all folders as one directory; each folder is a branch of its own."""
    config = Config()
    config.set_main_option("script_location", str(KERNEL))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(str(folder) for folder in folders))
    return ScriptDirectory.from_config(config)


async def upgrade(database: Database, folders: Sequence[Path], target: str = "heads") -> list[str]:
    """Bring the database to `target`; give the steps that were run, in order. Servers that start together take turns.

    Raises:
        UnavailableError: the database is away.
    """
    scripts = script_directory(folders)
    done: list[str] = []
    async with database.engine.connect() as connection:
        await connection.run_sync(_upgrade_locked, scripts, target, done)
        await connection.commit()
    return done


def _upgrade_locked(connection: sa.Connection, scripts: ScriptDirectory, target: str, done: list[str]) -> None:
    _lock(connection)

    def steps(current: Any, _context: Any) -> Any:
        found = scripts._upgrade_revs(target, current)  # pyright: ignore[reportPrivateUsage]
        done.extend(step.revision.revision for step in found)
        return found

    with EnvironmentContext(Config(), scripts, fn=steps) as environment:
        environment.configure(
            connection=connection, target_metadata=metadata, fn=steps, transactional_ddl=False, render_as_batch=True
        )
        environment.run_migrations()
    _unlock(connection)
    if done:
        log.info("database migrated", extra={"steps": done})


def _lock(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    elif connection.dialect.name in {"mysql", "mariadb"}:
        connection.execute(sa.text("SELECT GET_LOCK('qiantang_migrations', 60)"))
    # SQLite: the transaction began as IMMEDIATE, which is the lock


def _unlock(connection: sa.Connection) -> None:
    if connection.dialect.name in {"mysql", "mariadb"}:
        connection.execute(sa.text("SELECT RELEASE_LOCK('qiantang_migrations')"))
