"""RabbitMQ: one server with its HTTP interface, and a virtual host of its own for each test."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from tests.servers import certificates, ports
from tests.servers.process import HOST, Process, ask, find_program

USER = PASSWORD = "guest"
_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # not the one in sbin, which changes the user
_SETTINGS = (
    f"management.tcp.ip = {HOST}",
    "log.console = true",
    "log.file = false",
    "disk_free_limit.absolute = 50MB",
    "vm_memory_high_watermark.absolute = 256MB",
    "collect_statistics_interval = 1000",
)
_TIMEOUT = 30.0
_HELLO = b"AMQP\x00\x00\x09\x01"


class Epmd(Process):
    """Erlang's port mapper, by which a node finds that no other has its name; else one of the machine is started, and stays."""

    name = "epmd"
    variables = {"ERL_EPMD_RELAXED_COMMAND_CHECK": "1"}

    def __init__(self) -> None:
        super().__init__()
        self.port = ports.take()

    @staticmethod
    def missing() -> list[str]:
        return [name for name in ("epmd",) if find_program(name) is None]

    def prepare(self) -> None:
        pass

    def argv(self) -> list[str]:
        return [find_program("epmd") or "epmd", "-address", HOST, "-port", str(self.port)]

    def probe(self) -> None:
        socket.create_connection((HOST, self.port), 1.0).close()


class RabbitMQ(Process):
    """A RabbitMQ server; user `guest` has the password `guest`. Persistent messages of durable queues outlive a kill.

    A quorum queue that was declared less than a second before it does not: it stays, and answers nothing (3.10.8).
    Beside the server runs a port mapper of its own, which a kill or a pause of the server does not touch.
    """

    name = "rabbitmq"

    def __init__(self) -> None:
        super().__init__()
        self.port, self.tls_port, self.http_port, distribution = ports.take_many(4)
        self._epmd = Epmd()
        self._hosts = itertools.count(1)
        self.variables: Mapping[str, str] = {
            "ERL_EPMD_PORT": str(self._epmd.port),
            "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_NODENAME": "test@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_CTL_ERL_ARGS": "-start_epmd false",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none"
            ),
            "RUNNING_UNDER_SYSTEMD": "true",  # so the script becomes the server, and does not wait for it as its child
        }

    @staticmethod
    def missing() -> list[str]:
        return [*Epmd.missing(), *(name for name in (_SERVER,) if not Path(name).exists())]

    @property
    def url(self) -> str:
        """The address for a client, with the virtual host `/`."""
        return self._url("/")

    @property
    def http_url(self) -> str:
        """The address of the management interface."""
        return f"http://{HOST}:{self.http_port}"

    def prepare(self) -> None:
        safe = certificates.make(self.folder)
        lines = [
            f"listeners.tcp.1 = {HOST}:{self.port}",
            f"listeners.ssl.1 = {HOST}:{self.tls_port}",
            f"ssl_options.cacertfile = {safe.authority}",
            f"ssl_options.certfile = {safe.certificate}",
            f"ssl_options.keyfile = {safe.key}",
            f"management.tcp.port = {self.http_port}",
            *_SETTINGS,
        ]
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text("tests")
        cookie.chmod(0o400)

    def argv(self) -> list[str]:
        return [_SERVER]

    def launch(self) -> None:
        if not self._epmd.running:
            self._epmd.start()
        super().launch()

    def probe(self) -> None:
        answer = ask(self.port, _HELLO)
        if not answer.startswith("\x01"):  # a frame with the method connection.start
            raise ConnectionError(answer)
        self.call("GET", "/overview", timeout=2.0)

    def close(self) -> None:
        self.kill()  # its orderly stop takes six seconds
        super().close()
        self._epmd.close()

    def call(self, method: str, path: str, body: Any = None, *, timeout: float = _TIMEOUT) -> Any:
        """Ask the management interface, with a path below `/api`, and give what it answers.

        Raises:
            httpx.HTTPError: it refused, or did not answer.
        """
        with httpx.Client(auth=(USER, PASSWORD), timeout=timeout, trust_env=False) as client:
            answer = client.request(method, f"{self.http_url}/api{path}", json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def create_vhost(self, name: str = "test") -> str:
        """Create an empty virtual host, a new one at each call (NAME_1, NAME_2, …), and give its address."""
        fresh = f"{name}_{next(self._hosts)}"
        self.call("PUT", f"/vhosts/{fresh}")
        return self._url(fresh)

    def drop_vhost(self, url: str) -> None:
        """Remove a virtual host that `create_vhost` made, with its queues, ending the connections to it."""
        self.call("DELETE", f"/vhosts/{url.rpartition('/')[2]}")

    def _url(self, host: str) -> str:
        return f"amqp://{USER}:{PASSWORD}@{HOST}:{self.port}/{quote(host, safe='')}"
