"""Worker servers as they are: gunicorn with a preloaded application, gunicorn without, uvicorn with several workers."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from tests.servers import ports
from tests.servers.platform import Platform
from tests.servers.process import HOST, Process
from tests.servers.product import Application, eventually, opened_platforms

pytestmark = pytest.mark.process
HERE = Path(__file__).parent
WORKERS = 2

SERVERS = {
    "gunicorn, preloaded": ["gunicorn", "--preload", "--workers", str(WORKERS), "--bind", "{at}", "worker:wsgi"],
    "gunicorn": ["gunicorn", "--workers", str(WORKERS), "--bind", "{at}", "worker:wsgi"],
    "uvicorn": ["uvicorn", "--workers", str(WORKERS), "--host", HOST, "--port", "{port}", "worker:asgi"],
}


class WorkerServer(Process):
    """One of the servers, with the application of `worker.py`."""

    name: ClassVar[str] = "workers"

    def __init__(self, command: list[str], options: dict[str, Any]) -> None:
        super().__init__()
        self.port = ports.take()
        self.command = [one.format(at=f"{HOST}:{self.port}", port=self.port) for one in command]
        self.variables = {
            "QIANTANG_TEST_INSTANCE": json.dumps(options),
            "PYTHONPATH": str(HERE),
            "PATH": os.environ["PATH"],
        }

    @staticmethod
    def missing() -> list[str]:
        return []

    def prepare(self) -> None:
        """Write nothing."""

    def argv(self) -> list[str]:
        program, *rest = self.command
        return [sys.executable, "-m", program, *rest]

    def probe(self) -> None:
        self.ask()

    def ask(self) -> dict[str, Any]:
        """Ask whichever worker answers."""
        return httpx.get(f"http://{HOST}:{self.port}/", timeout=10).json()

    def all_hold(self, number: int) -> dict[int, dict[str, Any]] | None:
        """Give what each of the workers says, where all hold the number."""
        found: dict[int, dict[str, Any]] = {}
        for _ in range(40):
            one = self.ask()
            found[one["process"]] = one
        good = len(found) == WORKERS and all(one["number"] == number for one in found.values())
        return found if good else None


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with opened_platforms() as platforms:
        yield platforms()


@pytest.fixture
def application(platform: Platform) -> Application:
    return Application(platform)


@pytest.fixture(params=SERVERS)
def workers(request: pytest.FixtureRequest, application: Application) -> Iterator[WorkerServer]:
    server = WorkerServer(SERVERS[request.param], application.options())
    yield server
    server.close()


def alive(application: Application) -> set[int]:
    """Give the processes that the operator sees."""
    page = application.api.call("GET", f"config/{application.scope}/instances?limit=500")
    return {row["instance"]["process"] for row in page["items"] if row["alive"]}


def test_every_worker_follows_and_a_new_one_in_place_of_a_killed_one(
    workers: WorkerServer, application: Application
) -> None:
    application.publish(7)
    workers.start()
    eventually(lambda: workers.all_hold(7), "both workers hold the first number")
    application.publish(8)
    found = eventually(lambda: workers.all_hold(8), "both workers hold the second number")
    eventually(lambda: all(one["heard"] == [8] for one in (workers.all_hold(8) or {0: {"heard": []}}).values()))
    eventually(lambda: alive(application) >= set(found), f"the operator sees {set(found)}")
    os.kill(next(iter(found)), signal.SIGKILL)
    application.publish(9)
    replaced = eventually(lambda: workers.all_hold(9), "the worker that came in place holds the third number")
    assert set(replaced) != set(found)
