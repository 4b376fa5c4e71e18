"""A server killed at any moment loses nothing that it answered for, and leaves nothing half done."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.servers.platform import Platform
from tests.servers.postgresql import PostgreSQL
from tests.servers.product import Application, Platforms, eventually

pytestmark = pytest.mark.process


class Publisher:
    """Publishes 1, 2, 3 … as fast as it can on a thread, through whatever happens to the server."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.answered: dict[int, int] = {}
        """The number published by each revision that the server answered with."""
        self.next = 1
        self.problem: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Publisher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        if self.problem is not None:
            raise self.problem

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._publish()
                except httpx.TransportError:
                    time.sleep(0.02)
        except BaseException as problem:
            self.problem = problem

    def _publish(self) -> None:
        api, scope, number = self.application.api, self.application.scope, self.next
        body = {"body": {"format": "properties", "items": {"number": {"value": str(number)}}}}
        saved = api.answer("PUT", f"config/{scope}/namespaces/application", body, **{"If-Match": "*"})
        assert saved.status_code in {200, 503}, saved.text
        revision = self.application.position()[1]
        answer = api.answer("POST", f"config/{scope}/releases", {"expected_revision": revision})
        # 409: what was saved is what the last one, of which no answer came, published
        assert answer.status_code in {200, 409, 503}, answer.text
        if answer.status_code == 200:
            self.answered[int(answer.json()["release"]["revision"])] = number
        self.next += 1


def survive_kills(platform: Platform, application: Application, kills: int) -> dict[int, int]:
    """Kill the server at random moments of a stream of publishes; give what it answered for."""
    with Publisher(application) as publisher:
        for _ in range(kills):
            before = len(publisher.answered)
            eventually(lambda before=before: len(publisher.answered) >= before + random.randint(1, 5))
            time.sleep(random.uniform(0, 0.05))
            platform.kill()
            platform.start()
        before = len(publisher.answered)
        eventually(lambda: len(publisher.answered) > before + 2)
    return publisher.answered


def require_whole(application: Application, answered: dict[int, int], outbox: Callable[[], int]) -> None:
    """Pass where nothing that was answered for is missing, and everybody has the last one."""
    releases = application.releases()
    assert [one["revision"] for one in releases] == list(range(1, len(releases) + 1))
    assert answered.keys() <= {one["revision"] for one in releases}
    for revision, number in answered.items():
        detail = application.api.call("GET", f"config/{application.scope}/releases/{revision}")
        assert detail["resources"][0]["body"]["items"]["number"]["value"] == str(number)
    last = application.api.call("GET", f"config/{application.scope}/releases/{len(releases)}")
    number = int(last["resources"][0]["body"]["items"]["number"]["value"])
    for client in application.clients:
        client.wait(number)
        eventually(lambda client=client: client.status.connected)
        client.wait_at((1, len(releases)))
        assert client.seen == sorted(client.seen), "no client ever went back"
    eventually(lambda: outbox() == 0, "the outbox empties")
    assert application.audit_is_whole()


def test_killed_at_random_moments_on_sqlite(platforms: Platforms, applications: Callable[..., Any]) -> None:
    platform = platforms()
    application: Application = applications(platform)
    application.publish(0)
    for _ in range(3):
        application.client()
    answered = survive_kills(platform, application, kills=3)

    def outbox() -> int:
        with sqlite3.connect(platform.data / "qiantang.sqlite3") as database:
            return int(database.execute("select count(*) from outbox").fetchone()[0])

    require_whole(application, answered, outbox)


@pytest.mark.postgresql
def test_killed_at_random_moments_on_postgresql(
    platforms: Platforms, applications: Callable[..., Any], postgresql_server: PostgreSQL, postgresql_url: str
) -> None:
    platform = platforms(f"--database-url={postgresql_url}")
    application: Application = applications(platform)
    application.publish(0)
    for _ in range(3):
        application.client()
    answered = survive_kills(platform, application, kills=2)
    database = postgresql_url.rpartition("/")[2]
    require_whole(
        application, answered, lambda: int(postgresql_server.execute("select count(*) from outbox", database))
    )
