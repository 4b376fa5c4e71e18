"""A client cut off from the platform runs on what it holds, says so, and has the newest when it is back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.faults.wire import Mode, Wire
from tests.servers.platform import Platform
from tests.servers.product import Application, Client, eventually, opened_platforms

pytestmark = pytest.mark.process

HEARTBEAT_SECONDS = 0.5


class Line:
    """A server that can be reached over a wire alone."""

    def __init__(self, platform: Platform, wire: Wire) -> None:
        self.platform = platform
        self.wire = wire

    def client(self, application: Application) -> Client:
        """Give a client at the far end of the wire that knows that it has the newest."""
        client = application.client(self.wire.address)
        client.wait_well()
        return client


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    with opened_platforms() as platforms:
        platform = platforms.new(f"--set=watch.heartbeat={HEARTBEAT_SECONDS}s", "--set=watch.poll=3s")
        with Wire(platform.port) as wire:
            # what a server tells of itself leads clients over the wire again
            platform.options = (*platform.options, f"--set=web.address={wire.address}")
            platform.start()
            yield Line(platform, wire)


@pytest.fixture
def application(line: Line) -> Iterator[Application]:
    made = Application(line.platform)
    made.publish(1)
    yield made
    line.wire.set("pass")
    made.close()


@pytest.mark.parametrize("mode", ["cut", "hold", "drop"])
def test_cut_off_and_back(line: Line, application: Application, mode: Mode) -> None:
    client = line.client(application)
    before = time.time()
    line.wire.set(mode)
    application.publish(2)
    eventually(lambda: not client.status.connected and client.status.problem)
    assert client.number == 1, "it runs on what it holds"
    status = client.status
    assert status.source == "center"
    assert not status.well
    assert status.stale_since is not None
    assert before - 60 < status.stale_since <= time.time()
    line.wire.set("pass")
    client.wait(2)
    client.wait_well()
    assert client.status.stale_since is None
    assert eventually(lambda: client.seen == [2]), "the listener, which is told after the swap, is told once"


def test_flapping_line(line: Line, application: Application) -> None:
    client = line.client(application)
    modes: list[Mode] = ["cut", "pass", "drop", "pass", "hold", "pass"]
    for number, mode in enumerate(modes, start=2):
        line.wire.set(mode)
        application.publish(number)
        time.sleep(0.2)
    client.wait(len(modes) + 1)
    assert client.seen == sorted(client.seen)


def test_starts_while_cut_off_and_catches_up(line: Line, application: Application) -> None:
    line.wire.set("drop")
    client = application.client(line.wire.address, start_policy="defaults", start_deadline=0.3)
    assert client.number == -1
    assert client.status.source == "none"
    line.wire.set("pass")
    client.wait(1)
    client.wait_well()


def test_a_notice_that_was_swallowed_is_made_good_by_the_poll(line: Line, application: Application) -> None:
    """The stream is held so shortly that no heartbeat is missed."""
    client = line.client(application)
    line.wire.set("drop")
    application.publish(2)
    time.sleep(HEARTBEAT_SECONDS / 2)
    line.wire.set("pass")
    client.wait(2)
