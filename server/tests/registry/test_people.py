"""What people see and change: counts, nodes, definitions; offline, another weight, and back; in the trail and in the walls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qiantang.identity import model
from qiantang.kernel import scope
from qiantang.registry.model import Definition, Node, protocol
from qiantang_server.app import process
from qiantang_server.registry.service.listings import Seat
from qiantang_server.registry.service.registry import Registry
from qiantang_server.registry.settings import RegistrySettings
from server.tests.app.plane import Plane, opened
from server.tests.registry.town import EVIL, ORDER, STOCK, taken

NODES = "/api/v1/registry/acme/dev/trade/order/nodes"


class House:
    """A control plane with applications of two tenants, and another server's registry on the same database."""

    def __init__(self, plane: Plane, registry: Registry) -> None:
        self.plane = plane
        self.registry = registry
        self.sessions: dict[scope.Scope, str] = {}
        self.admin: dict[str, str] = {}

    async def build(self) -> None:
        root, estate = process.system_of(self.plane.running), self.plane.identity.estate
        for tenant in ("acme", "evil"):
            await estate.create_tenant(root, model.NewTenant(name=tenant))
            await estate.create_environment(root, tenant, model.NewEnvironment(name="dev"))
            await estate.create_center(root, tenant, model.NewCenter(name="trade"))
            for name in ("order", "stock"):
                await estate.create_application(root, tenant, "trade", model.NewApplication(name=name))
        for caller in (ORDER, STOCK, EVIL):
            self.sessions[caller] = (await self.registry.sessions.open(caller)).session
        self.admin = await self.plane.person("ann", "tenant-admin", "acme", "acme")

    async def register(self, caller: scope.Scope, name: str, **more: Any) -> None:
        node = Node(name=name, addresses={"csf1": "127.0.0.1:9"}, **more)
        command = protocol.Register(session=self.sessions[caller], microservice=caller.application, node=node)
        await self.registry.nodes.register(caller, command)

    async def ask(self, method: str, path: str, who: dict[str, str] | None = None, **more: Any) -> Any:
        answer = await self.plane.client.request(method, path, headers=who or self.admin, **more)
        assert answer.status_code < 300, answer.text
        return answer.json()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as plane:
        kernel = plane.running.kernel
        registry = Registry(kernel, RegistrySettings())
        made = House(plane, registry)
        await made.build()
        yield made
        await registry.listings.stop()


async def test_microservices_with_their_nodes_by_state(house: House) -> None:
    for name, state in (("a", "ready"), ("b", "ready"), ("c", "starting"), ("d", "draining")):
        await house.register(ORDER, name, state=state)
    await house.register(STOCK, "x")
    await house.register(EVIL, "z")
    await house.ask("PATCH", f"{NODES}/a", json={"state": "offline", "reason": "it is slow"})
    page = await house.ask("GET", "/api/v1/registry/acme/dev/microservices")
    assert [(one["name"], one["center"]) for one in page["items"]] == [("order", "trade"), ("stock", "trade")]
    assert page["items"][0]["nodes"] == {"starting": 1, "ready": 1, "draining": 1, "offline": 1}
    assert (page["items"][0]["overridden"], page["items"][1]["overridden"]) == (1, 0)
    first = await house.ask("GET", "/api/v1/registry/acme/dev/microservices?limit=1")
    assert (first["items"][0]["name"], first["next"]) == ("order", "order")
    rest = await house.ask("GET", f"/api/v1/registry/acme/dev/microservices?limit=1&after={first['next']}")
    assert ([one["name"] for one in rest["items"]], rest["next"]) == (["stock"], "")
    found = await house.ask("GET", "/api/v1/registry/acme/dev/microservices?words=TOC")
    assert [one["name"] for one in found["items"]] == ["stock"]


async def test_a_reader_sees_the_microservices_that_he_may(house: House) -> None:
    await house.register(ORDER, "a")
    await house.register(STOCK, "x")
    bob = await house.plane.person("bob", "viewer", "acme/dev/trade/stock", "acme")
    page = await house.ask("GET", "/api/v1/registry/acme/dev/microservices", bob)
    assert [one["name"] for one in page["items"]] == ["stock"]
    for path in (NODES, f"{NODES}/a", NODES.replace("nodes", "definitions")):
        assert (await house.plane.client.get(path, headers=bob)).status_code == 403
    eve = await house.plane.person("eve", "tenant-admin", "evil", "evil")
    for method, path in (("GET", NODES), ("GET", f"{NODES}/a"), ("PATCH", f"{NODES}/a")):
        answer = await house.plane.client.request(method, path, headers=eve, json={"weight": 0})
        assert answer.status_code == 404, answer.text
    assert (await house.ask("GET", f"{NODES}/a"))["view"]["override"] is None


async def test_offline_and_weight_reach_callers_and_outlive_the_node(house: House) -> None:
    await house.register(ORDER, "a", weight=50, zone="z")
    seat = Seat(STOCK, ["order"])
    await house.registry.listings.add(seat, 0)
    await taken(seat)
    changed = await house.ask("PATCH", f"{NODES}/a", json={"state": "offline", "weight": 7, "reason": "it is slow"})
    view = changed["view"]
    assert (view["state"], view["weight"], view["own_state"], view["own_weight"]) == ("offline", 7, "ready", 50)
    assert view["override"] | {"set_at": 0} == {
        "state": "offline",
        "weight": 7,
        "reason": "it is slow",
        "set_by": "ann",
        "set_at": 0,
    }
    # this server hears it from the database, as of another one
    house.registry.listings.moved(seat.place, 1 << 60)
    ((_name, nodes),) = await taken(seat)
    assert [(one.state, one.weight, one.zone) for one in nodes] == [("offline", 7, "z")]
    deregister = protocol.Deregister(session=house.sessions[ORDER], microservice="order", node="a")
    await house.registry.nodes.deregister(ORDER, deregister)
    assert await taken(seat) == [("order", [])]
    absent = (await house.ask("GET", NODES))["items"]
    assert [(one["name"], one["present"], one["session_age_ms"]) for one in absent] == [("a", False, None)]
    await house.register(ORDER, "a", weight=50)
    ((_name, nodes),) = await taken(seat)
    assert [(one.state, one.weight) for one in nodes] == [("offline", 7)], (
        "a restart of the node does not bring it back"
    )
    back = await house.ask("PATCH", f"{NODES}/a", json={"state": None})
    assert (back["view"]["state"], back["view"]["weight"]) == ("ready", 7)
    back = await house.ask("PATCH", f"{NODES}/a", json={"weight": None})
    assert back["view"]["override"] is None
    house.registry.listings.moved(seat.place, 1 << 60)
    ((_name, nodes),) = await taken(seat)
    assert [(one.state, one.weight) for one in nodes] == [("ready", 50)]
    house.registry.listings.remove(seat)


async def test_each_change_is_in_the_trail(house: House) -> None:
    await house.register(ORDER, "a")
    await house.ask("PATCH", f"{NODES}/a", json={"weight": 0, "reason": "no more of it"})
    records = (await house.ask("GET", "/api/v1/audit/tenants/acme/records?limit=50"))["items"]
    (record,) = [one for one in records if one["action"] == "registry.node:update"]
    assert (record["resource"], record["reason"], record["actor_name"]) == ("nodes/a", "no more of it", "ann")
    assert record["application"] == "order"
    assert record["changes"] == [{"state": "", "weight": 0}]


async def test_a_node_that_nobody_knows_is_not_changed(house: House) -> None:
    await house.register(ORDER, "a")
    for name in ("b", "B:1@x", "..%2f", "%00", "x" * 129):
        for method in ("GET", "PATCH"):
            answer = await house.plane.client.request(
                method, f"{NODES}/{name}", headers=house.admin, json={"weight": 1}
            )
            assert answer.status_code in {404, 422}, answer.text
    for wrong in ({"weight": -1}, {"weight": 10_001}, {"state": "ready"}, {"reason": "x" * 501}, {"nonsense": 1}):
        answer = await house.plane.client.patch(f"{NODES}/a", headers=house.admin, json=wrong)
        assert answer.status_code == 422, answer.text


async def test_definitions_are_listed_and_read(house: House) -> None:
    definition = Definition.of("order.Orders", {"methods": {"get": {}}})
    await house.registry.nodes.publish(ORDER, protocol.Publish(microservice="order", definition=definition))
    path = NODES.replace("nodes", "definitions")
    (view,) = (await house.ask("GET", path))["items"]
    assert (view["service"], view["digest"]) == ("order.Orders", definition.digest)
    detail = await house.ask("GET", f"{path}/order.Orders")
    assert detail["definition"]["document"] == {"methods": {"get": {}}}
    missing = await house.plane.client.get(f"{path}/order.None", headers=house.admin)
    assert (missing.status_code, missing.json()["code"]) == (404, "registry.unknown_definition")


async def test_a_microservice_of_another_center_is_not_shown_as_ones_own(house: House) -> None:
    root, estate = process.system_of(house.plane.running), house.plane.identity.estate
    await estate.create_center(root, "acme", model.NewCenter(name="bank"))
    await estate.create_application(root, "acme", "bank", model.NewApplication(name="order"))
    await house.register(ORDER, "a")
    other = NODES.replace("trade", "bank")
    assert (await house.ask("GET", other))["items"] == []
    answer = await house.plane.client.patch(f"{other}/a", headers=house.admin, json={"weight": 1})
    assert answer.status_code == 404
