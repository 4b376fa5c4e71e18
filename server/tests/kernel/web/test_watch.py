"""Watch over HTTP: streams, fetches and acknowledgements, as a mirror makes them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from qiantang.kernel import errors, protocol, release, resource, scope, wire
from qiantang_server.kernel.resources import store as resource_store
from qiantang_server.kernel.watch import delivery
from qiantang_server.kernel.watch.hub import Hub, Subscriber
from server.tests.kernel.resources.notes import BUNDLE
from server.tests.kernel.web.conftest import PEOPLE, Running

INSTANCE = {"name": "i1", "cluster": "default", "labels": {"zone": "a"}}
ADA = PEOPLE["owner"]


async def fetch(running: Running, who: str = "owner", **more: Any) -> Any:
    body = {"instance": INSTANCE, "bundle": wire.builtins(BUNDLE), **more}
    return await running.call(who, "POST", "/api/v1/watch/fetch", json=body)


async def told(running: Running, revision: int) -> None:
    """Wait until the streams were told of a revision."""
    while not running.watch.relay.has_told(BUNDLE, resource.Position(epoch=1, revision=revision)):
        await asyncio.sleep(0.01)


async def test_a_fetch_gives_all_then_nothing_new_then_the_difference(running: Running) -> None:
    life = running.life
    await life.edit(ADA, "a", "one")
    await life.edit(ADA, "b", "x" * 3000)
    await life.publish(ADA, 0)
    whole = (await fetch(running)).json()
    assert (whole["shape"], whole["position"], len(whole["entries"])) == ("snapshot", [1, 1], 2)
    same = (await fetch(running, have=whole["digest"])).json()
    assert (same["shape"], same["digest"]) == ("unchanged", whole["digest"])
    await life.edit(ADA, "a", "two")
    await life.publish(ADA, 1)
    delta = wire.decode((await fetch(running, have=whole["digest"], at_least=[1, 2])).content, resource.Delta)
    held = wire.decode(wire.encode(whole), resource.Snapshot)
    merged = resource.apply_delta(held, delta)
    assert merged is not None
    assert {entry.name for entry in delta.put} == {"a"}
    assert merged.position == resource.Position(epoch=1, revision=2)


async def test_a_release_is_ready_before_its_instances_ask(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    await running.life.edit(ADA, "a", "one")
    await running.life.edit(ADA, "b", "other")
    await running.life.publish(ADA, 0)
    first = (await fetch(running)).json()
    running.watch.hub.add(Subscriber([BUNDLE]))
    await running.life.edit(ADA, "a", "two")
    await running.life.publish(ADA, 1)
    asked: list[str] = []
    read = resource_store.read_contents

    async def counted(session: Any, key: int, digests: Iterable[str]) -> dict[str, bytes]:
        asked.extend(digests)
        return await read(session, key, asked)

    monkeypatch.setattr(resource_store, "read_contents", counted)
    await told(running, 2)
    changed = (await fetch(running, have=first["digest"], at_least=[1, 2])).json()
    whole = (await fetch(running, at_least=[1, 2])).json()
    assert [entry[3] for entry in whole["entries"]] == [{"text": "two"}, {"text": "other"}]
    assert changed["digest"] == whole["digest"]
    assert asked == [], "what was published went by way of the database"


class Streamed(Subscriber):
    """A stream of the application that takes deliveries."""

    __slots__ = ()

    def __init__(self, place: scope.Scope = BUNDLE.scope) -> None:
        super().__init__([BUNDLE], place=place, takes_deliveries=True)

    async def said(self) -> tuple[str, bytes]:
        """Give the next event: its name and data."""
        name, data = (await self.take(5)).decode().removeprefix("event: ").strip().split("\ndata: ")
        return name, data.encode()


async def test_a_release_goes_out_with_its_notice_where_all_instances_get_the_same(running: Running) -> None:
    life = running.life
    await life.edit(ADA, "a", "one")
    await life.edit(ADA, "b", "other")
    await life.publish(ADA, 0)
    await told(running, 1)
    held = wire.decode((await fetch(running)).content, resource.Snapshot)
    own, other = Streamed(), Streamed(scope.Scope.parse("acme/dev/trade/linked"))
    for one in (own, other):
        running.watch.hub.add(one)
    await life.edit(ADA, "a", "two", password="secret word")
    await life.publish(ADA, 1)
    name, data = await own.said()
    assert name == "delivery"
    now = resource.apply_delta(held, wire.decode(data, resource.Delta))
    fresh = wire.decode((await fetch(running)).content, resource.Snapshot)
    assert now == fresh
    assert (await other.said())[0] == "notice", "what is not public went to another application"
    await life.edit(ADA, "a", "three")
    await life.publish(ADA, 2)
    following = resource.apply_delta(fresh, wire.decode((await own.said())[1], resource.Delta))
    assert following is not None
    assert following.position == resource.Position(epoch=1, revision=3)


async def test_a_gray_release_and_a_large_one_are_noticed_and_fetched(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = running.life
    await life.edit(ADA, "a", "one")
    await life.publish(ADA, 0)
    await told(running, 1)
    await fetch(running)
    own = Streamed()
    running.watch.hub.add(own)
    await life.edit(ADA, "a", "for some")
    await life.publish(ADA, 1, gray=release.GrayRule(percent=50))
    assert (await own.said())[0] == "notice"
    await life.resources.gray.abort(ADA, BUNDLE, release.GrayEndCommand(expected_revision=2))
    await own.said()
    monkeypatch.setattr(delivery, "MAX_DELTA", 10)
    await life.edit(ADA, "a", "two")
    await life.publish(ADA, 3)
    assert (await own.said())[0] == "notice"


async def test_a_runaway_application_leaves_streams_for_others(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = msgspec.structs.replace(running.watch.settings, max_streams_per_application=2)
    monkeypatch.setattr(running.watch, "settings", limited)
    for _ in range(2):
        running.watch.hub.add(Subscriber([BUNDLE], place=BUNDLE.scope))
    body = {"instance": INSTANCE, "scope": wire.builtins(BUNDLE.scope), "capabilities": ["test"]}
    refused = await running.call("owner", "POST", "/api/v1/watch/stream", json=body)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert "holds 2 streams of acme/dev/trade/order" in refused.json()["detail"]


def test_streams_are_counted_by_application() -> None:
    hub = Hub()
    stream = Subscriber([BUNDLE], place=BUNDLE.scope)
    hub.add(stream)
    assert hub.count(BUNDLE.scope) == 1
    hub.remove(stream)
    hub.remove(stream)
    assert hub.count(BUNDLE.scope) == 0
    assert len(hub) == 0


class Counting(Subscriber):
    """A stream that writes down each notice it is given."""

    __slots__ = ("noticed",)

    def __init__(self) -> None:
        super().__init__([BUNDLE])
        self.noticed: list[resource.Position] = []

    def notify(self, bundle: resource.Bundle, position: resource.Position, notice: bytes) -> None:
        self.noticed.append(position)
        super().notify(bundle, position, notice)


async def test_what_a_server_announced_itself_is_told_once(running: Running) -> None:
    stream = Counting()
    running.watch.hub.add(stream)
    await running.life.edit(ADA, "a", "one")
    await running.life.publish(ADA, 0)
    await told(running, 1)
    first = resource.Position(epoch=1, revision=1)
    await running.watch._moved(BUNDLE, first)
    assert stream.noticed == [first]
    newer = resource.Position(epoch=1, revision=2)  # of another server
    assert not running.watch.relay.has_told(BUNDLE, newer)
    running.watch.hub.notice(BUNDLE, newer)
    assert stream.noticed == [first, newer]


async def test_a_release_that_cannot_be_made_ready_is_fetched_all_the_same(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise errors.UnavailableError("away")

    running.watch.hub.add(Subscriber([BUNDLE]))
    monkeypatch.setattr(running.watch.deliveries, "change", away)
    await running.life.edit(ADA, "a", "one")
    await running.life.publish(ADA, 0)
    await told(running, 1)
    assert (await fetch(running, at_least=[1, 1])).json()["position"] == [1, 1]


async def test_applications_without_a_release_are_not_taken_for_each_other(running: Running) -> None:
    for name in ("order", "stock", "order"):
        bundle = wire.builtins(BUNDLE)
        bundle["scope"]["application"] = name
        found = (await fetch(running, bundle=bundle)).json()
        assert (found["shape"], found["bundle"], found["position"]) == ("snapshot", bundle, [0, 0])


async def test_who_may_not_watch_gets_nothing(running: Running) -> None:
    assert (await fetch(running, who="reader")).status_code == 403
    assert (await fetch(running, who="stranger")).status_code == 404


async def test_an_acknowledgement_is_seen_in_the_list_of_instances(running: Running) -> None:
    await running.life.edit(ADA, "a", "one")
    await running.life.publish(ADA, 0)
    held = {"bundle": wire.builtins(BUNDLE), "position": [1, 1], "status": "failed", "error": "callback: boom"}
    said = {"scope": wire.builtins(BUNDLE.scope), "instance": INSTANCE, "held": [held]}
    running.watch.instances.arrive(BUNDLE.scope, wire.decode(wire.encode(INSTANCE), _instance()), [])
    answer = await running.call("owner", "POST", "/api/v1/watch/acknowledge", json=said)
    assert answer.status_code == 204
    await running.watch.instances.flush()
    shown = (await running.call("reader", "GET", "/api/v1/test/acme/dev/trade/order/instances")).json()["items"]
    assert [(one["status"], one["error"], one["alive"]) for one in shown] == [("failed", "callback: boom", True)]


async def test_gray_instances_get_the_overlay_and_the_others_do_not(running: Running) -> None:
    from qiantang.kernel import release

    await running.life.edit(ADA, "a", "one")
    await running.life.publish(ADA, 0)
    await running.life.edit(ADA, "a", "gray")
    await running.life.publish(ADA, 1, gray=release.GrayRule(labels=[{"zone": "a"}]))
    gray = (await fetch(running, at_least=[1, 2])).json()
    assert gray["entries"][0][3] == {"text": "gray"}
    assert gray["gray"]
    other = await running.call(
        "owner",
        "POST",
        "/api/v1/watch/fetch",
        json={"instance": {"name": "i2", "labels": {"zone": "b"}}, "bundle": wire.builtins(BUNDLE)},
    )
    assert (other.json()["entries"][0][3], other.json()["gray"]) == ({"text": "one"}, "")


async def test_a_position_that_the_database_never_had_raises_the_epoch(running: Running) -> None:
    await running.life.edit(ADA, "a", "one")
    await running.life.publish(ADA, 0)
    answer = (await fetch(running, at_least=[1, 9])).json()
    assert answer["position"][0] == 2
    assert answer["entries"][0][3] == {"text": "one"}
    again = (await fetch(running, at_least=answer["position"])).json()
    assert again["position"] == answer["position"]


async def test_the_relay_empties_the_outbox_and_survives_what_is_away(running: Running) -> None:
    await running.life.edit(ADA, "a", "one")
    await running.life.publish(ADA, 0)
    for _attempt in range(200):
        async with running.life.parts.database.reading() as session:
            if not await resource_store.waiting_notices(session, 1 << 60, 10):
                return
        await asyncio.sleep(0.05)
    raise AssertionError("the outbox was not emptied")


async def test_a_capability_that_nobody_declares_is_not_found_and_leaves_nothing_behind(running: Running) -> None:
    made_up = {**wire.builtins(BUNDLE), "capability": "made-up"}
    answer = await fetch(running, bundle=made_up, at_least=[1, 9])
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    said = {
        "scope": wire.builtins(BUNDLE.scope),
        "instance": INSTANCE,
        "capabilities": ["made-up"],
        "held": [{"bundle": made_up, "position": [1, 9]}],
    }
    opened = await running.call("owner", "POST", "/api/v1/watch/stream", json=said)
    assert (opened.status_code, opened.json()["code"]) == (404, "not_found")
    async with running.life.parts.database.reading() as session:
        assert await session.first(sa.select(resource_store.bundles)) is None


async def test_an_instance_can_hold_only_what_it_can_receive(running: Running) -> None:
    await running.life.edit(ADA, "a", "one", cites="trade/common")
    await running.life.publish(ADA, 0)
    place = BUNDLE.scope

    def held(application: str, capability: str = "test") -> protocol.Held:
        there = msgspec.structs.replace(place, application=application)
        return protocol.Held(
            bundle=resource.Bundle(scope=there, capability=capability), position=resource.Position(epoch=1, revision=1)
        )

    said = [held("order"), held("common"), held("stock"), held("order", "made-up")]
    assert await running.watch.received(place, said) == said[:2]


async def test_links_of_a_release_are_watched_whoever_brought_it(running: Running) -> None:
    await running.life.edit(ADA, "a", "one")
    await running.life.publish(ADA, 0)
    running.life.parts.published = lambda _published: None  # as if another server published
    subscriber = Subscriber([BUNDLE], place=BUNDLE.scope)
    running.watch.hub.add(subscriber)
    await running.life.edit(ADA, "a", "two", cites="trade/common")
    await running.life.publish(ADA, 1)
    await fetch(running, at_least=[1, 2])  # a client that heard of it elsewhere
    await running.watch._moved(BUNDLE, resource.Position(epoch=1, revision=2))
    assert {one.scope.application for one in subscriber.bundles} == {"order", "common"}


async def test_a_publish_while_a_stream_opens_is_told_with_its_links(running: Running) -> None:
    said = protocol.StreamRequest(
        scope=BUNDLE.scope, instance=scope.Instance(name="i1"), capabilities=[BUNDLE.capability]
    )
    subscriber = Subscriber(await running.watch.bundles(said), place=BUNDLE.scope)
    await running.life.edit(ADA, "a", "one", cites="trade/common")
    await running.life.publish(ADA, 0)
    running.watch.hub.add(subscriber)
    await running.watch.greet(subscriber)
    assert {one.scope.application for one in subscriber.bundles} == {"order", "common"}
    assert b'"position":[1,1]' in await subscriber.take(0)


def _instance() -> Any:
    from qiantang.kernel import scope

    return scope.Instance
