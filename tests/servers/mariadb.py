"""MariaDB: one server with a row-based binary log, and a fresh database per call."""

from __future__ import annotations

import functools
import itertools
import threading
from pathlib import Path

from tests.servers import ports
from tests.servers.process import HOST, Process, find_program, give_to, new_folder, run

_ACCOUNT = "mysql"
_SETTINGS = (
    f"bind-address={HOST}",
    "skip-name-resolve",
    "server-id=1",
    "log-bin=binlog",
    "binlog-format=ROW",
    "binlog-row-image=FULL",
    "binlog-row-metadata=FULL",
    "gtid-strict-mode=1",
    "character-set-server=utf8mb4",
    "collation-server=utf8mb4_bin",
    "innodb-buffer-pool-size=64M",
    "innodb-log-file-size=32M",
    "innodb-flush-log-at-trx-commit=2",  # 0 loses commits at a kill
    "sync-binlog=0",
    "max-connections=200",
    "performance-schema=0",
)
_guard = threading.Lock()


class MariaDB(Process):
    """A MariaDB server; user `root` needs no password, and committed rows outlive a kill."""

    name = "mariadb"
    account = _ACCOUNT

    def __init__(self) -> None:
        super().__init__()
        self.port = ports.take()
        self._databases = itertools.count(1)

    @staticmethod
    def missing() -> list[str]:
        return [name for name in ("mariadbd", "mariadb", "mariadb-install-db") if find_program(name) is None]

    def prepare(self) -> None:
        run(["cp", "-a", str(_template() / "data"), str(self.folder / "data")], self.folder)
        _write_settings(self.folder, self.port)
        give_to(_ACCOUNT, self.folder)

    def argv(self) -> list[str]:
        # --defaults-file is only understood as the first option.
        return [find_program("mariadbd") or "mariadbd", f"--defaults-file={self.folder / 'my.cnf'}"]

    def probe(self) -> None:
        self.execute("select 1")

    def url(self, database: str = "mysql") -> str:
        """Give the address of a database, for SQLAlchemy's asyncio engine."""
        return f"mysql+asyncmy://root@{HOST}:{self.port}/{database}"

    def execute(self, statement: str, database: str = "mysql") -> str:
        """Run one statement with the command line client and give its output as bare text."""
        client = find_program("mariadb") or "mariadb"
        server = ["--protocol=tcp", f"--host={HOST}", f"--port={self.port}", "--user=root", "--connect-timeout=5"]
        return run(
            [client, "--no-defaults", *server, "--batch", "--skip-column-names", "-D", database, "-e", statement],
            self.folder,
        )

    def create_database(self, name: str = "test") -> str:
        """Create an empty database, a new one at each call (NAME_1, NAME_2, …), and give its address."""
        fresh = f"{name}_{next(self._databases)}"
        self.execute(f"create database `{fresh}`")
        return self.url(fresh)

    def drop_database(self, url: str) -> None:
        """Remove a database that `create_database` made. It waits for transactions that are open in it."""
        self.execute(f"drop database if exists `{url.rpartition('/')[2]}`")


def _write_settings(folder: Path, port: int) -> None:
    own = (
        f"datadir={folder / 'data'}",
        f"tmpdir={folder}",
        f"socket={folder / 's.sock'}",
        f"pid-file={folder / 'pid'}",
        f"port={port}",
    )
    (folder / "my.cnf").write_text("\n".join(("[mariadbd]", *own, *_SETTINGS)) + "\n")


def _template() -> Path:
    """Give the folder with an empty server, made once per run: copying it takes a tenth of making it."""
    with _guard:
        return _make_template()


@functools.cache
def _make_template() -> Path:
    folder = new_folder("my-template")
    _write_settings(folder, port=0)  # making the tables opens no port
    give_to(_ACCOUNT, folder)
    words = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
    program = find_program("mariadb-install-db") or "mariadb-install-db"
    run(
        [program, f"--defaults-file={folder / 'my.cnf'}", f"--datadir={folder / 'data'}", *words],
        folder,
        _ACCOUNT,
    )
    return folder
