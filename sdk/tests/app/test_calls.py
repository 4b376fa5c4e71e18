"""Calls of an App: tokens from the control plane, nodes from a registry, rules as they are published, live."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
from joserfc.jwk import OKPKey

import qiantang
import qiantang.sync
from qiantang.catalog.model.kinds import body_of
from qiantang.kernel import errors, ids, runtime, scope, wire
from qiantang.kernel.testing import entry
from qiantang.messaging import testing
from qiantang.rpc import errors as rpc_errors
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import definition_of, document_of, method, service
from qiantang.rpc.model.kinds import KEYS_PATH, TOKEN_PATH, PublicKey, PublicKeys, Token, TokenRequest
from qiantang.rpc.wire import proof
from sdk.tests.app.conftest import Plane

until = functools.partial(testing.until, seconds=20.0)


@service("shop.Orders")
class Orders(Protocol):
    @method(timeout=10, idempotent=True)
    async def price(self, article: str) -> str: ...


class Shop:
    async def price(self, article: str) -> str:
        return f"{article} for {current.get().caller}"


class Plain:
    def price(self, article: str) -> str:
        return f"{article} for {current.get().caller}"


class Signing(Plane):
    """A control plane that signs tokens for calls."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        self.key = OKPKey.generate_key("Ed25519", {"kid": "one"})
        self.signs = True

    def _answer(self, path: str, body: bytes, token: str) -> msgspec.Struct | None:
        if path == TOKEN_PATH:
            self.check(token)
            if not self.signs:
                raise errors.UnavailableError("not now")
            public = wire.decode(body, TokenRequest).public
            signed = proof.issue(self.scope, public, self.key, now=time.time(), seconds=60)
            return Token(token=signed, expires_in=60)
        if path == KEYS_PATH:
            self.check(token)
            public = str(self.key.as_dict(private=False)["x"])
            return PublicKeys(keys=[PublicKey(kid="one", x=public)], again_in=60)
        return super()._answer(path, body, token)


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Signing]:
    with Signing(tmp_path / "copies", heartbeat_seconds=0.5) as one:
        one.release({})
        yield one


@pytest.fixture
def registry() -> dict[str, str]:
    return {"adapter": "memory", "address": ids.ordered_id()}


def options(plane: Plane, registry: dict[str, str], **more: Any) -> dict[str, Any]:
    return plane.options(registry=registry, rpc={"notice": 0.05}) | more


def publish(plane: Plane, **bodies: Any) -> None:
    plane.publish(plane.bundle("rpc"), [entry("rule", name, body) for name, body in bodies.items()])


def last_word(plane: Plane) -> tuple[str, int, str]:
    said = [one for one in plane.acknowledged if one.bundle.capability == "rpc"]
    return (said[-1].status, said[-1].position.revision, said[-1].error) if said else ("", 0, "")


async def test_one_app_calls_another_by_the_name_of_its_microservice(plane: Signing, registry: dict[str, str]) -> None:
    answering = qiantang.App(**options(plane, registry, instance="one"))
    answering.provide(Orders, Shop())
    calling = qiantang.App(**options(plane, registry, instance="two"))
    orders = calling.client(Orders, of=plane.scope.application)
    async with answering, calling:
        assert await orders.price("tea") == f"tea for {plane.scope}"
    with pytest.raises(errors.QiantangError):
        await orders.price("tea")


async def test_what_leaves_drains_and_the_other_node_answers(plane: Signing, registry: dict[str, str]) -> None:
    apps = [qiantang.App(**options(plane, registry, instance=name)) for name in ("one", "two")]
    for one in apps:
        one.provide(Orders, Shop())
    calling = qiantang.App(**options(plane, registry))
    orders, failed, stop = calling.client(Orders, of=plane.scope.application), list[Exception](), asyncio.Event()

    async def go_on() -> int:
        count = 0
        while not stop.is_set():
            try:
                await orders.price("tea")
            except Exception as error:
                failed.append(error)
            count += 1
            await asyncio.sleep(0)
        return count

    async with apps[0], calling:
        async with apps[1]:
            callers = [asyncio.create_task(go_on()) for _ in range(8)]
            await asyncio.sleep(0.3)
        await asyncio.sleep(0.3)
        stop.set()
        assert sum(await asyncio.gather(*callers)) > 100
    assert not failed


async def test_rules_come_from_the_control_plane_and_change_live(plane: Signing, registry: dict[str, str]) -> None:
    app = qiantang.App(**options(plane, registry))
    app.provide(Orders, Shop())
    orders = app.client(Orders, of=plane.scope.application)
    target = {"service": "shop.Orders", "side": "server"}
    publish(plane, gently={"target": target, "concurrency": {"most": 5}})
    async with app:
        await until(lambda: last_word(plane)[:2] == ("applied", 1))
        assert await orders.price("tea")
        publish(plane, gently={"target": target, "access": {"refused": [plane.scope.center]}})
        await until(lambda: last_word(plane)[:2] == ("applied", 2))
        with pytest.raises(errors.ForbiddenError):
            await orders.price("tea")
        publish(plane, gently={"target": target, "access": {"refused": "everybody"}})
        await until(lambda: last_word(plane)[:2] == ("failed", 3))
        assert "gently" in last_word(plane)[2]
        assert "its last good state counts" in app.status().problem
        with pytest.raises(errors.ForbiddenError):
            await orders.price("tea")
        publish(plane)
        await until(lambda: last_word(plane)[:2] == ("applied", 4))
        assert await orders.price("tea")
        assert app.status().problem == ""


def offer(plane: Plane, **more: Any) -> None:
    definition = definition_of(Orders)
    body = body_of(definition.name, document_of(definition)) | more
    plane.publish(plane.bundle("catalog"), [entry("service", definition.name, body)])


async def test_who_may_call_is_what_the_catalog_says_from_the_first_call_on(
    plane: Signing, registry: dict[str, str]
) -> None:
    offer(plane)
    answering = qiantang.App(**options(plane, registry, instance="one"))
    answering.provide(Orders, Shop())
    calling = qiantang.App(**options(plane, registry, instance="two"))
    orders = calling.client(Orders, of=plane.scope.application)
    own = f"{plane.scope.center}/{plane.scope.application}"

    async def refused(why: str) -> None:
        async with asyncio.timeout(30):
            while True:
                try:
                    await orders.price("tea")
                except errors.ForbiddenError as error:
                    if why in error.detail:
                        return
                await asyncio.sleep(0.01)

    async with answering, calling:
        with pytest.raises(errors.ForbiddenError, match=r"shop\.Orders is registered: its owner has to put it online"):
            await orders.price("tea")
        offer(plane, state="online", access="subscribers", subscribers=["bank"])
        await refused("has not subscribed")
        offer(plane, state="online", access="subscribers", subscribers=["bank", own])
        async with asyncio.timeout(30):
            while True:
                try:
                    assert await orders.price("tea")
                    break
                except errors.ForbiddenError:
                    await asyncio.sleep(0.01)
        offer(plane, state="offline")
        await refused("is offline")
        assert answering.status().problem == ""
        plane.publish(plane.bundle("catalog"), [entry("service", "shop.Orders", {"version": 1})])
        await until(lambda: "of catalog was not taken" in answering.status().problem, answering.status)
        await refused("is offline")


async def test_callers_and_providers_start_while_the_platform_gives_no_tokens(
    plane: Signing, registry: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    plane.signs = False
    app = qiantang.App(**options(plane, registry, start_deadline=0.3))
    app.provide(Orders, Shop())
    orders = app.client(Orders, of=plane.scope.application)
    async with app:
        with pytest.raises(rpc_errors.NoTokenError):
            await orders.price("tea")
        plane.signs = True
        async with asyncio.timeout(30):
            while True:
                try:
                    assert await orders.price("tea")
                    break
                except errors.QiantangError:
                    await asyncio.sleep(0.05)


def test_a_blocking_program_calls_and_answers(plane: Signing, registry: dict[str, str]) -> None:
    answering = qiantang.sync.App(**options(plane, registry))
    answering.provide(Orders, Plain())
    calling = qiantang.sync.App(**options(plane, registry))
    orders: Any = calling.client(Orders, of=plane.scope.application)
    with answering, calling:
        assert orders.price("tea") == f"tea for {plane.scope}"
        assert not runtime.inside()


async def test_what_is_to_be_said_before_is_refused_afterwards(plane: Signing, registry: dict[str, str]) -> None:
    app = qiantang.App(**options(plane, registry))
    app.provide(Orders, Shop())
    async with app:
        with pytest.raises(errors.ConflictError, match="before it is opened"):
            app.client(Orders, of="another")
        with pytest.raises(errors.ConflictError, match="before it is opened"):
            app.provide(Orders, Shop())
    plain = qiantang.App(**plane.options())
    async with plain:
        with pytest.raises(errors.ConflictError, match="opened without calls"):
            plain.provide(Orders, Shop())


def test_settings_are_read_from_the_environment_and_checked(plane: Signing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QIANTANG_CLIENT_RPC_LISTEN", "0.0.0.0:0")
    monkeypatch.setenv("QIANTANG_CLIENT_REGISTRY_ADAPTER", "memory")
    app = qiantang.App(**plane.options())
    app.provide(Orders, Shop())
    with pytest.raises(errors.MisconfiguredError, match="not a setting"):
        qiantang.App(**plane.options(rpc={"lissten": "x"})).provide(Orders, Shop())
    assert scope.Scope.parse(str(plane.scope)) == plane.scope


async def test_nobody_listens_where_others_reach_it_without_tls(plane: Signing, registry: dict[str, str]) -> None:
    app = qiantang.App(**options(plane, registry, rpc={"listen": "0.0.0.0:0"}))
    app.provide(Orders, Shop())
    with pytest.raises(errors.MisconfiguredError, match="without TLS"):
        async with app:
            pass


@pytest.mark.parametrize("blocks", [False, True])
async def test_a_fallback_answers_where_a_rule_says_so(plane: Signing, registry: dict[str, str], blocks: bool) -> None:
    publish(plane, calm={"target": {"service": "shop.Orders"}, "degrade": {"how": "fallback", "when": "always"}})
    instead = {"price": lambda article: f"{article} some day"}
    app: Any = (qiantang.sync.App if blocks else qiantang.App)(**options(plane, registry))
    orders: Any = app.client(Orders, of="nobody", fallback=instead)
    if blocks:
        with app:
            assert await asyncio.to_thread(orders.price, "tea") == "tea some day"
        return
    async with app:
        assert await orders.price("tea") == "tea some day"
