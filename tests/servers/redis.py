"""Redis: one server, with an append-only file or without any persistence."""

from __future__ import annotations

from tests.servers import ports
from tests.servers.process import HOST, Process, ask, find_program


class Redis(Process):
    """A Redis server; with `appendonly` every write that it acknowledged outlives a kill."""

    name = "redis"

    def __init__(self, *, appendonly: bool = False) -> None:
        super().__init__()
        self.port = ports.take()
        self.appendonly = appendonly

    @staticmethod
    def missing() -> list[str]:
        return [name for name in ("redis-server",) if find_program(name) is None]

    @property
    def url(self) -> str:
        """The address for a client, with database 0."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def socket_path(self) -> str:
        """The path of its unix socket."""
        return str(self.folder / "redis.sock")

    def prepare(self) -> None:
        lines = [
            f"bind {HOST}",
            f"port {self.port}",
            f"unixsocket {self.socket_path}",
            f"dir {self.folder}",
            "daemonize no",
            'logfile ""',
            'save ""',
            f"appendonly {'yes' if self.appendonly else 'no'}",
            "appendfsync always",  # everysec may hold a write back for 2 s while it syncs, and a kill loses it then
            "enable-debug-command yes",
            "repl-diskless-sync-delay 0",  # a replica is otherwise linked only after 5 seconds
        ]
        (self.folder / "redis.conf").write_text("\n".join(lines) + "\n")

    def argv(self) -> list[str]:
        return [find_program("redis-server") or "redis-server", str(self.folder / "redis.conf")]

    def probe(self) -> None:
        answer = ask(self.port, b"PING\r\n")
        if not answer.startswith("+PONG"):  # for example -LOADING
            raise ConnectionError(answer)

    def flushall(self) -> None:
        """Empty all databases of the server."""
        answer = ask(self.port, b"FLUSHALL\r\n", timeout=30.0)
        if not answer.startswith("+OK"):
            raise ConnectionError(answer)
