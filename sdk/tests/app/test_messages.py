"""The bus of an App: its estate comes from the control plane, and changes while messages come and go."""

from __future__ import annotations

import functools
from typing import Any

import pytest

import qiantang
from qiantang.kernel import errors, ids, resource
from qiantang.kernel.testing import entry
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging import testing
from sdk.tests.app.conftest import Plane

SECONDS = 20.0
until = functools.partial(testing.until, seconds=SECONDS)


@pytest.fixture
def url() -> str:
    return f"memory://{ids.ordered_id()}"


def publish(plane: Plane, url: str, *topics: str, **more: dict[str, Any]) -> resource.Position:
    """Publish a cluster at an address, with topics."""
    cluster = {"adapter": "memory", "resources": [{"name": "one", "url": {"$secret": {"value": url, "mask": "m"}}}]}
    entries = [entry("cluster", "main", cluster)]
    entries += [entry("topic", name, {"clusters": ["main"]}) for name in topics]
    entries += [entry(kind, "default", body) for kind, body in more.items()]
    return plane.publish(plane.bundle("messaging"), entries)


def last_word(plane: Plane) -> tuple[str, int]:
    said = [one for one in plane.acknowledged if one.bundle.capability == "messaging"]
    return (said[-1].status, said[-1].position.revision) if said else ("", 0)


async def test_messages_go_over_what_is_published(plane: Plane, url: str) -> None:
    plane.release({})
    publish(plane, url, "made", subscription={"group": "order", "topic": "made", "concurrency": 3})
    app = qiantang.App(**plane.options())
    got: list[Any] = []

    @app.bus.subscribe("made", group="order")
    async def take(body: int) -> None:
        got.append(body)

    async with app:
        (consumer,) = app.bus.consumers("made", "order")
        assert consumer.concurrency == 3
        await app.bus.send("made", 1)
        await until(lambda: got == [1])
        await until(lambda: last_word(plane) == ("applied", 1))
    assert app.bus.loop is None, "it was closed with the App"


async def test_a_release_moves_the_broker_while_the_application_runs(plane: Plane, url: str) -> None:
    plane.release({})
    publish(plane, url, "made")
    app = qiantang.App(**plane.options())
    got: list[int] = []

    @app.bus.subscribe("made")
    async def take(body: int) -> None:
        got.append(body)

    async with app:
        await app.bus.send("made", 1)
        await until(lambda: got == [1])
        publish(plane, f"{url}-elsewhere", "made", "paid")
        await until(lambda: last_word(plane) == ("applied", 2))
        await app.bus.send("made", 2)
        await app.bus.send("paid", 3)
        await until(lambda: got == [1, 2])


async def test_a_handler_waits_for_its_topic_and_the_operator_sees_it(plane: Plane, url: str) -> None:
    plane.release({})
    publish(plane, url)
    app = qiantang.App(**plane.options())
    got: list[int] = []

    @app.bus.subscribe("made")
    async def take(body: int) -> None:
        got.append(body)

    async with app:
        with pytest.raises(messaging_errors.UnknownTopicError):
            await app.bus.send("made", 1)
        publish(plane, url, "paid")
        await until(lambda: last_word(plane) == ("failed", 2))
        assert "take gets nothing of topic made" in app.status().problem
        publish(plane, url, "made")
        await until(lambda: last_word(plane) == ("applied", 3))
        assert app.status().problem == ""
        await app.bus.send("made", 1)
        await until(lambda: got == [1])


async def test_a_release_that_cannot_work_leaves_what_was(plane: Plane, url: str) -> None:
    plane.release({})
    publish(plane, url, "made")
    app = qiantang.App(**plane.options())
    assert app.bus.member
    async with app:
        plane.publish(plane.bundle("messaging"), [entry("topic", "made", {"clusters": ["nowhere"]})])
        await until(lambda: last_word(plane) == ("failed", 2))
        assert "nowhere" in app.status().problem
        assert (await app.bus.send("made", 1)).ok
        plane.publish(plane.bundle("messaging"), [entry("topic", "made", {"clusters": 5})])
        await until(lambda: last_word(plane) == ("rejected", 3))
        assert (await app.bus.send("made", 1)).ok


async def test_what_a_source_gives_is_used(plane: Plane, url: str) -> None:
    plane.release({})
    shared = resource.Bundle.parse(f"{plane.scope.tenant}/{plane.scope.environment}/platform/brokers:messaging")
    cluster = {"adapter": "memory", "resources": [{"name": "one", "url": url}], "public": True}
    plane.publish(shared, [entry("cluster", "shared", cluster)])
    own = [
        entry("source", "brokers", {"center": "platform", "application": "brokers"}),
        entry("topic", "made", {"clusters": ["shared"]}),
    ]
    plane.publish(plane.bundle("messaging"), own, links=[shared])
    app = qiantang.App(**plane.options())
    assert app.bus.member
    async with app:
        assert (await app.bus.send("made", 1)).ok


def test_a_blocking_program_has_it_as_well(plane: Plane, url: str) -> None:
    plane.release({})
    publish(plane, url, "made")
    app = qiantang.sync.App(**plane.options())
    got: list[int] = []

    @app.bus.subscribe("made")
    def take(body: int) -> None:
        got.append(body)

    with app:
        app.bus.sync.send("made", 1)
        plane.wait_until(lambda: got == [1])
        publish(plane, f"{url}-elsewhere", "made")
        plane.wait_until(lambda: last_word(plane) == ("applied", 2))
        app.bus.sync.send("made", 2)
        plane.wait_until(lambda: got == [1, 2])


async def test_who_asks_too_late_is_told(plane: Plane) -> None:
    plane.release({})
    async with qiantang.App(**plane.options()) as app:
        with pytest.raises(errors.ConflictError, match="before it is opened"):
            _ = app.bus


async def test_it_starts_from_its_copy_while_the_control_plane_is_away(plane: Plane, url: str) -> None:
    plane.release({})
    publish(plane, url, "made")
    app = qiantang.App(**plane.options())
    assert app.bus.member
    async with app:
        await until(lambda: last_word(plane) == ("applied", 1))
        await until(lambda: any(plane.folder.rglob("*")))
    plane.refuse(errors.UnavailableError("away"))
    app = qiantang.App(**plane.options(start_deadline=0.5))
    assert app.bus.member
    async with app:
        assert app.status().source == "disk"
        assert (await app.bus.send("made", 1)).ok
