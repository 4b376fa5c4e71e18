"""ActiveMQ Classic: one server that speaks STOMP, with Jolokia as its HTTP interface."""

from __future__ import annotations

import itertools
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from tests.servers import certificates, jars, ports
from tests.servers.process import HOST, Process

USER, PASSWORD = "app", "app-pw"
"""Who may send and receive."""
ADMINISTRATOR, ADMINISTRATOR_PASSWORD = "admin", "admin-pw"
"""Who may use the HTTP interface."""

_CONFIGURATION = Path(__file__).with_name("activemq_conf")
_OPENED = ("java.lang", "java.io", "java.util", "java.util.concurrent", "java.net", "sun.nio.ch")
_TIMEOUT = 30.0


class ActiveMQ(Process):
    """An ActiveMQ broker. A message outlives a kill when its sender said `persistent:true`.

    A queue makes itself at first use. Messages that expire or are refused go to `DLQ.` and the queue's name, those sent to
    `VirtualTopic.X` to each queue `Consumer.<group>.VirtualTopic.X`; `AMQ_SCHEDULED_DELAY` is understood.
    """

    name = "activemq"

    def __init__(self) -> None:
        super().__init__()
        self.port, self.tls_port, self.http_port = ports.take_many(3)
        self._names = itertools.count(1)

    @staticmethod
    def missing() -> list[str]:
        return jars.missing("activemq")

    @property
    def hosts(self) -> str:
        """Host and port for a STOMP client."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """The address for a STOMP client, with the user and the password."""
        return f"stomp://{USER}:{PASSWORD}@{self.hosts}"

    def address(self, **more: str) -> str:
        """The address as an estate says it, with Jolokia's, and with more parameters."""
        login = f"{ADMINISTRATOR}:{ADMINISTRATOR_PASSWORD}@"
        jolokia = quote(self.http_url.replace("://", f"://{login}"), safe="")
        return f"{self.url}?{urlencode(more)}&jolokia={jolokia}" if more else f"{self.url}?jolokia={jolokia}"

    @property
    def http_url(self) -> str:
        """The address of Jolokia."""
        return f"http://{HOST}:{self.http_port}/api/jolokia"

    def prepare(self) -> None:
        certificates.make(self.folder)
        for name in ("conf", "data", "tmp"):
            (self.folder / name).mkdir()
        for file in _CONFIGURATION.iterdir():
            (self.folder / "conf" / file.name).write_text(file.read_text())
        users = f"{ADMINISTRATOR}: {ADMINISTRATOR_PASSWORD}, admin\n"
        (self.folder / "conf" / "jetty-realm.properties").write_text(users)

    def argv(self) -> list[str]:
        home = next(jars.folder("activemq").glob("apache-activemq-*"))
        properties = {
            "activemq.home": home,
            "activemq.base": self.folder,
            "activemq.conf": self.folder / "conf",
            "activemq.data": self.folder / "data",
            "java.io.tmpdir": self.folder / "tmp",
            "log4j2.configurationFile": self.folder / "conf" / "log4j2.properties",
            "stomp.port": self.port,
            "stomp.tls.port": self.tls_port,
            "tls.store": certificates.of(self.folder).store,
            "tls.password": certificates.PASSWORD,
            "stomp.user": USER,
            "stomp.password": PASSWORD,
            "http.port": self.http_port,
        }
        return [
            *jars.java("256m", *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED)),
            *(f"-D{key}={value}" for key, value in properties.items()),
            "-jar",
            str(home / "bin" / "activemq.jar"),
            "start",
            f"xbean:file:{self.folder / 'conf' / 'activemq.xml'}",
        ]

    def probe(self) -> None:
        socket.create_connection((HOST, self.port), 1.0).close()
        self.call({"type": "version"}, timeout=5.0)

    def call(self, question: dict[str, Any], *, timeout: float = _TIMEOUT) -> Any:
        """Ask Jolokia and give the value that it answers.

        Raises:
            httpx.HTTPError: it is not there, or did not answer in time.
            LookupError: it answered with an error.
        """
        login = (ADMINISTRATOR, ADMINISTRATOR_PASSWORD)
        headers = {"Origin": "http://localhost"}
        with httpx.Client(auth=login, headers=headers, timeout=timeout, trust_env=False) as client:
            answer = client.post(self.http_url, json=question)
        answer.raise_for_status()
        said = answer.json()
        if said["status"] != 200:
            raise LookupError(said["error"])
        return said["value"]

    def queue(self, name: str, attribute: str = "QueueSize", *, timeout: float = _TIMEOUT) -> int:
        """Give a figure of a queue: QueueSize, EnqueueCount, DequeueCount, InFlightCount or ConsumerCount.

        Raises:
            LookupError: there is no such queue, or it was made this very moment.
        """
        return int(self.call({"type": "read", "mbean": _queue(name), "attribute": attribute}, timeout=timeout))

    def new_name(self, name: str = "test") -> str:
        """Give a name that no queue or topic of this server has yet, a new one at each call (NAME_1, NAME_2, …)."""
        return f"{name}_{next(self._names)}"

    def purge(self, name: str) -> None:
        """Empty a queue."""
        self.call({"type": "exec", "mbean": _queue(name), "operation": "purge()"})


def _queue(name: str) -> str:
    return f"org.apache.activemq:type=Broker,brokerName=localhost,destinationType=Queue,destinationName={name}"
