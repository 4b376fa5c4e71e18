"""A control plane in the test's own process, and an application of it that runs on SQLite and refuses what it is told to."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from qiantang.identity import model
from qiantang.kernel.scope import Scope
from qiantang.messaging import MessageBus
from qiantang.messaging.model import (
    Cluster,
    Context,
    DeadLetterSettings,
    Estate,
    Packing,
    Resource,
    RetryPolicy,
    Store,
    Topic,
)
from qiantang.messaging.testing import Taker, until
from qiantang_server.app import process
from server.tests.app.plane import Plane, opened

SCOPE = "acme/dev/trade/order"
PLACE = Scope(tenant="acme", environment="dev", center="trade", application="order")
API = "/api/v1/messaging/acme/dev/trade/order"
ONCE = RetryPolicy(attempts=1)


class Shop:
    """The application, and people who ask the control plane about it."""

    def __init__(self, plane: Plane, client: httpx.AsyncClient, folder: Path) -> None:
        self.plane = plane
        self.client = client
        self.folder = folder
        self.estate = self.own_estate
        self.billed, self.shipped = Taker(), Taker()
        self.headers: dict[str, str] = {}
        self.revisions: Counter[str] = Counter()

    @property
    def broker_url(self) -> str:
        return f"sqlite:///{self.folder / 'broker.sqlite3'}"

    @property
    def store_url(self) -> str:
        return f"sqlite:///{self.folder / 'store.sqlite3'}"

    def own_estate(self) -> Estate:
        """What the application has, in its own words: a broker and a store on SQLite."""
        cluster = Cluster(name="main", adapter="sql", resources=[Resource(name="one", url=self.broker_url)])
        topics = [
            Topic(name="orders", clusters=["main"]),
            Topic(name="raw", clusters=["main"], packing=Packing(codec="bytes")),
        ]
        return Estate(
            clusters=[cluster], topics=topics, store=Store(url=self.store_url), dead_letters=DeadLetterSettings()
        )

    def bodies(self, **more: Any) -> dict[str, dict[str, Any]]:
        """What is published of that, by path."""
        cluster = {"adapter": "sql", "resources": [{"name": "one", "url": self.broker_url}]}
        return {
            "clusters/main": cluster,
            "topics/orders": {"clusters": ["main"]},
            "topics/raw": {"clusters": ["main"], "packing": {"codec": "bytes"}},
            "policies/default": {"store": {"url": self.store_url}, "dead_letters": {}},
            **more,
        }

    async def build(self) -> None:
        root = process.system_of(self.plane.running)
        estate = self.plane.identity.estate
        for tenant in ("acme", "globex"):
            await self.plane.tenant(tenant)
            await estate.create_environment(root, tenant, model.NewEnvironment(name="dev"))
            await estate.create_center(root, tenant, model.NewCenter(name="trade"))
            for name in ("order", "stock"):
                await estate.create_application(root, tenant, "trade", model.NewApplication(name=name))
        self.headers = await self.plane.person("chief", "tenant-admin", "acme", tenant="acme")

    async def publish(self, bodies: Mapping[str, Mapping[str, Any]], api: str = API) -> None:
        for path, body in bodies.items():
            await self.ask("PUT", f"{api}/{path}", {"body": body}, **{"If-Match": "*"})
        await self.ask("POST", f"{api}/releases", {"expected_revision": self.revisions[api]})
        self.revisions[api] += 1

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = await self.answer(method, path, body, **headers)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    async def answer(
        self, method: str, path: str, body: Any = None, *, who: dict[str, str] | None = None, **headers: str
    ) -> httpx.Response:
        path = path if path.startswith("/") else f"{API}/{path}"
        return await self.client.request(method, path, json=body, headers={**(who or self.headers), **headers})

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[MessageBus]:
        """Run the application: billing refuses orders that have `bad` in them, and shipping takes all."""
        async with MessageBus(self.estate(), PLACE) as bus:

            async def bill(body: Any, context: Context) -> None:
                if (isinstance(body, dict) and "bad" in body) or body == b"bad":
                    raise ValueError(f"cannot bill {body}")
                await self.billed(body, context)

            for topic in ("orders", "raw"):
                bus.subscribe(topic, group="billing", retry=ONCE)(bill)
                bus.subscribe(topic, group="shipping")(self.shipped)
                for group in ("billing", "shipping"):
                    await until(lambda topic=topic, group=group: all(one.joined for one in bus.consumers(topic, group)))
            yield bus

    async def died(self, bus: MessageBus, *bodies: Any, topic: str = "orders", **more: Any) -> list[int]:
        """Have messages die, and give their numbers in the store, in the order in which they were sent."""
        before = {one.number for one in await bus.dead_letters(count=1000)}
        for body in bodies:
            await bus.send(topic, body, **more)
        while True:
            some = [one.number for one in await bus.dead_letters(count=1000) if one.number not in before]
            if len(some) >= len(bodies):
                return sorted(some)
            await asyncio.sleep(0.02)

    async def trail(self, action: str) -> list[dict[str, Any]]:
        """Give what the tenant's trail says of an action, the newest first."""
        found = await self.ask("GET", "/api/v1/audit/tenants/acme/records?limit=200")
        return [one for one in found["items"] if one["action"] == action]


@asynccontextmanager
async def open_shop(folder: Path, environment: Mapping[str, str] | None = None) -> AsyncGenerator[Shop]:
    messages = folder / "messages"
    messages.mkdir()
    settings = {"QIANTANG_MESSAGING_FILE_FOLDERS": str(messages), **(environment or {})}
    async with opened(folder / "plane", settings) as plane:
        # on this loop, which the buses belong to
        transport = httpx.ASGITransport(plane.running.application, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
            shop = Shop(plane, client, messages)
            await shop.build()
            yield shop
