"""A callback that fails is run once per change, harms nobody else, and its operator sees what went wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import qiantang
from qiantang.config import Event
from tests.servers.platform import Platform
from tests.servers.product import Application, Client, eventually, opened_platforms

pytestmark = pytest.mark.process

CALLBACK_SECONDS = 0.3


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with opened_platforms() as platforms:
        yield platforms()


class Watched:
    """A client with one callback that counts its runs, and the row that the operator sees of it."""

    def __init__(self, application: Application, callback: Callable[..., Any]) -> None:
        self.application = application
        self.runs: list[tuple[Any, ...]] = []
        self.client: Client = application.client(callback_timeout=CALLBACK_SECONDS)

        def counted(*arguments: Any) -> Any:
            self.runs.append(arguments)
            return callback(*arguments)

        self.client.app.config.on_change("number", counted)

    def row(self, status: str, revision: int) -> dict[str, Any]:
        """Give the row once it has this status at a revision."""

        def look() -> dict[str, Any] | None:
            row = self.application.instances().get(self.client.name, {})
            return row if (row.get("status"), row.get("position")) == (status, [1, revision]) else None

        return eventually(look, f"{status} at {revision}")


def raises(_event: Event) -> None:
    raise RuntimeError("the pool would not be rebuilt")


def takes_too_many(_event: Event, _more: object, _most: object) -> None:
    """Is called through a wrapper that hides how many arguments it wants."""


def blocks(_event: Event) -> None:
    time.sleep(5 * CALLBACK_SECONDS)


@pytest.mark.parametrize(
    ("callback", "said"),
    [
        (raises, "the pool would not be rebuilt"),
        (takes_too_many, "missing 2 required positional arguments"),
        (blocks, f"{CALLBACK_SECONDS:g} s"),
    ],
)
def test_it_is_run_once_and_seen(
    platform: Platform, applications: Callable[..., Any], callback: Callable[..., Any], said: str
) -> None:
    application: Application = applications(platform)
    application.publish(1)
    watched = Watched(application, callback)
    watched.row("applied", 1)
    application.publish(2)
    row = watched.row("failed", 2)
    assert said in row["error"]
    assert "counted" in row["error"], "it names the callback"
    assert not row["current"]
    assert watched.client.number == 2, "the settings are in use all the same"
    assert eventually(lambda: watched.client.seen == [2]), "another callback is not held up"
    assert any(said in failure.error for failure in watched.client.status.failures)
    assert not watched.client.status.well
    time.sleep(3 * CALLBACK_SECONDS)
    assert len(watched.runs) == 1, "it is not run again for the same change"
    application.publish(3)
    watched.row("failed", 3)
    eventually(lambda: len(watched.runs) == 2)


def test_it_is_forgiven_once_it_runs_well(platform: Platform, applications: Callable[..., Any]) -> None:
    application: Application = applications(platform)
    application.publish(1)

    def fails_at_two(event: Event) -> None:
        if int(event.snapshot.get("number")) == 2:
            raise RuntimeError("not this one")

    watched = Watched(application, fails_at_two)
    application.publish(2)
    watched.row("failed", 2)
    application.publish(3)
    row = watched.row("applied", 3)
    assert row["error"] == ""
    assert row["current"]
    eventually(lambda: watched.client.status.well)


def test_a_secret_in_an_error_is_struck_out(platform: Platform, applications: Callable[..., Any]) -> None:
    application: Application = applications(platform)
    application.publish(1)

    def tells(event: Event) -> None:
        raise RuntimeError(f"cannot sign in with {event.snapshot.get('password')}")

    watched = Watched(application, tells)
    password = {"value": {"$secret": {"value": "hunter2-and-more"}}}
    application.api.set(application.scope, {"number": 2, "password": password})
    application.api.publish(application.scope)
    row = watched.row("failed", 2)
    assert "cannot sign in with" in row["error"]
    assert "hunter2" not in row["error"]


def test_a_callback_that_can_never_be_called_is_refused_at_once(
    platform: Platform, applications: Callable[..., Any]
) -> None:
    application: Application = applications(platform)
    app = qiantang.sync.App(**application.options())
    with pytest.raises(TypeError, match="takes_too_many"):
        app.config.on_change("*", takes_too_many)


def test_changes_meanwhile_are_told_in_one_run(platform: Platform, applications: Callable[..., Any]) -> None:
    application: Application = applications(platform)
    application.publish(1)
    begun, go_on = threading.Event(), threading.Event()

    def waits(_event: Event) -> None:
        begun.set()
        go_on.wait(30)

    watched = Watched(application, waits)
    application.publish(2)
    assert begun.wait(30)
    for number in range(3, 8):
        application.publish(number)
    watched.client.wait(7)
    go_on.set()
    watched.row("applied", 7)
    assert len(watched.runs) == 2


def test_a_release_that_does_not_fit_the_bound_model_is_not_taken(
    platform: Platform, applications: Callable[..., Any]
) -> None:
    application: Application = applications(platform)
    application.publish(1)
    watched = Watched(application, lambda _event: None)
    application.api.set(application.scope, {"number": "many"})
    application.api.publish(application.scope)
    row = watched.row("rejected", 2)
    assert "number" in row["error"]
    assert watched.client.number == 1
    assert watched.runs == []
    application.publish(3)
    watched.row("applied", 3)
    assert watched.client.number == 3
