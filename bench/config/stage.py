"""Stage: the product and real servers as the measurements need them, with applications that are published already."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from tests.servers.platform import Api, Platform
from tests.servers.postgresql import PostgreSQL
from tests.servers.redis import Redis
from tests.servers.zookeeper import ZooKeeper

FILLING = {f"filling.key_{number:02d}": f"value {number} of this application" for number in range(20)}
"""What an application has beside the number that is measured: about 1 KB."""
PLACE = ("acme", "dev", "trade")


class DurablePostgreSQL(PostgreSQL):
    """PostgreSQL as in production: each commit is on disk before it is answered, which the tests do without."""

    def argv(self) -> list[str]:
        """Switch it on."""
        return [*super().argv(), "-c", "fsync=on", "-c", "full_page_writes=on"]


@dataclass(slots=True)
class Application:
    """One application: who it is, and the revision that it is at."""

    name: str
    credential: str
    secret: str
    revision: int = 0

    @property
    def scope(self) -> str:
        """The scope as text."""
        return "/".join((*PLACE, self.name))

    def options(self) -> dict[str, Any]:
        """What an App needs to be this application."""
        names = dict(zip(("tenant", "environment", "center"), PLACE, strict=True))
        return {**names, "application": self.name, "credential": self.credential, "secret": self.secret}


def make(api: Api, count: int) -> list[Application]:
    """Make applications, and publish the number 0 in each."""
    made: list[Application] = []
    publish = Publisher(api)
    for index in range(count):
        issued = api.make_application("/".join((*PLACE, f"app-{index:03d}")))
        application = Application(f"app-{index:03d}", issued["id"], issued["secret"])
        draft(api, application, 0)
        publish(application)
        made.append(application)
    return made


def draft(api: Api, application: Application, number: int) -> None:
    """Draft a number, to be published."""
    api.set(application.scope, {"number": number, **FILLING})


class Publisher:
    """Publishes what is drafted, on one connection of the standard library: the client's own share of a call is small."""

    def __init__(self, api: Api) -> None:
        address = api.client.base_url
        self._line = http.client.HTTPConnection(address.host, address.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json"}

    def __call__(self, application: Application) -> None:
        """Publish, and note the new revision."""
        body = json.dumps({"expected_revision": application.revision}).encode()
        self._line.request("POST", f"/api/v1/config/{application.scope}/releases", body, self._headers)
        answer = self._line.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"publishing was answered with {answer.status}: {text[:300]!r}")
        application.revision = json.loads(text)["release"]["revision"]


@dataclass(frozen=True, slots=True)
class Servers:
    """The real servers of the second publishing measurement."""

    postgresql: PostgreSQL
    redis: Redis
    zookeeper: ZooKeeper

    def flags(self) -> list[str]:
        """What makes `qiantang up` use them."""
        url = self.postgresql.create_database("bench")
        return [
            f"--database-url={url}",
            f"--redis={self.redis.url}",
            f"--zookeeper={self.zookeeper.hosts}",
        ]


class MissingServersError(Exception):
    """Servers that are not installed here."""


@contextlib.contextmanager
def servers() -> Generator[Servers]:
    """Start PostgreSQL, Redis and ZooKeeper; they end with the block.

    Raises:
        MissingServersError: one is not installed.
    """
    missing = [*PostgreSQL.missing(), *Redis.missing(), *ZooKeeper.missing()]
    if missing:
        raise MissingServersError(f"not installed: {', '.join(missing)}; tools/install_servers.sh installs them")
    with DurablePostgreSQL() as postgresql, Redis() as redis, ZooKeeper() as zookeeper:
        yield Servers(postgresql, redis, zookeeper)


@contextlib.contextmanager
def platform(*flags: str) -> Generator[tuple[Platform, Api]]:
    """Start one server of the product; it ends with the block."""
    with Platform(*flags) as found:
        yield found, found.administrator()
