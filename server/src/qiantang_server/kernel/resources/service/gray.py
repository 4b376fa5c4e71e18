"""Gray: a running gray release is changed, promoted to everyone, or aborted; each is a revision of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from qiantang.kernel import errors, release, resource
from qiantang_server.kernel import storage
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.resources import state as states
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.service import ground, overlays, plan, publishing
from qiantang_server.kernel.resources.service.asking import Asked, ask
from qiantang_server.kernel.resources.service.ground import Ground, Head, Published
from qiantang_server.kernel.resources.service.plan import Plan, PlanLine
from qiantang_server.kernel.resources.service.publishing import Order, Publishing, Step
from qiantang_server.kernel.resources.state import Gray, State

SEAT_MS = 120_000


class NoGrayError(errors.ConflictError):
    """No gray release is running."""

    code = "resource.no_gray"


class GrayReleases:
    """Acts on the running gray release of a bundle; how one starts is `Publishing.publish` with a rule."""

    def __init__(self, parts: Ground, publishing: Publishing) -> None:
        self._parts = parts
        self._publishing = publishing

    async def change(
        self, principal: Principal, bundle: resource.Bundle, command: release.GrayChangeCommand
    ) -> release.PublishOutcome:
        """Change whom the running gray release is for; a request where the environment asks for a second person, since a
        wider rule is a publish to more instances.

        Raises:
            NoGrayError: none is running.
            StaleRevisionError: someone published since `expected_revision`.
        """
        if states.is_empty(command.rule):
            raise errors.InvalidRequestError("the gray rule fits no instance: abort the gray release instead")

        def plan_of(head: Head, gray: Gray) -> Plan:
            return _plan("gray_change", head, gray, command.rule)

        return await self._act(principal, bundle, command.expected_revision, plan_of, message="")

    async def promote(
        self, principal: Principal, bundle: resource.Bundle, command: release.GrayEndCommand
    ) -> release.PublishOutcome:
        """Release the gray changes to everyone; a request where the environment asks for a second person.

        Raises:
            NoGrayError: none is running.
            StaleRevisionError: someone published since `expected_revision`.
        """

        def plan_of(head: Head, gray: Gray) -> Plan:
            return _plan("promote", head, gray, None)

        return await self._act(principal, bundle, command.expected_revision, plan_of, message=command.message)

    async def carry_out(
        self, session: storage.Session, principal: Principal, bundle: resource.Bundle, head: Head, *, order: Order
    ) -> Published:
        """Do what a plan wants done with the gray release that runs in a locked bundle.

        Raises:
            NoGrayError: none is running.
            StaleRevisionError: it is not the one of the plan any more, or what it replaces was published by another.
        """
        wanted, gray = order.plan, _running(bundle, head)
        if (gray.id, gray.revision) != (wanted.gray_id, wanted.gray_revision):
            raise errors.StaleRevisionError(f"the gray release in {bundle} was changed after it was looked at")
        plan.require_base(bundle, wanted, head.manifest)
        if wanted.act == "promote":
            state, changed = await self._promoted(session, bundle, head, gray)
        else:
            assert wanted.gray is not None, "a change of the rule has one"  # noqa: S101
            narrowed = msgspec.structs.replace(gray, rule=wanted.gray)
            state, changed = msgspec.structs.replace(head.state, gray=narrowed), []
        step = Step(
            action="promote" if wanted.act == "promote" else "gray_change",
            principal=principal,
            message=order.message,
            state=state,
            changed=changed,
            author=order.author,
            approved_by=order.approved_by,
            gray=gray.id,
        )
        return await publishing.append(session, self._parts, bundle, head, step)

    async def abort(
        self, principal: Principal, bundle: resource.Bundle, command: release.GrayEndCommand
    ) -> release.Release:
        """Take the gray changes back; they become drafts again where no newer draft stands. Needs no approval: everyone gets
        what was published to everyone before.

        Raises:
            NoGrayError: none is running.
            StaleRevisionError: someone published since `expected_revision`.
        """

        async def work(session: storage.Session) -> release.Release:
            head, gray = await self._locked(session, bundle, command.expected_revision)
            await overlays.give_back(session, self._parts, head, gray, head.manifest)
            step = Step(
                action="abort",
                principal=principal,
                message=command.message,
                state=State(items=head.state.items, links=head.state.links),
                changed=states.changed(states.overlay(head.manifest, gray), head.manifest),
                gray=gray.id,
            )
            published = await publishing.append(session, self._parts, bundle, head, step)
            return published.release

        return await self._parts.database.write(work)

    async def status(self, bundle: resource.Bundle) -> release.GrayStatus | None:
        """Give the running gray release, or None."""
        async with self._parts.database.reading() as session:
            head = await ground.head(session, bundle)
            gray = head.state.gray
            if gray is None:
                return None
            seats = await store.live_seats(session, gray.id, await session.now())
        return release.GrayStatus(
            id=gray.id,
            rule=gray.rule,
            revision=gray.revision,
            author=gray.author,
            started_at=gray.started_at,
            resources=states.changed(head.manifest, states.overlay(head.manifest, gray)),
            instances=seats,
        )

    async def hold_seat(self, key: int, gray: Gray, instance: str) -> bool:
        """Let an instance take or keep one of the `count` seats of the bundle with this key; false where all are held by
        others that live. Only one that takes or prolongs a seat writes.
        """
        async with self._parts.database.reading() as session:
            held = await store.live_seats(session, gray.id, await session.now())
        if instance not in held and len(held) >= gray.rule.count:
            return False

        async def work(session: storage.Session) -> bool:
            await store.lock_bundle_by_id(session, key)  # or two would take the last seat
            at = await session.now()
            await store.drop_seats(session, gray.id, at)
            held = await store.live_seats(session, gray.id, at)
            if instance not in held and len(held) >= gray.rule.count:
                return False
            await store.take_seat(session, gray.id, instance, at + SEAT_MS)
            return True

        return await self._parts.database.write(work)

    async def _act(
        self,
        principal: Principal,
        bundle: resource.Bundle,
        expected: int,
        plan_of: Callable[[Head, Gray], Plan],
        *,
        message: str,
    ) -> release.PublishOutcome:
        async def work(session: storage.Session) -> release.PublishOutcome:
            head, gray = await self._locked(session, bundle, expected)
            wanted = plan_of(head, gray)
            if await self._parts.directory.needs_approval(session, bundle.scope):
                asked = Asked(plan=wanted, message=message, waits=True)
                return await ask(session, self._parts, principal, head, asked, bundle=bundle)
            order = Order(plan=wanted, texts=(), message=message)
            published = await self.carry_out(session, principal, bundle, head, order=order)
            return release.PublishOutcome(release=published.release)

        await self._parts.bodies(bundle).ready()
        return await self._parts.database.write(work)

    async def _locked(self, session: storage.Session, bundle: resource.Bundle, expected: int) -> tuple[Head, Gray]:
        row = await store.lock_bundle(session, bundle, self._parts.clock())
        head = await ground.head_of(session, row)
        ground.require_revision(bundle, head.position, expected)
        return head, _running(bundle, head)

    async def _promoted(
        self, session: storage.Session, bundle: resource.Bundle, head: Head, gray: Gray
    ) -> tuple[State, list[tuple[str, str, str]]]:
        manifest = states.overlay(head.manifest, gray)
        changed = states.changed(head.manifest, manifest)
        links = await plan.links_of(session, self._parts, bundle, head.key, manifest)
        await self._publishing.reindex(session, bundle, head.key, changed, manifest)
        await store.drop_seats(session, gray.id)
        return State(items=states.items(manifest, head.state.items, head.position.revision + 1), links=links), changed


def _running(bundle: resource.Bundle, head: Head) -> Gray:
    if head.state.gray is None:
        raise NoGrayError(f"no gray release is running in {bundle}")
    return head.state.gray


def _plan(act: Literal["gray_change", "promote"], head: Head, gray: Gray, rule: release.GrayRule | None) -> Plan:
    after = states.overlay(head.manifest, gray)
    lines = [
        PlanLine(
            kind=kind,
            name=name,
            digest=after.get((kind, name), ""),
            version=0,
            base=head.manifest.get((kind, name), ""),
            author=gray.author_of((kind, name)),
        )
        for kind, name, _action in states.changed(head.manifest, after)
    ]
    return Plan(lines=lines, gray=rule, act=act, gray_id=gray.id, gray_revision=gray.revision)
