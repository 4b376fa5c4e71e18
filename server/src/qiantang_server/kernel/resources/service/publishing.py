"""Publishing: a draft becomes an immutable revision in one transaction with its notice, its history and its audit row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import msgspec

from qiantang.kernel import errors, release, resource, wire
from qiantang_server.kernel import audit, storage
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.resources import state as states
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.kinds import ResourceKind
from qiantang_server.kernel.resources.service import ground, overlays, plan
from qiantang_server.kernel.resources.service.asking import Asked, ask
from qiantang_server.kernel.resources.service.ground import Ground, Head, Published
from qiantang_server.kernel.resources.service.plan import Plan
from qiantang_server.kernel.resources.state import Gray, Item, Key, Manifest, State

Along = Callable[[storage.Session, release.PublishOutcome], Awaitable[None]]
"""What is written in the transaction of a publish; run again where that is."""


async def _nothing(_session: storage.Session, _outcome: release.PublishOutcome) -> None:
    """Write nothing along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a new revision is and who wants it."""

    action: release.ReleaseAction
    principal: Principal
    message: str
    state: State
    changed: list[tuple[str, str, str]]
    author: str = ""
    approved_by: str = ""
    gray: str = ""
    from_revision: int = 0
    contents: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A plan to carry out, with the search rows of what it publishes and who asked for it and approved it."""

    plan: Plan
    texts: Sequence[tuple[str, str, str, str]]
    message: str
    author: str = ""
    approved_by: str = ""


async def append(session: storage.Session, parts: Ground, bundle: resource.Bundle, head: Head, step: Step) -> Published:
    """Write the next revision of a locked bundle: release, head, outbox and audit together; told when durable."""
    position = states.next_position(head.position)
    values = {
        "bundle": head.key,
        "revision": position.revision,
        "epoch": position.epoch,
        "action": step.action,
        "author": step.author or step.principal.name or step.principal.id,
        "approved_by": step.approved_by,
        "message": step.message,
        "created_at": parts.clock(),
        "from_revision": step.from_revision,
        "gray": step.gray,
        "changed": wire.encode(step.changed),
        "state": wire.encode(step.state),
    }
    await store.add_release(session, values)
    await store.move_head(session, head.key, position, step.state.gray.id if step.state.gray is not None else "")
    before, after = head.state.names(), step.state.names()
    await store.rename(session, head.key, sorted(before - after), sorted(after - before))
    notice = await store.add_notice(session, head.key, position.epoch, position.revision)
    verb = "rollback" if step.action == "rollback" else "publish"
    await audit.record(
        session,
        ground.event(
            step.principal,
            bundle,
            ground.permission(bundle, parts.kinds, verb),
            f"revision/{position.revision}",
            reason=f"{verb}: {step.action}" + (f", approved by {step.approved_by}" if step.approved_by else ""),
            changes=[{"kind": kind, "name": name, "action": action} for kind, name, action in step.changed],
        ),
    )
    made = ground.release_view(SimpleNamespace(**values))
    published = Published(bundle, head.key, position, step.state, notice, made, step.contents)
    session.after_commit(lambda: parts.published(published))
    return published


class Publishing:
    """Publishes drafts, at once or on request, and rolls back."""

    def __init__(self, parts: Ground) -> None:
        self._parts = parts

    async def check(self, bundle: resource.Bundle, only: Sequence[Key] | None = None) -> release.CheckResult:
        """Check the drafts as a publish would; nothing is written."""
        prepared = await plan.prepare(self._parts, bundle, only=only)
        return release.CheckResult(ok=not prepared.problems, problems=prepared.problems)

    async def publish(
        self,
        principal: Principal,
        bundle: resource.Bundle,
        command: release.PublishCommand,
        *,
        along: Along = _nothing,
    ) -> release.PublishOutcome:
        """Publish drafts: at once, or as a request where the environment asks for a second person or `at` names a time.

        What `along` writes is written with it or not at all; what it raises keeps all from being published.

        Raises:
            StaleRevisionError: someone published since `expected_revision`, or edited a draft since it was checked.
            InvalidDraftsError: a draft has problems; nothing was published.
            ConflictError: there is nothing to publish.
        """
        if command.gray is not None and states.is_empty(command.gray):
            raise errors.InvalidRequestError(
                "the gray rule fits no instance: give labels, instances, a percent or a count"
            )
        prepared = await plan.prepare(self._parts, bundle, only=command.only, gray=command.gray)
        ground.require_revision(bundle, prepared.head.position, command.expected_revision)
        if not prepared.plan.lines:
            raise errors.ConflictError(f"{bundle} has no drafts: there is nothing to publish")
        prepared.require_valid()

        async def work(session: storage.Session) -> release.PublishOutcome:
            await self._parts.directory.require_application(session, bundle.scope)
            row = await store.lock_bundle(session, bundle, self._parts.clock())
            head = await ground.head_of(session, row, known=prepared.head)
            ground.require_revision(bundle, head.position, command.expected_revision)
            waits = await self._parts.directory.needs_approval(session, bundle.scope)
            if waits or command.at is not None:
                asked = Asked(plan=prepared.plan, message=command.message, at=command.at, waits=waits)
                outcome = await ask(session, self._parts, principal, head, asked, bundle=bundle)
            else:
                order = Order(plan=prepared.plan, texts=prepared.texts, message=command.message)
                published = await self.carry_out(session, principal, bundle, head, order=order)
                outcome = release.PublishOutcome(release=published.release)
            await along(session, outcome)
            return outcome

        return await self._parts.database.write(work)

    async def carry_out(
        self,
        session: storage.Session,
        principal: Principal,
        bundle: resource.Bundle,
        head: Head,
        *,
        order: Order,
    ) -> Published:
        """Publish a plan over a locked bundle; its drafts become contents and are gone as drafts."""
        wanted = order.plan
        keys = [line.key for line in wanted.lines]
        rows = await store.list_drafts(session, head.key, keys)
        plan.require_unchanged(bundle, wanted, rows, head.manifest)
        contents = {row.digest: bytes(row.body) for row in rows if not row.removes}
        await store.add_contents(session, head.key, contents)
        await store.drop_drafts(session, head.key, keys)
        if wanted.gray is None:
            state = await self._released(session, bundle, head, wanted, fresh=contents)
            texts = [text for text in order.texts if (text[0], text[1]) in set(keys)]
            await store.index_texts(session, head.key, keys, texts)
        else:
            author = order.author or principal.name or principal.id
            state = await self._grayed(session, author, bundle, head, wanted, fresh=contents)
        step = Step(
            action="publish" if wanted.gray is None else "gray",
            principal=principal,
            message=order.message,
            state=state,
            changed=wanted.changed(),
            author=order.author,
            approved_by=order.approved_by,
            gray=state.gray.id if wanted.gray is not None and state.gray is not None else "",
            contents=contents,
        )
        return await append(session, self._parts, bundle, head, step)

    async def roll_back(
        self, principal: Principal, bundle: resource.Bundle, command: release.RollbackCommand
    ) -> release.Release:
        """Publish the content of an earlier revision as a new one; a running gray release ends, and its changes become drafts
        again where no newer draft stands. Needs no approval: what it brings back was published before, and it is what one does
        at night.

        Raises:
            StaleRevisionError: someone published since `expected_revision`.
            NotFoundError: there is no such revision.
            ConflictError: that content is what everyone has already.
        """

        async def work(session: storage.Session) -> release.Release:
            row = await store.lock_bundle(session, bundle, self._parts.clock())
            head = await ground.head_of(session, row)
            ground.require_revision(bundle, head.position, command.expected_revision)
            if command.to_revision < 1:
                raise errors.NotFoundError(f"there is no revision {command.to_revision}: the first is 1")
            target = await ground.state_at(session, head.key, command.to_revision)
            changed = states.changed(head.manifest, target.manifest())
            if not changed and head.state.gray is None:
                raise errors.ConflictError(f"{bundle} already has the content of revision {command.to_revision}")
            await self.reindex(session, bundle, head.key, changed, target.manifest())
            if head.state.gray is not None:
                await overlays.give_back(session, self._parts, head, head.state.gray, target.manifest())
            lines = states.items(target.manifest(), head.state.items, head.position.revision + 1)
            state = State(items=lines, links=target.links)
            step = Step(
                action="rollback",
                principal=principal,
                message=command.message,
                state=state,
                changed=changed,
                from_revision=command.to_revision,
            )
            published = await append(session, self._parts, bundle, head, step)
            return published.release

        await self._parts.bodies(bundle).ready()
        return await self._parts.database.write(work)

    async def reindex(
        self,
        session: storage.Session,
        bundle: resource.Bundle,
        key: int,
        changed: Iterable[tuple[str, str, str]],
        manifest: Manifest,
    ) -> None:
        """Bring the search rows of changed resources in line with a manifest."""
        keys = [(kind, name) for kind, name, _action in changed]
        contents = await store.read_contents(session, key, [manifest[one] for one in keys if one in manifest])
        bodies = self._parts.bodies(bundle)
        rows: list[tuple[str, str, str, str]] = []
        for kind_name, name in keys:
            digest = manifest.get((kind_name, name))
            if digest is not None:
                kind = self._parts.kinds.get(bundle.capability, kind_name)
                opened = bodies.opened(kind_name, name, contents[digest])
                texts = await ground.aside(len(contents[digest]), _texts, kind, opened)
                rows += [(kind_name, name, path, text) for path, text in texts]
        await store.index_texts(session, key, keys, rows)

    async def _released(
        self, session: storage.Session, bundle: resource.Bundle, head: Head, wanted: Plan, *, fresh: Mapping[str, bytes]
    ) -> State:
        manifest = dict(head.manifest)
        for line in wanted.lines:
            if line.digest:
                manifest[line.key] = line.digest
            else:
                manifest.pop(line.key, None)
        links = await plan.links_of(session, self._parts, bundle, head.key, manifest, fresh=fresh)
        gray_links: list[tuple[str, str]] = []
        if head.state.gray is not None:  # lies over what is published now, links and all
            overlaid = states.overlay(manifest, head.state.gray)
            gray_links = await plan.links_of(session, self._parts, bundle, head.key, overlaid, fresh=fresh)
        lines = states.items(manifest, head.state.items, head.position.revision + 1)
        return msgspec.structs.replace(head.state, items=lines, links=links, gray_links=gray_links)

    async def _grayed(
        self,
        session: storage.Session,
        author: str,
        bundle: resource.Bundle,
        head: Head,
        wanted: Plan,
        *,
        fresh: Mapping[str, bytes],
    ) -> State:
        running = head.state.gray
        put = {(item.kind, item.name): item.digest for item in running.put} if running else {}
        remove = {(key[0], key[1]) for key in running.remove} if running else set[Key]()
        authors = {(kind, name): who for kind, name, who in running.authors} if running else {}
        for line in wanted.lines:
            authors[line.key] = line.author
            put.pop(line.key, None)
            remove.discard(line.key)
            if line.digest:
                put[line.key] = line.digest
            else:
                remove.add(line.key)
        assert wanted.gray is not None, "only gray plans come here"  # noqa: S101
        gray = Gray(
            id=running.id if running else states.gray_id(bundle, states.next_position(head.position)),
            rule=wanted.gray,
            author=running.author if running else author,
            started_at=running.started_at if running else self._parts.clock(),
            revision=head.position.revision + 1,
            put=[Item(kind=kind, name=name, digest=digest) for (kind, name), digest in sorted(put.items())],
            remove=sorted(remove),
            authors=[(kind, name, who) for (kind, name), who in sorted(authors.items())],
        )
        manifest = states.overlay(head.manifest, gray)
        links = await plan.links_of(session, self._parts, bundle, head.key, manifest, fresh=fresh)
        return msgspec.structs.replace(head.state, gray=gray, gray_links=links)


def _texts(kind: ResourceKind, body: Any) -> list[tuple[str, str]]:
    return list(kind.texts(body))
