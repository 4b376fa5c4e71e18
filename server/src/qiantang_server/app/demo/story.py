"""Story: what happened to the shop's settings before somebody looks at it, done by its people one after the other.

Each step states the revision that it was done at, so that a step that was done already, or that somebody else overtook, is
passed over. A step that cannot be done any more is told in the log, and the next one follows.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from qiantang.config.model import CAPABILITY, KIND
from qiantang.kernel import errors, release, resource
from qiantang_server.app.demo import bodies, shop
from qiantang_server.app.demo.bodies import APPLICATION, RATES, RESERVATION, SHARED, Body
from qiantang_server.app.demo.shop import ADA, BILLING, LIN, MEI, ORDER, STOCK, Member, Service
from qiantang_server.kernel import access
from qiantang_server.kernel.access import Principal, Target
from qiantang_server.kernel.resources import Resources
from qiantang_server.kernel.resources.state import Key

log = logging.getLogger(__name__)
PROD, DEV = shop.PROTECTED, "dev"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change that somebody edits and asks for, at a revision. In prod it waits where nobody approves it.

    Without edits it goes back to the content of revision `back_to`. Edits are of namespaces by their names, or of what kind and
    name say.
    """

    service: Service
    environment: str
    at: int
    by: Member
    message: str
    edits: Mapping[str, Body] | Mapping[Key, Body] = field(default_factory=dict[str, Body])
    capability: str = CAPABILITY
    approved_by: Member | None = None
    gray: release.GrayRule | None = None
    back_to: int = 0

    @property
    def bundle(self) -> resource.Bundle:
        """What it changes."""
        return self.service.bundle(self.environment, self.capability)

    @property
    def bodies(self) -> dict[Key, Body]:
        """What it edits, by kind and name."""
        return {(KIND, key) if isinstance(key, str) else key: body for key, body in self.edits.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A draft that somebody left lying."""

    service: Service
    environment: str
    by: Member
    namespace: str
    body: Body


def past() -> list[Step]:
    """Give what was before the services were started."""
    return [*_first(), *_prod_orders(), *_prod_stock(), *_prod_billing(), *_dev()]


def today() -> list[Step]:
    """Give what happens while they run: a canary, a rate that one instance cannot take, and who would mend it."""
    express = {APPLICATION: bodies.order(PROD, per_minute=90, express=True)}
    zero, mended = ({bodies.cluster(RATES): bodies.rates_of_cluster(yen)} for yen in (0, 21.37))
    canary = release.GrayRule(labels=[{"track": "canary"}])
    some = partial(Step, service=ORDER, environment=PROD, gray=canary)
    step = partial(Step, service=BILLING, environment=PROD)
    return [
        some(at=4, by=LIN, approved_by=MEI, message="Express for small orders, on the canary first", edits=express),
        step(at=3, by=ADA, approved_by=MEI, message="hz-b writes bills in yen as well", edits=zero),
        step(at=4, by=LIN, message="The yen of hz-b has a rate, and not zero", edits=mended),
    ]


def drafts() -> list[Edit]:
    """Give what lies half done."""
    oversell = bodies.reservation(oolong=200, mode="oversell", hold=30)
    return [
        Edit(service=ORDER, environment=PROD, by=LIN, namespace=SHARED, body=bodies.shared(every=30)),
        Edit(service=STOCK, environment=PROD, by=ADA, namespace=RESERVATION, body=oversell),
    ]


def _first() -> list[Step]:
    prod = {
        ORDER: {SHARED: bodies.shared(every=60), APPLICATION: bodies.order(PROD, per_minute=60)},
        STOCK: {APPLICATION: bodies.stock(), RESERVATION: bodies.reservation()},
        BILLING: {APPLICATION: bodies.billing(tax=3), RATES: bodies.rates(bodies.MONDAY)},
    }
    dev = {
        **prod,
        ORDER: {SHARED: bodies.shared(every=300), APPLICATION: bodies.order(DEV, per_minute=30)},
    }
    steps: list[Step] = []
    for service in shop.SERVICES:
        first = partial(Step, service=service, at=0, message=f"First settings of {service.name}")
        steps.append(first(environment=DEV, by=LIN, edits=dev[service]))
        steps.append(first(environment=PROD, by=ADA, approved_by=MEI, edits=prod[service]))
    return steps


def _prod_orders() -> list[Step]:
    def told(per_minute: int) -> dict[str, Body]:
        return {APPLICATION: bodies.order(PROD, per_minute=per_minute)}

    step = partial(Step, service=ORDER, environment=PROD, by=LIN)
    return [
        step(at=1, approved_by=MEI, message="Autumn sale: twice as many orders", edits=told(120)),
        step(at=2, back_to=1, message="Back: stock cannot follow"),
        step(at=3, approved_by=ADA, message="Autumn sale, more gently", edits=told(90)),
    ]


def _prod_stock() -> list[Step]:
    more = {RESERVATION: bodies.reservation(oolong=200)}
    small = {bodies.cluster(RESERVATION): bodies.reservation_of_cluster()}
    step = partial(Step, service=STOCK, environment=PROD, approved_by=MEI)
    return [
        step(at=1, by=LIN, message="More oolong for the winter", edits=more),
        step(at=2, by=ADA, message="hz-b has a shelf of its own", edits=small),
    ]


def _prod_billing() -> list[Step]:
    tax, friday = {APPLICATION: bodies.billing()}, {RATES: bodies.rates(bodies.FRIDAY)}
    step = partial(Step, service=BILLING, environment=PROD)
    return [
        step(at=1, by=ADA, approved_by=MEI, message="Six percent from this quarter on", edits=tax),
        step(at=2, by=LIN, approved_by=ADA, message="Rates of Friday, with Hong Kong", edits=friday),
    ]


def _dev() -> list[Step]:
    express = {APPLICATION: bodies.order(DEV, per_minute=30, express=True)}
    hold = {RESERVATION: bodies.reservation(hold=5)}
    friday = {RATES: bodies.rates(bodies.FRIDAY)}
    step = partial(Step, environment=DEV, at=1)
    return [
        step(service=ORDER, by=LIN, message="Try express", edits=express),
        step(service=STOCK, by=ADA, message="Hold for five minutes, to see it", edits=hold),
        step(service=BILLING, by=LIN, message="Rates of Friday", edits=friday),
    ]


class Story:
    """Does the steps, each as who is named in it and with no more rights than theirs."""

    def __init__(self, resources: Resources, people: Mapping[str, Principal]) -> None:
        self._resources = resources
        self._people = people

    async def go(self, steps: list[Step]) -> None:
        """Do what was not done yet."""
        for step in steps:
            try:
                await self._step(step)
            except errors.QiantangError as error:
                facts = {"bundle": str(step.bundle), "step": step.message, "reason": error.detail}
                log.warning("a step of the demo's story is left out", extra=facts)

    async def leave(self, edits: list[Edit]) -> None:
        """Leave drafts where there are none."""
        for edit in edits:
            bundle = edit.service.bundle(edit.environment)
            try:
                if (await self._resources.history.status(bundle)).drafts == 0:
                    await self._edit(bundle, edit.by, (KIND, edit.namespace), edit.body)
            except errors.QiantangError as error:
                facts = {"bundle": str(bundle), "reason": error.detail}
                log.warning("a draft of the demo is left out", extra=facts)

    async def _step(self, step: Step) -> None:
        status = await self._resources.history.status(step.bundle)
        if status.position.revision != step.at or status.requests:
            return
        if step.back_to:
            await self._back(step)
            return
        for key, body in step.bodies.items():
            await self._edit(step.bundle, step.by, key, body)
        author = self._may(step.by, "publish", step.bundle, *step.bodies)
        command = release.PublishCommand(
            expected_revision=step.at,
            message=step.message,
            only=list(step.bodies),
            gray=step.gray,
        )
        outcome = await self._resources.publishing.publish(author, step.bundle, command)
        if outcome.request is not None and step.approved_by is not None:
            second = self._may(step.approved_by, "approve", step.bundle, *step.bodies)
            await self._resources.requests.decide(second, step.bundle, outcome.request.id, "approve")

    async def _back(self, step: Step) -> None:
        author = self._may(step.by, "rollback", step.bundle, (KIND, ""))
        command = release.RollbackCommand(to_revision=step.back_to, expected_revision=step.at, message=step.message)
        await self._resources.publishing.roll_back(author, step.bundle, command)

    async def _edit(self, bundle: resource.Bundle, by: Member, key: Key, body: Body) -> None:
        author = self._may(by, "update", bundle, key)
        try:
            known = (await self._resources.drafts.read(bundle, *key)).version
        except errors.NotFoundError:
            known = release.NO_VERSION
        await self._resources.drafts.save(author, bundle, *key, body, expected=known)

    def _may(self, member: Member, verb: str, bundle: resource.Bundle, *keys: Key) -> Principal:
        """Give a member who may do this to resources of these kinds.

        Raises:
            NotFoundError: nobody of that name is there.
            NotPermittedError: the member may not.
        """
        found = self._people.get(member.name)
        if found is None:
            raise errors.NotFoundError(f"{member.name} is not there any more")
        kinds = self._resources.parts.kinds
        for kind in {kind for kind, _ in keys}:
            needed = kinds.permission(kinds.get(bundle.capability, kind), verb)
            access.require(found, needed, Target.of(bundle.scope))
        return found
