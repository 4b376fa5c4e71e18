"""History: what was released when, by whom, and how two revisions differ; the status and the search of bundles."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from qiantang.kernel import errors, release, resource, wire
from qiantang_server.kernel.resources import state as states
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.service import ground
from qiantang_server.kernel.resources.service.ground import Ground
from qiantang_server.kernel.resources.service.requests import OPEN
from qiantang_server.kernel.resources.state import Item, State

NEWEST = 1 << 62


class History:
    """Reads releases; they never change."""

    def __init__(self, parts: Ground) -> None:
        self._parts = parts

    async def list_releases(
        self, bundle: resource.Bundle, *, before: int = 0, limit: int = 50
    ) -> release.Page[release.Release]:
        """Give a page of releases, newest first."""
        async with self._parts.database.reading() as session:
            head = await ground.head(session, bundle)
            rows = await store.list_releases(session, head.key, before or NEWEST, limit + 1)
        items = [ground.release_view(row) for row in rows[:limit]]
        return release.Page(items=items, next=str(items[-1].revision) if len(rows) > limit else "")

    async def read(self, bundle: resource.Bundle, revision: int) -> release.ReleaseDetail:
        """Give a release with its resources; secrets masked.

        Raises:
            NotFoundError: there is no such revision.
        """
        bodies = self._parts.bodies(bundle)
        async with self._parts.database.reading() as session:
            head = await ground.head(session, bundle)
            row = await store.read_release(session, head.key, revision)
            if row is None:
                raise errors.NotFoundError(
                    f"there is no revision {revision} of {bundle}: it never was, or is older than what is kept"
                )
            state = wire.decode(bytes(row.state), State)
            gray = state.gray
            lines = [*state.items, *(gray.put if gray else [])]
            contents = await store.read_contents(session, head.key, [line.digest for line in lines])

        def shown(items: Sequence[Item]) -> list[release.ReleaseResource]:
            return [
                release.ReleaseResource(
                    kind=item.kind,
                    name=item.name,
                    digest=item.digest,
                    body=bodies.masked(contents[item.digest]),
                )
                for item in items
            ]

        return release.ReleaseDetail(
            release=ground.release_view(row),
            resources=shown(state.items),
            gray_resources=shown(gray.put) if gray else [],
            gray_rule=gray.rule if gray else None,
        )

    async def compare(self, bundle: resource.Bundle, before: int, after: int) -> list[release.PendingChange]:
        """Give what changed for everyone from one revision to another; secrets masked.

        Raises:
            NotFoundError: there is no such revision.
        """
        bodies = self._parts.bodies(bundle)
        async with self._parts.database.reading() as session:
            head = await ground.head(session, bundle)
            old = (await ground.state_at(session, head.key, before)).manifest()
            new = (await ground.state_at(session, head.key, after)).manifest()
            changed = states.changed(old, new)
            digests = [found for kind, name, _ in changed for found in (old.get((kind, name)), new.get((kind, name)))]
            contents = await store.read_contents(session, head.key, filter(None, digests))
        found: list[release.PendingChange] = []
        for kind_name, name, action in changed:
            kind = self._parts.kinds.get(bundle.capability, kind_name)
            sides = [contents.get(side.get((kind_name, name), "")) for side in (old, new)]
            size = max(len(side or b"") for side in sides)
            before_body, after_body = (bodies.masked(side) for side in sides)
            change = release.PendingChange(
                kind=kind_name,
                name=name,
                action=action,  # pyright: ignore[reportArgumentType]
                version="",
                author="",
                edited_at=0,
                changes=await ground.aside(size, kind.differences, before_body, after_body),
            )
            found.append(change)
        return found

    async def status(self, bundle: resource.Bundle) -> release.BundleStatus:
        """Say where a bundle stands."""
        async with self._parts.database.reading() as session:
            head = await ground.head(session, bundle)
            drafts = await store.list_drafts(session, head.key)
            waiting = await store.list_requests(session, head.key, OPEN, 1000)
        return release.BundleStatus(
            bundle=bundle,
            position=head.position,
            drafts=len(drafts),
            resources=len(head.state.items),
            requests=len(waiting),
        )

    async def search(
        self, words: str, allowed: sa.ColumnElement[bool], *, after: int = 0, limit: int = 50
    ) -> release.Page[dict[str, str]]:
        """Find published keys and values that hold `words`, where `allowed` lets the reader see them; never secrets.

        Raises:
            InvalidRequestError: fewer than two characters.
        """
        if len(words.strip()) < 2:
            raise errors.InvalidRequestError("search for at least two characters")
        async with self._parts.database.reading() as session:
            rows = await store.search(session, words.strip()[:200], allowed, after, limit + 1)
        items = [
            {
                "bundle": str(store.address(row)),
                "kind": row.kind,
                "name": row.name,
                "path": row.path,
                "text": row.text[:400],
            }
            for row in rows[:limit]
        ]
        return release.Page(items=items, next=str(rows[limit - 1].id) if len(rows) > limit else "")
