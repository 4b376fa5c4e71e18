"""Rows of the resource life: bundles, drafts, contents, releases, gray seats, requests, the outbox, and the search index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from qiantang.kernel import resource, scope
from qiantang_server.kernel import storage
from qiantang_server.kernel.storage import schema
from qiantang_server.kernel.storage.words import holding

bundles = sa.Table(
    "bundle",
    storage.metadata,
    sa.Column("id", schema.BigId, primary_key=True, autoincrement=True),
    storage.name_column("tenant"),
    storage.name_column("environment"),
    storage.name_column("center"),
    storage.name_column("application"),
    storage.name_column("capability"),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("edits", sa.BigInteger, nullable=False),
    sa.Column("created_at", storage.Millis, nullable=False),
    sa.Column("gray", sa.String(32), nullable=False, server_default=""),
    sa.UniqueConstraint("tenant", "environment", "center", "application", "capability"),
)

drafts = sa.Table(
    "draft",
    storage.metadata,
    sa.Column("bundle", sa.BigInteger, primary_key=True, autoincrement=False),
    storage.name_column("kind", primary_key=True),
    storage.name_column("name", 128, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("removes", sa.Boolean, nullable=False),
    sa.Column("body", schema.Blob, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("base", sa.String(64), nullable=False),
    sa.Column("author", sa.String(128), nullable=False),
    sa.Column("edited_at", storage.Millis, nullable=False),
    sa.Index("ix_draft_author_edited_at", "author", "edited_at"),
)

contents = sa.Table(
    "content",
    storage.metadata,
    sa.Column("bundle", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("body", schema.Blob, nullable=False),
)

releases = sa.Table(
    "release",
    storage.metadata,
    sa.Column("bundle", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("author", sa.String(128), nullable=False),
    sa.Column("approved_by", sa.String(128), nullable=False),
    sa.Column("message", storage.Text, nullable=False),
    sa.Column("created_at", storage.Millis, nullable=False),
    sa.Column("from_revision", sa.BigInteger, nullable=False),
    sa.Column("gray", sa.String(32), nullable=False),
    sa.Column("changed", schema.Blob, nullable=False),
    sa.Column("state", schema.Blob, nullable=False),
    sa.Index("ix_release_created_at", "created_at"),
)

gray_seats = sa.Table(
    "gray_seat",
    storage.metadata,
    sa.Column("gray", sa.String(32), primary_key=True),
    sa.Column("instance", sa.String(128), primary_key=True),
    sa.Column("held_until", storage.Millis, nullable=False),
)

requests = sa.Table(
    "publish_request",
    storage.metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("bundle", sa.BigInteger, nullable=False, index=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("author", sa.String(128), nullable=False),
    sa.Column("author_id", sa.String(64), nullable=False),
    sa.Column("reviewer", sa.String(128), nullable=False),
    sa.Column("message", storage.Text, nullable=False),
    sa.Column("created_at", storage.Millis, nullable=False),
    sa.Column("decided_at", storage.Millis, nullable=False),
    sa.Column("publish_at", storage.Millis, nullable=False),
    sa.Column("base_revision", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("plan", schema.Blob, nullable=False),
    sa.Column("error", storage.Text, nullable=False),
    sa.Index("ix_publish_request_due", "state", "publish_at"),
)

outbox = sa.Table(
    "outbox",
    storage.metadata,
    sa.Column("id", schema.BigId, primary_key=True, autoincrement=True),
    sa.Column("bundle", sa.BigInteger, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("created_at", storage.Millis, nullable=False),
)

texts = sa.Table(
    "resource_text",
    storage.metadata,
    sa.Column("id", schema.BigId, primary_key=True, autoincrement=True),
    sa.Column("bundle", sa.BigInteger, nullable=False, index=True),
    storage.name_column("kind"),
    storage.name_column("name", 128),
    sa.Column("path", sa.String(512), nullable=False),
    sa.Column("text", storage.Text, nullable=False),
)

names = sa.Table(
    "resource_name",
    storage.metadata,
    sa.Column("bundle", sa.BigInteger, primary_key=True, autoincrement=False),
    storage.name_column("kind", primary_key=True),
    storage.name_column("name", 128, primary_key=True),
)
"""What is published, to everyone or by a gray release: a resource is found by its name without looking into any state."""

Row = sa.Row[Any]
Key = tuple[str, str]


def _named(bundle: resource.Bundle) -> dict[str, str]:
    place = bundle.scope
    return {
        "at_tenant": place.tenant,
        "at_environment": place.environment,
        "at_center": place.center,
        "at_application": place.application,
        "at_capability": bundle.capability,
    }


# what every publish runs is made once: building a statement costs more than running it
_BUNDLE = sa.select(bundles).where(
    *(
        bundles.c[part] == sa.bindparam(f"at_{part}")
        for part in ("tenant", "environment", "center", "application", "capability")
    )
)
_LOCK_BUNDLE = _BUNDLE.with_for_update()
_MOVE_HEAD = (
    sa.update(bundles)
    .where(bundles.c.id == sa.bindparam("key"))
    .values(epoch=sa.bindparam("to_epoch"), revision=sa.bindparam("to_revision"), gray=sa.bindparam("to_gray"))
)
_NEXT_EDIT = sa.update(bundles).where(bundles.c.id == sa.bindparam("key")).values(edits=bundles.c.edits + 1)
_DRAFTS = sa.select(drafts).where(drafts.c.bundle == sa.bindparam("key")).order_by(drafts.c.kind, drafts.c.name)
_ONE_DRAFT = (
    drafts.c.bundle == sa.bindparam("key"),
    drafts.c.kind == sa.bindparam("at_kind"),
    drafts.c.name == sa.bindparam("at_name"),
)
_DRAFT = sa.select(drafts).where(*_ONE_DRAFT)
_DROP_DRAFT = sa.delete(drafts).where(*_ONE_DRAFT)
_CONTENTS = sa.select(contents.c.digest, contents.c.body).where(
    contents.c.bundle == sa.bindparam("key"), contents.c.digest.in_(sa.bindparam("digests", expanding=True))
)
_RELEASE = sa.select(releases).where(
    releases.c.bundle == sa.bindparam("key"), releases.c.revision == sa.bindparam("at_revision")
)
_FINISH_NOTICES = sa.delete(outbox).where(outbox.c.id.in_(sa.bindparam("notices", expanding=True)))
_DROP_TEXTS = sa.delete(texts).where(
    texts.c.bundle == sa.bindparam("key"),
    texts.c.kind == sa.bindparam("at_kind"),
    texts.c.name == sa.bindparam("at_name"),
)
_DROP_NAME = sa.delete(names).where(
    names.c.bundle == sa.bindparam("key"),
    names.c.kind == sa.bindparam("at_kind"),
    names.c.name == sa.bindparam("at_name"),
)
_ADD_RELEASE, _ADD_TEXTS = sa.insert(releases), sa.insert(texts)


def address(row: Row) -> resource.Bundle:
    """Give the address that a row of `bundle` stands for."""
    return resource.Bundle(
        scope=scope.Scope(
            tenant=row.tenant, environment=row.environment, center=row.center, application=row.application
        ),
        capability=row.capability,
    )


async def find_bundle(session: storage.Session, bundle: resource.Bundle) -> Row | None:
    """Read the head of a bundle; None where nothing was ever drafted in it."""
    return await session.first(_BUNDLE, _named(bundle))


async def bundle_by_id(session: storage.Session, key: int) -> Row | None:
    """Read the head of a bundle by its key."""
    return await session.first(sa.select(bundles).where(bundles.c.id == key))


async def lock_bundle_by_id(session: storage.Session, key: int) -> None:
    """Lock the head of a bundle that is there until the transaction ends."""
    await session.first(sa.select(bundles.c.id).where(bundles.c.id == key).with_for_update())


async def lock_bundle(session: storage.Session, bundle: resource.Bundle, at: int) -> Row:
    """Lock the head of a bundle until the transaction ends, making it first where it is missing."""
    place = bundle.scope
    row = await session.first(_LOCK_BUNDLE, _named(bundle))
    if row is None:
        values = {
            "tenant": place.tenant,
            "environment": place.environment,
            "center": place.center,
            "application": place.application,
            "capability": bundle.capability,
            "epoch": 1,
            "revision": 0,
            "edits": 0,
            "created_at": at,
        }
        await session.insert_new(bundles, [values])
        row = await session.first(_LOCK_BUNDLE, _named(bundle))
    assert row is not None, "the row was inserted in this transaction"  # noqa: S101
    return row


async def move_head(session: storage.Session, key: int, position: resource.Position, gray: str) -> None:
    """Set the head of a locked bundle, and which gray release runs there."""
    values = {"key": key, "to_epoch": position.epoch, "to_revision": position.revision, "to_gray": gray}
    await session.execute(_MOVE_HEAD, values)


async def next_edit(session: storage.Session, row: Row) -> int:
    """Count an edit of a locked bundle; give its number, which is never given twice."""
    edit = int(row.edits) + 1
    await session.execute(_NEXT_EDIT, {"key": row.id})
    return edit


async def list_drafts(session: storage.Session, key: int, only: Sequence[Key] | None = None) -> list[Row]:
    """Give the drafts of a bundle in order of kind and name; `only` those named, if given."""
    rows = list(await session.all(_DRAFTS, {"key": key}))
    if only is None:
        return rows
    wanted = set(only)
    return [row for row in rows if (row.kind, row.name) in wanted]


async def find_draft(session: storage.Session, key: int, kind: str, name: str) -> Row | None:
    """Read one draft."""
    return await session.first(_DRAFT, {"key": key, "at_kind": kind, "at_name": name})


async def save_draft(session: storage.Session, values: Mapping[str, Any]) -> None:
    """Write a draft over the one before it."""
    columns = ["version", "removes", "body", "digest", "base", "author", "edited_at"]
    await session.upsert(drafts, [dict(values)], columns)


async def drop_drafts(session: storage.Session, key: int, keys: Iterable[Key]) -> None:
    """Delete the drafts named."""
    await session.execute(_DROP_DRAFT, [{"key": key, "at_kind": kind, "at_name": name} for kind, name in keys])


async def add_contents(session: storage.Session, key: int, bodies: Mapping[str, bytes]) -> None:
    """Keep bodies under their digests; those there already are left alone."""
    rows = [{"bundle": key, "digest": digest, "body": body} for digest, body in bodies.items()]
    await session.insert_new(contents, rows)


async def read_contents(session: storage.Session, key: int, digests: Iterable[str]) -> dict[str, bytes]:
    """Give the bodies of the digests that are there."""
    wanted = sorted(set(digests))
    found: dict[str, bytes] = {}
    for start in range(0, len(wanted), 500):
        some = wanted[start : start + 500]
        rows = await session.all(_CONTENTS, {"key": key, "digests": some})
        found.update((row.digest, bytes(row.body)) for row in rows)
    return found


async def content_sizes(session: storage.Session, key: int, digests: Iterable[str]) -> dict[str, int]:
    """Give the bytes of contents by digest."""
    wanted = sorted(set(digests))
    found: dict[str, int] = {}
    for start in range(0, len(wanted), 500):
        some = wanted[start : start + 500]
        size = sa.func.octet_length(contents.c.body) if session.dialect != "sqlite" else sa.func.length(contents.c.body)
        rows = await session.all(
            sa.select(contents.c.digest, size.label("size")).where(
                contents.c.bundle == key, contents.c.digest.in_(some)
            )
        )
        found.update((row.digest, row.size) for row in rows)
    return found


async def add_release(session: storage.Session, values: Mapping[str, Any]) -> None:
    """Write one immutable revision."""
    await session.execute(_ADD_RELEASE, values)


async def read_release(session: storage.Session, key: int, revision: int) -> Row | None:
    """Read one revision with its state."""
    return await session.first(_RELEASE, {"key": key, "at_revision": revision})


async def list_releases(session: storage.Session, key: int, before: int, limit: int) -> list[Row]:
    """Give revisions below `before`, newest first, without their states."""
    columns = [column for column in releases.c if column.name != "state"]
    statement = sa.select(*columns).where(releases.c.bundle == key, releases.c.revision < before)
    return list(await session.all(statement.order_by(releases.c.revision.desc()).limit(limit)))


async def live_seats(session: storage.Session, gray: str, at: int) -> list[str]:
    """Name the instances that hold a seat of a gray release."""
    rows = await session.all(
        sa.select(gray_seats.c.instance).where(gray_seats.c.gray == gray, gray_seats.c.held_until > at)
    )
    return sorted(row.instance for row in rows)


async def take_seat(session: storage.Session, gray: str, instance: str, until: int) -> None:
    """Hold a seat until a moment, or hold it longer."""
    row = {"gray": gray, "instance": instance, "held_until": until}
    await session.upsert(gray_seats, [row], ["held_until"])


async def drop_seats(session: storage.Session, gray: str, at: int | None = None) -> None:
    """Free the seats of a gray release: all, or with `at` those whose time is over."""
    statement = sa.delete(gray_seats).where(gray_seats.c.gray == gray)
    if at is not None:
        statement = statement.where(gray_seats.c.held_until <= at)
    await session.execute(statement)


async def add_request(session: storage.Session, values: Mapping[str, Any]) -> None:
    """Write a request to publish."""
    await session.execute(sa.insert(requests).values(**values))


async def find_request(session: storage.Session, key: str) -> Row | None:
    """Read a request."""
    return await session.first(sa.select(requests).where(requests.c.id == key))


async def lock_request(session: storage.Session, key: str) -> Row | None:
    """Lock a request until the transaction ends."""
    return await session.first(sa.select(requests).where(requests.c.id == key).with_for_update())


async def change_request(session: storage.Session, key: str, values: Mapping[str, Any]) -> None:
    """Set columns of a request."""
    await session.execute(sa.update(requests).where(requests.c.id == key).values(**values))


async def list_requests(session: storage.Session, key: int, states: Sequence[str], limit: int) -> list[Row]:
    """Give requests of a bundle in any of these states, newest first."""
    statement = sa.select(requests).where(requests.c.bundle == key, requests.c.state.in_(states))
    return list(await session.all(statement.order_by(requests.c.created_at.desc()).limit(limit)))


async def due_requests(session: storage.Session, at: int, limit: int) -> list[Row]:
    """Give scheduled requests whose time has come, oldest first."""
    statement = sa.select(requests).where(requests.c.state == "scheduled", requests.c.publish_at <= at)
    return list(await session.all(statement.order_by(requests.c.publish_at).limit(limit)))


async def add_notice(session: storage.Session, key: int, epoch: int, revision: int) -> int:
    """Put the notice of a new position into the outbox, in the transaction that made it.

    Dated by the database: whoever sweeps it up tells its age, whatever the clock of the server that wrote it.
    """
    values = {"bundle": key, "epoch": epoch, "revision": revision, "created_at": storage.now()}
    return await session.insert_key(outbox, values)


async def waiting_notices(session: storage.Session, until: int, limit: int) -> list[Row]:
    """Give notices written until a moment that nobody has finished, oldest first, with their bundles' addresses."""
    statement = (
        sa.select(
            outbox.c.id.label("notice"),
            outbox.c.epoch.label("at_epoch"),
            outbox.c.revision.label("at_revision"),
            bundles,
        )
        .join(bundles, bundles.c.id == outbox.c.bundle)
        .where(outbox.c.created_at <= until)
    )
    return list(await session.all(statement.order_by(outbox.c.id).limit(limit)))


async def finish_notices(session: storage.Session, notices: Iterable[int]) -> None:
    """Take notices out of the outbox."""
    await session.execute(_FINISH_NOTICES, {"notices": list(notices)})


async def index_texts(
    session: storage.Session, key: int, gone: Iterable[Key], rows: Sequence[tuple[str, str, str, str]]
) -> None:
    """Replace the search rows of resources: those of `gone` are deleted, (kind, name, path, text) rows are added."""
    await session.execute(_DROP_TEXTS, [{"key": key, "at_kind": kind, "at_name": name} for kind, name in gone])
    values = [
        {"bundle": key, "kind": kind, "name": name, "path": path[:512], "text": text[:4000]}
        for kind, name, path, text in rows
    ]
    await session.execute(_ADD_TEXTS, values)


async def rename(session: storage.Session, key: int, gone: Iterable[Key], new: Iterable[Key]) -> None:
    """Take names of published resources out, and put others in."""
    await session.execute(_DROP_NAME, [{"key": key, "at_kind": kind, "at_name": name} for kind, name in gone])
    await session.insert_new(names, [{"bundle": key, "kind": kind, "name": name} for kind, name in new])


async def search(
    session: storage.Session, words: str, allowed: sa.ColumnElement[bool], after: int, limit: int
) -> list[Row]:
    """Find search rows whose path or text holds `words` in any case, among the bundles that `allowed` lets through."""
    statement = (
        sa.select(
            texts,
            bundles.c.tenant,
            bundles.c.environment,
            bundles.c.center,
            bundles.c.application,
            bundles.c.capability,
        )
        .join(bundles, bundles.c.id == texts.c.bundle)
        .where(texts.c.id > after, allowed)
        .where(holding(words, texts.c.path, texts.c.text))
    )
    return list(await session.all(statement.order_by(texts.c.id).limit(limit)))


async def positions(session: storage.Session, keys: Sequence[int]) -> list[Row]:
    """Give (id, epoch, revision) of bundles by their keys."""
    found: list[Row] = []
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        statement = sa.select(bundles.c.id, bundles.c.epoch, bundles.c.revision).where(bundles.c.id.in_(some))
        found += await session.all(statement)
    return found


async def begun(
    session: storage.Session, wanted: Sequence[resource.Bundle]
) -> dict[resource.Bundle, resource.Position]:
    """Give those of the bundles in which something was drafted or published, with where each stands."""
    columns = (
        bundles.c.tenant,
        bundles.c.environment,
        bundles.c.center,
        bundles.c.application,
        bundles.c.capability,
    )
    found: dict[resource.Bundle, resource.Position] = {}
    for start in range(0, len(wanted), 100):
        places = [(*msgspec.structs.astuple(one.scope), one.capability) for one in wanted[start : start + 100]]
        statement = sa.select(*columns, bundles.c.epoch, bundles.c.revision).where(sa.tuple_(*columns).in_(places))
        for row in await session.all(statement):
            found[address(row)] = resource.Position(epoch=row.epoch, revision=row.revision)
    return found
