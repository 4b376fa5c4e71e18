"""Gray: a running gray release is changed, promoted to everyone, or aborted; each is a revision of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from qiantang.kernel import errors, release, resource
from qiantang_server.kernel import storage
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.resources import state as states
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.service import ground, publishing
from qiantang_server.kernel.resources.service.ground import Ground, Head, Published
from qiantang_server.kernel.resources.service.publishing import Publishing, Step
from qiantang_server.kernel.resources.state import Gray, State

SEAT_MS = 120_000

_Chooser = Callable[[storage.Session, Head, Gray], Awaitable[Step]]


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
    ) -> release.Release:
        """Change whom the running gray release is for.

        Raises:
            NoGrayError: none is running.
            StaleRevisionError: someone published since `expected_revision`.
        """
        if states.is_empty(command.rule):
            raise errors.InvalidRequestError("the gray rule fits no instance: abort the gray release instead")

        async def step(_session: storage.Session, head: Head, gray: Gray) -> Step:
            changed = msgspec.structs.replace(gray, rule=command.rule)
            state = msgspec.structs.replace(head.state, gray=changed)
            return Step(action="gray_change", principal=principal, message="", state=state, changed=[], gray=gray.id)

        return await self._act(bundle, command.expected_revision, step)

    async def promote(
        self, principal: Principal, bundle: resource.Bundle, command: release.GrayEndCommand
    ) -> release.Release:
        """Release the gray changes to everyone.

        Raises:
            NoGrayError: none is running.
            StaleRevisionError: someone published since `expected_revision`.
        """

        async def step(session: storage.Session, head: Head, gray: Gray) -> Step:
            manifest = states.overlay(head.manifest, gray)
            changed = states.changed(head.manifest, manifest)
            await self._publishing.reindex(session, bundle, head.key, changed, manifest)
            await store.drop_seats(session, gray.id)
            lines = states.items(manifest, head.state.items, head.position.revision + 1)
            state = State(items=lines, links=head.state.gray_links)
            return Step(
                action="promote",
                principal=principal,
                message=command.message,
                state=state,
                changed=changed,
                gray=gray.id,
            )

        await self._parts.bodies(bundle).ready()
        return await self._act(bundle, command.expected_revision, step)

    async def abort(
        self, principal: Principal, bundle: resource.Bundle, command: release.GrayEndCommand
    ) -> release.Release:
        """Take the gray changes back; they become drafts again where no newer draft stands.

        Raises:
            NoGrayError: none is running.
            StaleRevisionError: someone published since `expected_revision`.
        """

        async def step(session: storage.Session, head: Head, gray: Gray) -> Step:
            await self._back_to_drafts(session, head, gray)
            await store.drop_seats(session, gray.id)
            state = State(items=head.state.items, links=head.state.links)
            changed = states.changed(states.overlay(head.manifest, gray), head.manifest)
            return Step(
                action="abort",
                principal=principal,
                message=command.message,
                state=state,
                changed=changed,
                gray=gray.id,
            )

        return await self._act(bundle, command.expected_revision, step)

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

    async def hold_seat(self, gray: Gray, instance: str) -> bool:
        """Let an instance take or keep one of the `count` seats; false where all are held by others that live."""

        async def work(session: storage.Session) -> bool:
            at = await session.now()
            await store.drop_seats(session, gray.id, at)
            held = await store.live_seats(session, gray.id, at)
            if instance not in held and len(held) >= gray.rule.count:
                return False
            await store.take_seat(session, gray.id, instance, at + SEAT_MS)
            return True

        return await self._parts.database.write(work)

    async def _act(self, bundle: resource.Bundle, expected: int, step: _Chooser) -> release.Release:
        async def work(session: storage.Session) -> Published:
            row = await store.lock_bundle(session, bundle, self._parts.clock())
            head = await ground.head_of(session, row)
            ground.require_revision(bundle, head.position, expected)
            if head.state.gray is None:
                raise NoGrayError(f"no gray release is running in {bundle}")
            chosen = await step(session, head, head.state.gray)
            return await publishing.append(session, self._parts, bundle, head, chosen)

        published = await self._parts.database.write(work)
        async with self._parts.database.reading() as session:
            row = await store.read_release(session, published.key, published.position.revision)
        assert row is not None, "just committed"  # noqa: S101
        return ground.release_view(row)

    async def _back_to_drafts(self, session: storage.Session, head: Head, gray: Gray) -> None:
        contents = await store.read_contents(session, head.key, [item.digest for item in gray.put])
        bodies = {(item.kind, item.name): contents[item.digest] for item in gray.put}
        there = {(row.kind, row.name) for row in await store.list_drafts(session, head.key)}
        keys = [*bodies, *((key[0], key[1]) for key in gray.remove)]
        for key in keys:
            if key in there or (key not in bodies and key not in head.manifest):
                continue
            row = await store.bundle_by_id(session, head.key)
            assert row is not None, "locked by this transaction"  # noqa: S101
            body = bodies.get(key)
            values = {
                "bundle": head.key,
                "kind": key[0],
                "name": key[1],
                "version": await store.next_edit(session, row),
                "removes": body is None,
                "body": body or b"",
                "digest": "" if body is None else resource.content_digest(body),
                "base": head.manifest.get(key, ""),
                "author": gray.author,
                "edited_at": self._parts.clock(),
            }
            await store.save_draft(session, values)
