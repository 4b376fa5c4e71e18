"""Faults: the platform away, refusing, gone; the order of the start; what is said, and how often."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time

import msgspec
import pytest

import qiantang
from qiantang.app import NothingToStartFromError
from qiantang.config import MismatchError
from qiantang.kernel import errors

from .conftest import Plane


class Settings(msgspec.Struct):
    greeting: str = "hello"


class Needs(msgspec.Struct):
    port: int


def start_once(plane: Plane) -> None:
    """Leave a last good copy on disk."""
    with qiantang.sync.App(**plane.options()):
        plane.wait_until(lambda: list(plane.folder.rglob("*.copy")))


def test_the_platform_goes_away_and_comes_back(plane: Plane, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "qiantang")
    plane.release({"greeting": "hi"})
    heard = threading.Semaphore(0)
    with qiantang.sync.App(**plane.options()) as app:
        settings = app.config.bind(Settings)
        app.config.on_change("greeting", heard.release)
        plane.kill()
        plane.wait_until(lambda: app.status().stale_since is not None and not app.status().connected)
        assert app.status().problem
        assert app.status().source == "center"
        assert time.time() - (app.status().stale_since or 0) < 10
        assert settings.greeting == "hi"
        plane.wait_until(lambda: "is away" in caplog.text)
        time.sleep(0.3)
        plane.restart()
        plane.release({"greeting": "good day"})
        assert heard.acquire(timeout=30)
        assert settings.greeting == "good day"
        plane.wait_until(lambda: app.status().well)
    said = [line.getMessage() for line in caplog.records if line.name.startswith("qiantang")]
    assert sum("is away" in line for line in said) == 1
    assert sum("is back" in line for line in said) == 1


def test_without_the_platform_it_starts_from_the_copy_and_follows_when_it_is_back(plane: Plane) -> None:
    plane.release({"greeting": "hi"})
    start_once(plane)
    plane.kill()
    app = qiantang.sync.App(**plane.options(start_deadline=0.3))
    settings = app.config.bind(Settings)
    heard = threading.Semaphore(0)
    app.config.on_change("greeting", heard.release)
    with app:
        assert settings.greeting == "hi"
        assert (app.status().source, app.status().connected, app.status().well) == ("disk", False, False)
        plane.release({"greeting": "good day"})
        plane.restart()
        assert heard.acquire(timeout=30)
        assert (settings.greeting, app.status().source) == ("good day", "center")


def test_a_copy_that_does_not_fit_the_model_is_an_error_at_the_start(plane: Plane) -> None:
    plane.release({"port": "none"})
    start_once(plane)
    plane.kill()
    app = qiantang.sync.App(**plane.options(start_deadline=0.3))
    app.config.bind(Needs)
    with pytest.raises(MismatchError, match="port"):
        app.open()


@pytest.mark.parametrize(
    "error",
    [
        errors.UnauthenticatedError("who?"),
        errors.ForbiddenError("no"),
        errors.GoneError("removed"),
        errors.NotFoundError("no such"),
    ],
)
@pytest.mark.parametrize("policy", ["fail", "defaults"])
def test_a_refusal_is_never_answered_from_the_copy_or_the_defaults(
    plane: Plane, error: errors.QiantangError, policy: str
) -> None:
    plane.release({"greeting": "hi"})
    start_once(plane)
    plane.refuse(error)
    app = qiantang.sync.App(**plane.options(start_policy=policy))
    settings = app.config.bind(Settings)
    with pytest.raises(type(error)) as caught:
        app.open()
    assert caught.value.detail == error.detail
    assert not app.status().open
    with pytest.raises(errors.ConflictError):
        _ = settings.greeting
    plane.refuse(None)
    with app:
        assert settings.greeting == "hi"


def test_with_nothing_to_start_from_it_fails_and_says_what_to_do(plane: Plane) -> None:
    plane.kill()
    with pytest.raises(NothingToStartFromError) as caught:
        qiantang.sync.App(**plane.options(start_deadline=0.2)).open()
    for word in (
        plane.address,
        "QIANTANG_CLIENT_SERVERS",
        "start_policy=defaults",
        "acme/test/main/orders",
        "no copy on disk",
    ):
        assert word in caught.value.detail
    assert plane.secret not in str(caught.value)


def test_with_nothing_to_start_from_it_starts_with_the_declared_defaults_if_told_so(plane: Plane) -> None:
    plane.release({"greeting": "hi"})
    plane.kill()
    app = qiantang.sync.App(**plane.options(start_deadline=0.2, start_policy="defaults"))
    settings = app.config.bind(Settings)
    with app:
        assert settings.greeting == "hello"
        assert (app.status().source, app.status().well) == ("none", False)
        plane.restart()
        plane.wait_until(lambda: settings.greeting == "hi", 30)


def test_a_zookeeper_that_is_away_is_named(plane: Plane) -> None:
    options = plane.options(servers=None, zookeeper="127.0.0.1:1", start_deadline=0.2)
    with pytest.raises(NothingToStartFromError, match="at ZooKeeper 127"):
        qiantang.sync.App(**options).open()


def test_defaults_do_not_help_a_model_that_has_none(plane: Plane) -> None:
    plane.kill()
    app = qiantang.sync.App(**plane.options(start_deadline=0.2, start_policy="defaults"))
    app.config.bind(Needs)
    with pytest.raises(MismatchError, match="declares no default"):
        app.open()
    assert not app.status().open


def test_a_server_that_accepts_and_never_answers_does_not_hold_up_the_start(plane: Plane) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(NothingToStartFromError):
            qiantang.sync.App(**plane.options(servers=[address], start_deadline=0.3)).open()
        assert time.monotonic() - began < 8


def test_an_application_that_is_removed_while_it_runs_keeps_nothing(plane: Plane) -> None:
    plane.release({"greeting": "hi", "port": 1})
    with qiantang.sync.App(**plane.options()) as app:
        settings, needs = app.config.bind(Settings), app.config.bind(Needs)
        plane.remove(plane.bundle("config"))
        plane.say_gone("the application was deleted")
        plane.wait_until(lambda: settings.greeting == "hello")
        with pytest.raises(errors.GoneError, match="was removed"):
            _ = needs.port
        assert not app.status().well


def test_a_wrong_secret_is_an_error_at_the_start_and_is_not_shown(plane: Plane) -> None:
    with pytest.raises(errors.UnauthenticatedError) as caught:
        qiantang.sync.App(**plane.options(secret="not-the-secret")).open()
    assert "not-the-secret" not in str(caught.value)
    assert not isinstance(caught.value, errors.UnavailableError)


def test_cancelling_the_opening_leaves_nothing_behind(plane: Plane) -> None:
    plane.hang = True

    async def run() -> None:
        app = qiantang.App(**plane.options(start_deadline=30))
        task = asyncio.ensure_future(app.__aenter__())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(200):
            if not app.status().open:
                break
            await asyncio.sleep(0.01)
        assert not app.status().open

    asyncio.run(run())
    plane.hang = False
