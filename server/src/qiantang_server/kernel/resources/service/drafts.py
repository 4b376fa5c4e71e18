"""Drafts: edits that wait to be published. Each write states the version that it saw, so no edit is lost unseen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qiantang.kernel import errors, release, resource, wire
from qiantang_server.kernel import audit, storage
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.kinds import ResourceKind
from qiantang_server.kernel.resources.service import ground
from qiantang_server.kernel.resources.service.ground import Ground
from qiantang_server.kernel.resources.state import Item, Key

ANY_VERSION = "*"


class StaleDraftError(errors.StaleRevisionError):
    """Someone else edited the resource since the caller read it."""

    code = "resource.stale_draft"


@dataclass(frozen=True, slots=True)
class Stored:
    """A body as it is stored, and the version that an edit of it states."""

    version: str
    body: bytes


class Drafts:
    """Reads and writes the drafts of bundles."""

    def __init__(self, parts: Ground) -> None:
        self._parts = parts

    async def save(
        self,
        principal: Principal,
        bundle: resource.Bundle,
        kind_name: str,
        name: str,
        body: Any,
        *,
        expected: str,
    ) -> release.ResourceDetail:
        """Save `body` as the draft. Saving what is published already leaves no draft. Checked fully at publish, so that
        half-done work can be kept; only its shape and size are checked here.

        Raises:
            StaleDraftError: the resource's version is not `expected`; `facts.version` is the one it has.
            InvalidRequestError: the body is not of the kind's shape, or the name is none.
            TooLargeError: the body is over the kind's limit.
        """
        kind = self._parts.kinds.get(bundle.capability, kind_name)
        kind.check_name(name)
        wire.convert(body, kind.model)
        bodies = self._parts.bodies(bundle)
        await bodies.ready()

        async def work(session: storage.Session) -> release.ResourceDetail:
            await self._parts.directory.require_application(session, bundle.scope)
            row = await store.lock_bundle(session, bundle, self._parts.clock())
            self._parts.tell(session, bundle, "draft")
            current = await ground.head_of(session, row)
            draft = await store.find_draft(session, row.id, kind_name, name)
            published = current.manifest.get((kind_name, name))
            _require_version(bundle, kind, name, _version(draft, published), expected)
            before = await ground.body_of(session, row.id, published)
            drafted = None if draft is None or draft.removes else bytes(draft.body)
            stored = bodies.seal(kind_name, name, body, drafted, before)
            _require_size(kind, name, stored)
            await self._write(session, principal, row, kind=kind, name=name, stored=stored, published=published)
            changes = await ground.aside(
                len(stored), kind.differences, bodies.masked(drafted or before), bodies.masked(stored)
            )
            await audit.record(
                session,
                ground.event(
                    principal,
                    bundle,
                    kind.permission("update"),
                    f"{kind_name}/{name}",
                    changes=ground.changes_view(changes),
                ),
            )
            # read here: after the transaction it could be another's edit, whose version the next edit would then state unseen
            return await self._detail(session, bundle, kind_name, name)

        return await self._parts.database.write(work)

    async def remove(
        self, principal: Principal, bundle: resource.Bundle, kind_name: str, name: str, *, expected: str
    ) -> None:
        """Draft the removal of a published resource; one that was never published only loses its draft.

        Raises:
            NotFoundError: neither published nor drafted.
            StaleDraftError: the resource's version is not `expected`.
        """
        kind = self._parts.kinds.get(bundle.capability, kind_name)

        async def work(session: storage.Session) -> None:
            row = await store.lock_bundle(session, bundle, self._parts.clock())
            self._parts.tell(session, bundle, "draft")
            current = await ground.head_of(session, row)
            draft = await store.find_draft(session, row.id, kind_name, name)
            published = current.manifest.get((kind_name, name))
            if draft is None and published is None:
                raise errors.NotFoundError(f"there is no {kind_name} {name!r} in {bundle}")
            _require_version(bundle, kind, name, _version(draft, published), expected)
            if published is None:
                await store.drop_drafts(session, row.id, [(kind_name, name)])
            else:
                await self._write(session, principal, row, kind=kind, name=name, stored=None, published=published)
            await audit.record(
                session,
                ground.event(principal, bundle, kind.permission("update"), f"{kind_name}/{name}", reason="removed"),
            )

        await self._parts.database.write(work)

    async def discard(
        self, principal: Principal, bundle: resource.Bundle, kind_name: str, name: str, *, expected: str
    ) -> None:
        """Throw a draft away; what is published stays. Nothing happens where there is no draft.

        Raises:
            StaleDraftError: the resource's version is not `expected`.
        """
        kind = self._parts.kinds.get(bundle.capability, kind_name)

        async def work(session: storage.Session) -> None:
            row = await store.lock_bundle(session, bundle, self._parts.clock())
            self._parts.tell(session, bundle, "draft")
            current = await ground.head_of(session, row)
            draft = await store.find_draft(session, row.id, kind_name, name)
            if draft is None:
                return
            published = current.manifest.get((kind_name, name))
            _require_version(bundle, kind, name, _version(draft, published), expected)
            await store.drop_drafts(session, row.id, [(kind_name, name)])
            await audit.record(
                session,
                ground.event(
                    principal,
                    bundle,
                    kind.permission("update"),
                    f"{kind_name}/{name}",
                    reason="draft discarded",
                ),
            )

        await self._parts.database.write(work)

    async def read(self, bundle: resource.Bundle, kind_name: str, name: str) -> release.ResourceDetail:
        """Give a resource with its draft; secrets masked.

        Raises:
            NotFoundError: neither published nor drafted.
        """
        self._parts.kinds.get(bundle.capability, kind_name)
        async with self._parts.database.reading() as session:
            return await self._detail(session, bundle, kind_name, name)

    async def _detail(
        self, session: storage.Session, bundle: resource.Bundle, kind_name: str, name: str
    ) -> release.ResourceDetail:
        bodies = self._parts.bodies(bundle)
        current = await ground.head(session, bundle)
        draft = await store.find_draft(session, current.key, kind_name, name)
        published = current.manifest.get((kind_name, name))
        if draft is None and published is None:
            raise errors.NotFoundError(f"there is no {kind_name} {name!r} in {bundle}")
        before = await ground.body_of(session, current.key, published)
        return release.ResourceDetail(
            kind=kind_name,
            name=name,
            state=_state(draft, published),
            version=_version(draft, published),
            revision=current.position.revision,
            published=bodies.masked(before),
            draft=None if draft is None or draft.removes else bodies.masked(bytes(draft.body)),
            edited_by="" if draft is None else draft.author,
            edited_at=0 if draft is None else draft.edited_at,
        )

    async def reveal(
        self, principal: Principal, bundle: resource.Bundle, kind_name: str, name: str, *, drafted: bool
    ) -> Any:
        """Give a body with its secrets in plain text, and write down who saw it. None where there is none.

        Raises:
            NotFoundError: neither published nor drafted.
        """
        kind = self._parts.kinds.get(bundle.capability, kind_name)
        bodies = self._parts.bodies(bundle)
        await bodies.ready()

        async def work(session: storage.Session) -> bytes | None:
            current = await ground.head(session, bundle)
            draft = await store.find_draft(session, current.key, kind_name, name)
            published = current.manifest.get((kind_name, name))
            if draft is None and published is None:
                raise errors.NotFoundError(f"there is no {kind_name} {name!r} in {bundle}")
            await audit.record(
                session, ground.event(principal, bundle, kind.permission("reveal"), f"{kind_name}/{name}")
            )
            if drafted and draft is not None:
                return None if draft.removes else bytes(draft.body)
            return await ground.body_of(session, current.key, published)

        body = await self._parts.database.write(work)
        return None if body is None else bodies.opened(kind_name, name, body)

    async def list_resources(
        self, bundle: resource.Bundle, kind_name: str, *, after: str, limit: int
    ) -> release.Page[release.ResourceSummary]:
        """Give a page of a kind's resources in order of name, drafts among them."""
        self._parts.kinds.get(bundle.capability, kind_name)
        async with self._parts.database.reading() as session:
            current = await ground.head(session, bundle)
            rows = {row.name: row for row in await store.list_drafts(session, current.key) if row.kind == kind_name}
            published = {item.name: item for item in current.state.items if item.kind == kind_name}
            names = [name for name in sorted({*rows, *published}) if name > after]
            shown = names[:limit]
            digests = [published[name].digest for name in shown if name in published]
            sizes = await store.content_sizes(session, current.key, digests)
        items = [_summary(kind_name, name, rows.get(name), published.get(name), sizes) for name in shown]
        return release.Page(items=items, next=names[limit - 1] if len(names) > limit else "")

    async def stored(self, bundle: resource.Bundle, *, drafted: bool) -> dict[Key, Stored]:
        """Give every body of a bundle as it is stored, secrets sealed: as published, or with `drafted` as it is edited now."""
        async with self._parts.database.reading() as session:
            current = await ground.head(session, bundle)
            rows = {(row.kind, row.name): row for row in await store.list_drafts(session, current.key)}
            contents = await store.read_contents(session, current.key, current.manifest.values())
        found = {
            key: Stored(_version(rows.get(key), digest), contents[digest]) for key, digest in current.manifest.items()
        }
        if drafted:
            for key, row in rows.items():
                if row.removes:
                    found.pop(key, None)
                else:
                    found[key] = Stored(_version(row, None), bytes(row.body))
        return found

    async def pending(self, bundle: resource.Bundle) -> release.Difference:
        """Give every draft of a bundle with what it would change; secrets masked."""
        bodies = self._parts.bodies(bundle)
        async with self._parts.database.reading() as session:
            current = await ground.head(session, bundle)
            rows = await store.list_drafts(session, current.key)
            digests = [current.manifest.get((row.kind, row.name), "") for row in rows]
            before = await store.read_contents(session, current.key, filter(None, digests))
        found: list[release.PendingChange] = []
        for row, digest in zip(rows, digests, strict=True):
            kind = self._parts.kinds.get(bundle.capability, row.kind)
            old, new = bodies.masked(before.get(digest)), None if row.removes else bodies.masked(bytes(row.body))
            change = release.PendingChange(
                kind=row.kind,
                name=row.name,
                action="remove" if row.removes else ("change" if digest else "add"),
                version=_version(row, digest or None),
                author=row.author,
                edited_at=row.edited_at,
                changes=await ground.aside(len(row.body), kind.differences, old, new),
            )
            found.append(change)
        return release.Difference(revision=current.position.revision, pending=found)

    async def _write(
        self,
        session: storage.Session,
        principal: Principal,
        row: store.Row,
        *,
        kind: ResourceKind,
        name: str,
        stored: bytes | None,
        published: str | None,
    ) -> None:
        edit = await store.next_edit(session, row)
        digest = "" if stored is None else resource.content_digest(stored)
        if digest and digest == published:
            await store.drop_drafts(session, row.id, [(kind.name, name)])
            return
        await store.save_draft(
            session,
            {
                "bundle": row.id,
                "kind": kind.name,
                "name": name,
                "version": edit,
                "removes": stored is None,
                "body": stored or b"",
                "digest": digest,
                "base": published or "",
                "author": principal.name or principal.id,
                "edited_at": self._parts.clock(),
            },
        )


def _version(draft: store.Row | None, published: str | None) -> str:
    if draft is not None:
        return f"d{draft.version}"
    return f"p{published[:16]}" if published else release.NO_VERSION


def _state(draft: store.Row | None, published: str | None) -> Any:
    if draft is None:
        return "published"
    if draft.removes:
        return "removed"
    return "changed" if published else "new"


def _summary(
    kind: str, name: str, draft: store.Row | None, published: Item | None, sizes: Mapping[str, int]
) -> release.ResourceSummary:
    digest = published.digest if published else None
    size = len(draft.body) if draft is not None and not draft.removes else sizes.get(digest or "", 0)
    return release.ResourceSummary(
        kind=kind,
        name=name,
        state=_state(draft, digest),
        version=_version(draft, digest),
        digest=digest or "",
        size=size,
        changed_revision=published.revision if published else 0,
        edited_by="" if draft is None else draft.author,
        edited_at=0 if draft is None else draft.edited_at,
    )


def _require_version(bundle: resource.Bundle, kind: ResourceKind, name: str, current: str, expected: str) -> None:
    if expected not in (current, ANY_VERSION):
        raise StaleDraftError(
            f"{kind.name} {name!r} of {bundle} is at version {current}, not at {expected!r} as you expected: "
            "read it again, bring your change over, then save",
            facts={"version": current},
        )


def _require_size(kind: ResourceKind, name: str, stored: bytes) -> None:
    limit = kind.limits.resource_bytes
    if len(stored) > limit:
        raise errors.TooLargeError(
            f"{kind.name} {name!r} is {len(stored):,} bytes; the limit for one {kind.name} is {limit:,}"
        )
