"""Seed: the demo as a whole: the shop, set up once and kept running beside the platform, for `qiantang up --demo`."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from qiantang.kernel import errors, resource, wire
from qiantang.messaging.model.kinds import CAPABILITY as MESSAGING
from qiantang.rpc.model.kinds import CAPABILITY as CALLS
from qiantang_server.app.demo import calls, messages, shop, story
from qiantang_server.app.demo.children import Child
from qiantang_server.app.demo.files import Files, Issued, Known
from qiantang_server.app.demo.messages import Broker
from qiantang_server.app.demo.people import People
from qiantang_server.app.demo.shop import Service
from qiantang_server.app.demo.story import Step, Story
from qiantang_server.app.process import Running, identity_of

log = logging.getLogger(__name__)
HEAD_START = 0.2
"""Seconds in which the platform is left alone, so that it answers before the shop is set up."""
CONNECT_SECONDS = 20.0
TITLE = "demo"
START_DEADLINE = 20.0
NOTICE_SECONDS = 0.3


class Demo:
    """The running demo. What is there when it starts stays as it is: it sets up what is missing, once."""

    def __init__(self, running: Running, broker: Broker | None = None) -> None:
        self._running = running
        self._files = Files(running.kernel.folder)
        self._broker = broker or Broker.embedded(self._files.folder, messages.ENVIRONMENT)
        self._people = People(running, self._files)
        self._known = Known()
        self._task: asyncio.Task[None] | None = None
        self.children = [Child(service.name, self._teller(service)) for service in shop.SERVICES]

    @classmethod
    async def start(cls, running: Running, broker: Broker | None = None) -> Demo:
        """Begin, and come back at once: all of it happens while the platform serves. Without a broker the embedded one does."""
        demo = cls(running, broker)
        demo._task = asyncio.create_task(demo._run(), name="demo")
        return demo

    @property
    def described(self) -> str:
        """Say what there is to see, and as whom one can sign in."""
        *names, last = (member.name for member in shop.MEMBERS)
        lines = (
            f"tenant {shop.TENANT}, in prod and dev: order, stock and billing; what they say follows",
            f"orders are told over {self._broker.shown}, and order calls stock for each",
            "order-3 is a canary; billing-2 refuses a rate, and an approval waits that mends it",
            f"sign in as {', '.join(names)} or {last} of tenant {shop.TENANT}: passwords in {self._files.passwords}",
        )
        return f"\n{' ' * 12}".join(lines)

    async def stop(self) -> None:
        """End the services, and whatever of the shop is still being set up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        await asyncio.sleep(HEAD_START)
        try:
            telling = await self._set_up()
        except errors.QiantangError as error:
            log.error("the demo cannot be set up", extra={"reason": error.detail})  # noqa: TRY400
            return
        async with asyncio.TaskGroup() as group:
            for child in self.children:
                group.create_task(child.run(), name=f"demo-{child.name}")
            if telling is not None:
                await self._go_on(telling)

    async def _set_up(self) -> Story | None:
        """Have the shop and its past; give its story where that has not come to its end."""
        self._known = self._files.read()
        if self._known.complete and await self._people.there():
            await self._connect(Story(self._running.kernel.resources, await self._people.known()))
            return None
        self._known.complete, self._known.broker = False, ""
        people = await self._people.settle()
        telling = Story(self._running.kernel.resources, people)
        await telling.go(story.past())
        await self._connect(telling)
        return telling

    async def _connect(self, telling: Story) -> None:
        """Have what the services tell each other published, over the broker that is asked for; what is so already stays."""
        if self._known.broker == self._broker.mark:
            return
        found = [await self._connecting(service, environment) for service, environment in shop.places()]
        found += [
            await self._governing(service, environment)
            for service, environment in shop.places()
            if service in calls.CALLING
        ]
        await telling.go([step for step in found if step is not None])
        self._known.broker = self._broker.mark
        self._files.write(self._known)

    async def _connecting(self, service: Service, environment: str) -> Step | None:
        """Give what publishes what one service tells and hears; None where that is so already, or the service is gone."""
        elsewhere = environment != messages.ENVIRONMENT
        wanted = Broker.embedded(self._files.folder, environment) if elsewhere else self._broker
        at = await self._revision(service.bundle(environment, MESSAGING))
        if at is None or (at and (elsewhere or service is not shop.ORDER)):
            return None
        return Step(
            service=service,
            environment=environment,
            capability=MESSAGING,
            at=at,
            by=shop.ADA,
            approved_by=shop.MEI,
            message=f"Messages over {wanted.adapter}",
            edits=messages.moved(wanted) if at else messages.bodies(service, wanted),
        )

    async def _governing(self, service: Service, environment: str) -> Step | None:
        """Give what publishes what is said of a service's calls; None where something is already, or the service is gone."""
        if await self._revision(service.bundle(environment, CALLS)) != 0:
            return None
        return Step(
            service=service,
            environment=environment,
            capability=CALLS,
            at=0,
            by=shop.ADA,
            approved_by=shop.MEI,
            message="Order asks stock",
            edits=calls.bodies(service),
        )

    async def _revision(self, bundle: resource.Bundle) -> int | None:
        """Give the revision that a bundle is at; None where its application is not there any more."""
        try:
            return (await self._running.kernel.resources.history.status(bundle)).position.revision
        except errors.QiantangError as error:
            log.info("a service of the demo is left out", extra={"bundle": str(bundle), "reason": error.detail})
            return None

    async def _go_on(self, telling: Story) -> None:
        """Go on with the story where services can hear of it, and remember that it came to its end."""
        await self._connected()
        await telling.go(story.today())
        await telling.leave(story.drafts())
        self._known.complete = True
        self._files.write(self._known)

    async def _connected(self) -> None:
        """Wait until the services are there, within bounds."""
        instances = self._running.kernel.watch.instances
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                while len(instances) < shop.INSTANCES:  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log.warning("not all services of the demo came up", extra={"instances": len(instances)})

    def _teller(self, service: Service) -> Any:
        async def tell() -> bytes:
            instances = [await self._instance(service, one) for one in service.instances]
            found = [one for one in instances if one is not None]
            return wire.encode({"program": service.name, "instances": found}) if found else b""

        return tell

    async def _instance(self, service: Service, one: shop.Running) -> dict[str, Any] | None:
        """Give what an instance is told; None where its application or its environment is not there any more."""
        try:
            issued = await self._credential(service, one.environment)
        except errors.QiantangError as error:
            log.info("an instance of the demo is left out", extra={"instance": one.name, "reason": error.detail})
            return None
        place = service.place(one.environment)
        options = {
            **{name: getattr(place, name) for name in place.__struct_fields__},
            "servers": [self._running.address],
            "credential": issued.credential,
            "secret": issued.secret,
            "instance": one.name,
            "cluster": one.cluster,
            "labels": {"zone": one.cluster, "track": "canary" if one.canary else "stable"},
            "version": "1.5.0" if one.canary else "1.4.2",
            "keep_copy": False,
            "start_deadline": START_DEADLINE,
            "rpc": {"notice": NOTICE_SECONDS},
        }
        return {"options": options, "hears_all": service.hears_all}

    async def _credential(self, service: Service, environment: str) -> Issued:
        """Have the credential of an application: the one that is kept while it is good, else a new one."""
        place = service.place(environment)
        key = str(place)
        held = self._known.credentials.get(key)
        known = (held.credential, held.secret) if held is not None else None
        made = await identity_of(self._running).bootstrap.ensure_credential(place, TITLE, known)
        fresh = Issued(credential=made.id, secret=made.secret)
        if held != fresh:
            self._known.credentials[key] = fresh
            self._files.write(self._known)
        return fresh
