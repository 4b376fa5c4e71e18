"""An App against a control plane: start, releases, callbacks, acknowledgements, both faces."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import msgspec
import pytest

import qiantang
from qiantang.config import Event, MismatchError, NotOpenError
from qiantang.kernel import errors

from .conftest import Plane


class Settings(msgspec.Struct):
    greeting: str = "hello"
    timeout: float = 1.5


class Needs(msgspec.Struct):
    port: int


def test_bound_and_registered_before_and_after_opening(plane: Plane) -> None:
    plane.release({"greeting": "hi"})
    app = qiantang.sync.App(**plane.options())
    heard: list[tuple[str, str]] = []
    before = app.config.bind(Settings)

    @app.config.on_change("greeting")
    def registered_before() -> None:
        heard.append(("before", before.greeting))

    with pytest.raises(NotOpenError):
        _ = before.greeting
    with app:
        after = app.config.bind(Settings, namespace="application")
        assert after is before
        assert (before.greeting, before.timeout) == ("hi", 1.5)

        @app.config.on_change("greeting")
        async def registered_after(event: Event) -> None:
            heard.append(("after", event["greeting"].after))

        plane.release({"greeting": "good day", "timeout": "2.5"})
        plane.wait_until(lambda: plane.said("applied", 2))
        assert sorted(heard) == [("after", "good day"), ("before", "good day")]
        assert before.timeout == 2.5
        assert app.status().well
        assert app.status().positions == {"acme/test/main/orders:config": "1:2"}
    assert before.greeting == "good day"  # closed, it keeps what it showed
    assert not app.status().open


async def test_the_asyncio_face_runs_coroutines_on_the_programs_loop(plane: Plane) -> None:
    plane.release({"greeting": "hi"})
    app = qiantang.App(**plane.options())
    loops: list[object] = []

    @app.config.on_change("*")
    async def changed() -> None:
        loops.append(asyncio.get_running_loop())

    async with app:
        settings = app.config.bind(Settings)
        plane.release({"greeting": "good day"})
        await plane.until(lambda: plane.said("applied", 2))
        assert settings.greeting == "good day"
        assert loops == [asyncio.get_running_loop()]


def test_what_does_not_fit_is_rejected_told_and_repaired_by_a_later_release(
    plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    plane.release({"greeting": "hi", "timeout": 1})
    with qiantang.sync.App(**plane.options()) as app:
        settings = app.config.bind(Settings)
        plane.release({"greeting": "lost", "timeout": "long"})
        plane.wait_until(lambda: plane.said("rejected", 2))
        told = plane.acknowledged[-1].error
        assert "Settings" in told
        assert "timeout: Expected `float`, got `str`" in told
        assert "main/orders/application at 1:2" in told
        assert (settings.greeting, settings.timeout, app.config.pin().revision) == ("hi", 1.0, 1)
        assert "Settings" in app.status().problem
        assert not app.status().well
        plane.release({"greeting": "good day", "timeout": "3"})
        plane.wait_until(lambda: plane.said("applied", 3))
        assert (settings.greeting, settings.timeout) == ("good day", 3.0)
        assert app.status().well
    lines = [line for line in caplog.records if line.levelno >= logging.ERROR]
    assert [line.getMessage() for line in lines] == [
        "a release of the configuration is rejected: what was in use stays"
    ]


def test_a_release_that_goes_back_to_what_is_in_use_repairs_it_too(plane: Plane) -> None:
    plane.release({"timeout": 1})
    with qiantang.sync.App(**plane.options()) as app:
        settings = app.config.bind(Settings)
        plane.release({"timeout": "long"})
        plane.wait_until(lambda: plane.said("rejected", 2))
        plane.release({"timeout": 1})
        plane.wait_until(lambda: plane.said("applied", 3))
        assert settings.timeout == 1.0
        assert app.status().well


def test_a_callback_that_fails_is_seen_by_the_operator_with_its_name(plane: Plane) -> None:
    plane.release({"greeting": "hi"})
    with qiantang.sync.App(**plane.options()) as app:

        @app.config.on_change("greeting")
        def no_such_greeting(event: Event) -> None:
            if event["greeting"].after == "bad":
                raise LookupError("cannot say that")

        plane.release({"greeting": "bad"})
        plane.wait_until(lambda: plane.said("failed", 2))
        assert "no_such_greeting at revision 2: LookupError: cannot say that" in plane.acknowledged[-1].error
        assert [failure.revision for failure in app.status().failures] == [2]
        plane.release({"greeting": "good"})
        plane.wait_until(lambda: plane.said("applied", 3))
        assert app.status().well


def test_a_blocking_callback_delays_neither_the_swap_nor_the_acknowledgement_beyond_its_time(plane: Plane) -> None:
    plane.release({"greeting": "hi", "timeout": 1})
    block = threading.Event()
    with qiantang.sync.App(**plane.options(callback_timeout=0.3)) as app:
        settings = app.config.bind(Settings)

        @app.config.on_change("greeting")
        def blocking() -> None:
            block.wait(60)

        plane.release({"greeting": "bad", "timeout": 1})
        plane.wait_until(lambda: settings.greeting == "bad")
        plane.release({"greeting": "bad", "timeout": 2})
        plane.wait_until(lambda: settings.timeout == 2)
        assert app.status().connected
        plane.wait_until(lambda: plane.said("failed", 3))
        assert "did not end within 0.3 seconds" in plane.acknowledged[-1].error
        plane.release({"greeting": "bad", "timeout": 3})
        plane.wait_until(lambda: plane.said("failed", 4))
        assert settings.timeout == 3
        assert app.status().connected
        block.set()


def test_a_callback_that_overran_and_took_it_in_after_all_is_said_to_have(plane: Plane) -> None:
    plane.release({"greeting": "hi"})
    go = threading.Event()
    with qiantang.sync.App(**plane.options(callback_timeout=0.2)) as app:

        @app.config.on_change("greeting")
        def slow() -> None:
            assert go.wait(30)

        plane.release({"greeting": "good day"})
        plane.wait_until(lambda: plane.said("failed", 2))
        plane.release({"greeting": "good night"})
        plane.wait_until(lambda: plane.said("failed", 3))
        go.set()
        plane.wait_until(lambda: plane.said("applied", 3))


def test_what_was_bound_before_must_fit_at_the_start(plane: Plane) -> None:
    plane.release({"port": "none"})
    app = qiantang.sync.App(**plane.options())
    needs = app.config.bind(Needs)
    with pytest.raises(MismatchError, match=r"port: Expected `int`, got `str`"):
        app.open()
    assert plane.said("rejected", 1)
    assert not app.status().open
    plane.release({"port": "80"})
    with app:
        assert needs.port == 80


def test_a_setting_that_is_missing_at_the_start_is_named(plane: Plane) -> None:
    app = qiantang.sync.App(**plane.options())
    app.config.bind(Needs, "server")
    with pytest.raises(MismatchError, match=r"server\.port: has no value"):
        app.open()


def test_public_namespaces_of_other_applications(plane: Plane) -> None:
    other = msgspec.structs.replace(
        plane.bundle("config"), scope=msgspec.structs.replace(plane.scope, application="shared")
    )
    shared = {"defaults": {"format": "json", "data": {"greeting": "hi", "timeout": 9}, "public": True}}
    plane.publish(other, shared)
    own = {"format": "json", "data": {"timeout": 2}, "inherits": "main/shared/defaults"}
    plane.publish(plane.bundle("config"), {"application": own}, links=[other])
    with qiantang.sync.App(**plane.options()) as app:
        settings = app.config.bind(Settings)
        assert (settings.greeting, settings.timeout) == ("hi", 2.0)
        assert str(app.config.explain("greeting")[0].origin) == "main/shared/defaults at 1:1"
        shared["defaults"]["data"] = {"greeting": "good day"}
        plane.publish(other, shared)
        plane.wait_until(lambda: settings.greeting == "good day")


def test_opening_twice_is_refused_and_opening_again_is_not(plane: Plane) -> None:
    plane.release({"greeting": "hi"})
    app = qiantang.sync.App(**plane.options())
    with app:
        settings = app.config.bind(Settings)
        with pytest.raises(errors.ConflictError, match="open already"):
            app.open()
    app.close()
    plane.release({"greeting": "good day"})
    heard: list[Any] = []
    app.config.on_change("greeting", heard.append)
    with app:
        assert settings.greeting == "good day"
        plane.wait_until(lambda: heard)


def test_several_apps_in_one_process_do_not_know_of_each_other(plane: Plane) -> None:
    plane.release({"greeting": "hi"}, other={"greeting": "other"})
    with (
        qiantang.sync.App(**plane.options(instance="one")) as one,
        qiantang.sync.App(**plane.options(instance="two")) as two,
    ):
        first, second = one.config.bind(Settings), two.config.bind(Settings, namespace="other")
        assert (first.greeting, second.greeting) == ("hi", "other")
        with pytest.raises(TypeError):
            one.config.pin()[7]


@pytest.mark.slow
@pytest.mark.timeout(300)  # a thousand take their time where others are busy
def test_a_thousand_apps_in_one_process(plane: Plane) -> None:
    plane.release({"greeting": "hi"})
    count = 1000
    heard = threading.Semaphore(0)

    async def run() -> None:
        apps = [
            qiantang.App(**plane.options(instance=f"app-{number}", keep_copy=False, start_deadline=60))
            for number in range(count)
        ]
        views = [app.config.bind(Settings) for app in apps]
        for app in apps:
            app.config.on_change("greeting", heard.release)
        gate = asyncio.Semaphore(10)

        async def enter(app: qiantang.App) -> None:
            async with gate:
                await app.__aenter__()

        await asyncio.gather(*(enter(app) for app in apps))
        assert {view.greeting for view in views} == {"hi"}
        await asyncio.to_thread(plane.release, {"greeting": "good day"})
        for _ in range(count):
            assert await asyncio.to_thread(heard.acquire, timeout=30)
        assert {view.greeting for view in views} == {"good day"}
        ours = [thread for thread in threading.enumerate() if thread.name.startswith("qiantang")]
        assert len(ours) <= 14, [thread.name for thread in ours]
        await asyncio.gather(*(app.__aexit__(None, None, None) for app in apps))

    asyncio.run(run())
