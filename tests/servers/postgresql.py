"""PostgreSQL: one server with logical replication switched on, and a fresh database per call."""

from __future__ import annotations

import functools
import itertools
import threading
from pathlib import Path
from signal import SIGINT

from tests.servers import ports
from tests.servers.process import HOST, Process, find_program, give_to, new_folder, run

USER = "qt"
_ACCOUNT = "postgres"
_SETTINGS = {
    "listen_addresses": HOST,
    "wal_level": "logical",
    "max_replication_slots": "10",
    "max_wal_senders": "10",
    "max_prepared_transactions": "20",
    "max_connections": "200",
    "shared_buffers": "32MB",
    # Without fsync a kill loses nothing, only a dead machine would. synchronous_commit stays on: without it
    # a logical slot does not see a commit at once.
    "fsync": "off",
    "full_page_writes": "off",
    "dynamic_shared_memory_type": "mmap",  # in the data folder: a kill leaves nothing behind in /dev/shm
}
_guard = threading.Lock()


class PostgreSQL(Process):
    """A PostgreSQL server; user `qt` needs no password, and committed rows outlive a kill."""

    name = "postgresql"
    account = _ACCOUNT
    stop_signal = SIGINT  # "fast": ends open sessions, where SIGTERM waits for them

    def __init__(self) -> None:
        super().__init__()
        self.port = ports.take()
        self._databases = itertools.count(1)

    @staticmethod
    def missing() -> list[str]:
        return [name for name in ("initdb", "postgres", "psql") if _program(name) is None]

    def prepare(self) -> None:
        run(["cp", "-a", str(_template() / "data"), str(self.folder / "data")], self.folder)
        give_to(_ACCOUNT, self.folder)

    def argv(self) -> list[str]:
        settings = {**_SETTINGS, "unix_socket_directories": str(self.folder)}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return [
            _program("postgres") or "postgres",
            "-D",
            str(self.folder / "data"),
            "-p",
            str(self.port),
            *options,
        ]

    def probe(self) -> None:
        self.execute("select 1")

    def url(self, database: str = "postgres") -> str:
        """Give the address of a database, for SQLAlchemy's asyncio engine."""
        return f"postgresql+asyncpg://{USER}@{HOST}:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Run one statement with psql and give its output as bare text."""
        server = f"host={HOST} port={self.port} user={USER} dbname={database} connect_timeout=5"
        return run([_program("psql") or "psql", "-X", "-q", "-A", "-t", "-d", server, "-c", statement], self.folder)

    def create_database(self, name: str = "test") -> str:
        """Create an empty database, a new one at each call (NAME_1, NAME_2, …), and give its address."""
        fresh = f"{name}_{next(self._databases)}"
        self.execute(f'create database "{fresh}"')
        return self.url(fresh)

    def drop_database(self, url: str) -> None:
        """Remove a database that `create_database` made, ending the sessions in it."""
        self.execute(f'drop database if exists "{url.rpartition("/")[2]}" with (force)')


def _program(name: str) -> str | None:
    """Find a program: Debian keeps them beside each other per version, out of PATH; the newest one counts."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    for folder in sorted(versions, key=lambda path: float(path.parent.name), reverse=True):
        if (folder / name).exists():
            return str(folder / name)
    return find_program(name)


def _template() -> Path:
    """Give the folder with an empty cluster, made once per run: copying it takes a tenth of making it."""
    with _guard:
        return _make_template()


@functools.cache
def _make_template() -> Path:
    folder = new_folder("pg-template")
    give_to(_ACCOUNT, folder)
    words = ["-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    run([_program("initdb") or "initdb", "-D", str(folder / "data"), *words], folder, _ACCOUNT)
    return folder
