"""Pytest plugin: the product itself for tests that break it: servers, an application on them, and clients of it."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack

import msgspec
import pytest

import qiantang
from qiantang.app.core import Status
from tests.servers.platform import Api, Platform

T = TypeVar("T")

DEADLINE = 60.0
"""Seconds that anything may take before a test gives up: never a measure of speed."""
_PAUSE = 0.02
_numbers = itertools.count(1)


def eventually(look: Callable[[], T], what: str = "", deadline: float = DEADLINE) -> T:
    """Look again and again until something true is seen, and give it; what raises AssertionError is looked at again."""
    until = time.monotonic() + deadline
    while True:
        problem: AssertionError | None = None
        try:
            if found := look():
                return found
        except AssertionError as error:
            problem = error
        if time.monotonic() > until:
            raise AssertionError(f"not within {deadline:g} s: {what or look!r}") from problem
        time.sleep(_PAUSE)


class More(TypedDict, total=False):
    """What a platform may be given beside its flags."""

    share: Platform | None
    variables: dict[str, str] | None
    program: Sequence[str]


class Platforms:
    """Starts servers of the control plane that end with their scope: `platforms("--redis=…", share=first)`."""

    def __init__(self) -> None:
        self.made: list[Platform] = []

    def __call__(self, *flags: str, **more: Unpack[More]) -> Platform:
        """Give a started server."""
        return self.new(*flags, **more).start()

    def new(self, *flags: str, **more: Unpack[More]) -> Platform:
        """Give a server that is still to be started."""
        platform = Platform(*flags, **more)
        self.made.append(platform)
        return platform

    def close(self) -> None:
        """End all, those that share another's data first."""
        for platform in reversed(self.made):
            if platform.running:
                platform.resume()
            platform.close()
        self.made.clear()


class Numbers(msgspec.Struct):
    """What the clients of these tests bind."""

    number: int = -1
    text: str = ""


class Client:
    """A running instance of an application: a real App with a bound model and a callback that writes down what it saw."""

    def __init__(self, app: qiantang.sync.App, name: str) -> None:
        self.app = app
        self.name = name
        self.seen: list[int] = []
        self.settings = app.config.bind(Numbers)
        app.config.on_change("*", self._changed)

    def _changed(self) -> None:
        self.seen.append(self.settings.number)

    @property
    def number(self) -> int:
        """The number in use."""
        return self.settings.number

    @property
    def status(self) -> Status:
        """How the App stands."""
        return self.app.status()

    @property
    def position(self) -> tuple[int, int]:
        """Epoch and revision in use; (0, 0) where there is none."""
        found = [text for name, text in self.status.positions.items() if name.endswith(":config")]
        epoch, _, revision = (found[0] if found else "0:0").partition(":")
        return int(epoch), int(revision)

    def wait(self, number: int, deadline: float = DEADLINE) -> None:
        """Wait until this number is in use."""
        eventually(lambda: self.number == number, f"{self.name} at {number}: {self.status}", deadline)

    def wait_at(self, position: tuple[int, int], deadline: float = DEADLINE) -> None:
        """Wait until this position has settled: values are in use a moment earlier, before their callbacks have ended."""
        eventually(lambda: self.position == position, f"{self.name} at {position}: {self.status}", deadline)

    def wait_well(self, deadline: float = DEADLINE) -> None:
        """Wait until it is connected and knows that it has the newest."""
        eventually(lambda: self.status.connected and self.status.well, f"{self.name} well: {self.status}", deadline)


class Application:
    """One application on a platform, as its operator and its instances see it. Close it to end its clients."""

    def __init__(self, platform: Platform, scope: str = "") -> None:
        self.platform = platform
        self.scope = scope or f"acme/dev/trade/order{next(_numbers)}"
        self.api = platform.administrator()
        issued = self.api.make_application(self.scope)
        self.credential: str = issued["id"]
        self.secret: str = issued["secret"]
        self.clients: list[Client] = []

    @property
    def names(self) -> dict[str, str]:
        """The parts of the scope, as an App's options."""
        return dict(zip(("tenant", "environment", "center", "application"), self.scope.split("/"), strict=True))

    def options(self, *servers: Platform | str, **more: Any) -> dict[str, Any]:
        """Give the options of an App."""
        named = servers or (self.platform,)
        addresses = [one if isinstance(one, str) else one.address for one in named]
        proof = {"credential": self.credential, "secret": self.secret}
        defaults = {"servers": addresses, "keep_copy": False, "start_deadline": 30.0}
        return {**self.names, **proof, **defaults, **more}

    def client(self, *servers: Platform | str, **more: Any) -> Client:
        """Give an open client of these servers."""
        name = f"instance-{len(self.clients) + 1}"
        client = Client(qiantang.sync.App(**self.options(*servers, **{"instance": name, **more})), name)
        self.clients.append(client)
        client.app.open()
        return client

    def publish(self, number: int, api: Api | None = None, **more: str) -> int:
        """Publish the number, and give the revision."""
        by = api or self.api
        by.set(self.scope, {"number": number, **more})
        return int(by.publish(self.scope)["release"]["revision"])

    def publish_later(self, seconds: float, api: Api | None = None) -> str:
        """Have the drafts published in so many seconds by the right time, and give the request."""
        by = api or self.api
        return str(by.publish(self.scope, at=int((time.time() + seconds) * 1000))["request"]["id"])

    def position(self, api: Api | None = None) -> tuple[int, int]:
        """Where the database says that the application is."""
        epoch, revision = (api or self.api).call("GET", f"config/{self.scope}/status")["position"]
        return int(epoch), int(revision)

    def releases(self, api: Api | None = None) -> list[dict[str, Any]]:
        """List all releases, oldest first."""
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            query = f"?limit=500&after={after}" if after else "?limit=500"
            page = (api or self.api).call("GET", f"config/{self.scope}/releases{query}")
            found += page["items"]
            after = page["next"]
            if not after:
                return found[::-1]

    def instances(self, api: Api | None = None) -> dict[str, dict[str, Any]]:
        """Give the rows of who receives what, by instance."""
        page = (api or self.api).call("GET", f"config/{self.scope}/instances?limit=500")
        return {row["instance"]["name"]: row for row in page["items"]}

    def audit_is_whole(self, api: Api | None = None) -> bool:
        """Say whether the audit chains of the platform and of the tenant are as they were written."""
        tenant = self.scope.partition("/")[0]
        found = [(api or self.api).call("POST", path) for path in ("audit/verify", f"audit/tenants/{tenant}/verify")]
        return all(one["intact"] for one in found)

    def close(self) -> None:
        """End all clients."""
        for client in self.clients:
            client.app.close()
        self.clients.clear()


@contextlib.contextmanager
def opened_platforms() -> Iterator[Platforms]:
    """Give a factory whose servers end with the block."""
    found = Platforms()
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def platforms() -> Iterator[Platforms]:
    """Start servers of the control plane that end with the test."""
    with opened_platforms() as found:
        yield found


@pytest.fixture
def applications() -> Iterator[Callable[..., Application]]:
    """Make applications whose clients end with the test: `applications(platform)`."""
    made: list[Application] = []

    def make(platform: Platform, scope: str = "") -> Application:
        made.append(Application(platform, scope))
        return made[-1]

    yield make
    for one in made:
        one.close()


def memory(pid: int) -> dict[str, int]:
    """Give VmRSS and VmHWM of a process in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    pairs = (line.split(":", 1) for line in lines if line.startswith(("VmRSS", "VmHWM")))
    return {name: int(value.split()[0]) for name, value in pairs}


def forget_peak(pid: int) -> None:
    """Set a process's VmHWM back to what it holds now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
