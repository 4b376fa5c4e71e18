"""Migrations: each room declares its folder; all are brought to their newest step under one lock of the database."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from qiantang.kernel import errors
from qiantang_server.kernel.storage.engine import PATIENCE, Database
from qiantang_server.kernel.storage.schema import metadata

log = logging.getLogger(__name__)
KERNEL = Path(__file__).parent / "migrations_kernel"
_LOCK = 0x7169616E  # "qian": the key of the advisory lock, which is one database's own
_MYSQL_LOCK = "CONCAT('qiantang_', MD5(DATABASE()))"  # here a name is the whole server's


class MigrationFailedError(errors.MisconfiguredError):
    """A step did not run through; the detail names it."""

    code = "storage.migration_failed"


class NewerDatabaseError(errors.MisconfiguredError):
    """The database was brought further than this program knows."""

    code = "storage.newer_database"


def script_directory(folders: Sequence[Path]) -> ScriptDirectory:
    """Give the steps of all folders as one directory; each folder is a branch of its own."""
    config = Config()
    config.set_main_option("script_location", str(KERNEL))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(str(folder) for folder in folders))
    return ScriptDirectory.from_config(config)


async def upgrade(database: Database, folders: Sequence[Path], target: str = "heads") -> list[str]:
    """Bring the database to `target`; give the steps that were run, in order. Servers that start together take turns.

    SQLite and PostgreSQL take all steps or none. MySQL ends a transaction at each change of a table: there every
    whole step stays, and only the one that failed can be left half done.

    Raises:
        NewerDatabaseError: a newer program has been here.
        MigrationFailedError: a step failed; the detail says which, and what stands.
        UnavailableError: the database is away, or others did not end their turn.
    """
    run = _Run(script_directory(folders), target)
    async with database.patient() as connection:
        await connection.run_sync(run.upgrade)
        await connection.commit()
    if run.done:
        log.info("database migrated", extra={"steps": run.done})
    return run.done


class _Run:
    """One server's turn."""

    def __init__(self, scripts: ScriptDirectory, target: str) -> None:
        self.scripts = scripts
        self.target = target
        self.done: list[str] = []
        self.running = ""

    def upgrade(self, connection: sa.Connection) -> None:
        """Wait for the turn, then run what is missing."""
        _lock(connection)
        whole = connection.dialect.name not in {"mysql", "mariadb"}

        def steps(current: Any, _context: Any) -> Iterator[Any]:
            self._require_known(current)
            for step in self.scripts._upgrade_revs(self.target, current):  # pyright: ignore[reportPrivateUsage]
                self.running = str(step.revision.revision)
                yield step
                if not whole:
                    connection.commit()  # or its version is lost with the next step's failure, and its tables are not
                self.done.append(self.running)
            self.running = ""

        with EnvironmentContext(Config(), self.scripts, fn=steps) as environment:
            environment.configure(
                connection=connection, target_metadata=metadata, fn=steps, transactional_ddl=False, render_as_batch=True
            )
            try:
                environment.run_migrations()
            except Exception as error:
                if not self.running:
                    raise
                raise self._failed(error, whole=whole) from error

    def _require_known(self, current: Iterable[str]) -> None:
        known = {script.revision for script in self.scripts.walk_revisions()}
        beyond = sorted(set(current) - known)
        if beyond:
            raise NewerDatabaseError(
                f"the database was migrated by a newer program: this one does not know {', '.join(beyond)}. "
                "Start the newer one, or restore a copy of the database from before it"
            )

    def _failed(self, error: Exception, *, whole: bool) -> MigrationFailedError:
        reason = (str(getattr(error, "orig", None) or error) or type(error).__name__).splitlines()[0][:300]
        stands = (
            "nothing was changed"
            if whole
            else f"what stands: {', '.join(self.done) or 'nothing new'}; the failed step may have been done in part"
        )
        return MigrationFailedError(f"step {self.running} of the database's migration failed: {reason} ({stands})")


def _lock(connection: sa.Connection) -> None:
    """Take the turn; it ends with the transaction, on MySQL with the connection.

    Leaves a transaction open in any case: Alembic would otherwise commit each step, and with it let another in between.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    elif connection.dialect.name in {"mysql", "mariadb"}:
        seconds = int(PATIENCE.total_seconds())
        if connection.scalar(sa.text(f"SELECT GET_LOCK({_MYSQL_LOCK}, :seconds)"), {"seconds": seconds}) != 1:
            raise errors.UnavailableError(f"another server has been migrating the database for {seconds} seconds")
    else:
        connection.exec_driver_sql("SELECT 1")  # SQLite's transaction begins as IMMEDIATE, which is the lock
