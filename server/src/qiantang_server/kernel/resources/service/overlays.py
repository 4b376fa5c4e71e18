"""Overlays: what becomes of a gray release's changes and seats when it ends without them."""

from __future__ import annotations

from qiantang.kernel import resource
from qiantang_server.kernel import storage
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.service.ground import Ground, Head
from qiantang_server.kernel.resources.state import Gray, Manifest


async def give_back(session: storage.Session, parts: Ground, head: Head, gray: Gray, manifest: Manifest) -> None:
    """Make the changes of a gray release of a locked bundle drafts over a manifest, where no newer draft stands; free its
    seats.
    """
    contents = await store.read_contents(session, head.key, [item.digest for item in gray.put])
    bodies = {(item.kind, item.name): contents[item.digest] for item in gray.put}
    digests = {(item.kind, item.name): item.digest for item in gray.put}
    there = {(row.kind, row.name) for row in await store.list_drafts(session, head.key)}
    for key in [*bodies, *((key[0], key[1]) for key in gray.remove)]:
        if key in there or digests.get(key) == manifest.get(key):
            continue  # edited since, or no change to what is published then
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
            "base": manifest.get(key, ""),
            "author": gray.author_of(key),
            "edited_at": parts.clock(),
        }
        await store.save_draft(session, values)
    await store.drop_seats(session, gray.id)
