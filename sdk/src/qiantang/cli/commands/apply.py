"""`qiantang apply`: what files say becomes drafts, and what publishing them would change is shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import click
import msgspec

from qiantang.cli import changes, contexts, documents, output, publishing, talk
from qiantang.cli.connection import Connection, connect
from qiantang.cli.documents import Document
from qiantang.cli.output import Column, Table
from qiantang.cli.place import Place, Room, current_body, place_options
from qiantang.cli.session import Session, output_option
from qiantang.kernel import errors, release, resource, scope, secret


class Applied(msgspec.Struct, frozen=True):
    """What became of one document."""

    kind: str
    scope: str
    name: str
    action: Literal["add", "change", "keep"]


TABLE = Table[Applied](
    noun="documents",
    name=lambda one: f"{one.kind}/{one.name}",
    columns=[
        Column("ACTION", lambda one: one.action),
        Column("KIND", lambda one: one.kind),
        Column("NAME", lambda one: one.name),
        Column("APPLICATION", lambda one: one.scope),
    ],
)


@click.command()
@click.option(
    "-f", "--file", "places", multiple=True, required=True, help="file, folder or - for stdin; may be repeated"
)
@click.option("--dry-run", is_flag=True, help="write nothing, only show what would change")
@click.option("--publish", "publishes", is_flag=True, help="publish what was applied")
@click.option("-m", "--message", default="", help="why; kept in the history")
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, help="seconds to wait until every instance took it")
@click.option("-y", "--yes", is_flag=True, help="do not ask before publishing")
@place_options
@output_option
@click.pass_obj
def apply(
    session: Session, *, places: tuple[str, ...], place: Place, dry_run: bool, publishes: bool, **given: Any
) -> None:
    """Save resources from YAML files as drafts, and show what they change.

    Each document holds kind (config.namespace), name, body, and scope (tenant/environment/center/application) unless the
    options or the context say it.
    """
    context = contexts.in_use(session)
    wanted = [document for one in places for document in documents.read(one)]
    grouped: dict[resource.Bundle, list[Document]] = {}
    for document in wanted:
        where = scope.Scope.parse(document.scope) if document.scope else place.scope(context)
        grouped.setdefault(resource.Bundle(scope=where, capability=document.capability), []).append(document)
    applied: list[Applied] = []
    with connect(session, context) as connection, talk.progress(len(wanted), "applying") as bar:
        plurals = _plurals(connection, wanted)
        for bundle, group in grouped.items():
            for document in group:
                room = Room(connection, bundle)
                applied.append(_apply(room, document, plurals[document.kind], dry_run=dry_run))
                bar.update(1)
    output.show_list(applied, TABLE, session.form, empty="the files hold no documents")
    if not dry_run:
        with connect(session, context) as connection:
            _conclude(session, connection, grouped, publishing.Order(**given) if publishes else None)


def _plurals(connection: Connection, wanted: Sequence[Document]) -> dict[str, str]:
    """Give what paths call each kind, as the server says it.

    Raises:
        InvalidRequestError: a document is of a kind that the server has not; nothing was written.
    """
    kinds = connection.get("/api/v1/kinds", list[release.KindInfo])
    plurals = {f"{one.capability}.{one.name}": one.plural for one in kinds}
    for document in wanted:
        if document.kind not in plurals:
            known = ", ".join(sorted(plurals))
            raise errors.InvalidRequestError(
                f"{document.name}: this server has no resources of the kind {document.kind!r}; it has: {known}"
            )
    return plurals


def _apply(room: Room, document: Document, plural: str, *, dry_run: bool) -> Applied:
    found = room.find(plural, document.name)
    before = None if found is None else current_body(found)
    place = str(room.bundle.scope)
    if found is not None and before == document.body:
        return Applied(document.kind, place, document.name, "keep")
    action: Literal["add", "change", "keep"] = "add" if before is None else "change"
    if dry_run:
        found_changes = resource.differences(_named(before), _named(document.body))
        changes.tell(
            [
                release.PendingChange(
                    kind=document.noun,
                    name=document.name,
                    action=action,
                    version="",
                    author="",
                    edited_at=0,
                    changes=found_changes,
                )
            ]
        )
    else:
        version = release.NO_VERSION if found is None else found.version
        saved = room.save(plural, document.name, document.body, version)
        if before is not None and saved.state == "published":
            action = "keep"  # its secrets are what they were, which only the server can tell
    return Applied(document.kind, place, document.name, action)


def _named(body: Any) -> Any:
    """Put words in the place of secrets, so that each is compared as one value."""
    return secret.replace_secrets(
        body, lambda _path, inside: f"(secret {inside['mask']})" if inside.get("mask") else "(secret as in the file)"
    )


def _conclude(
    session: Session,
    connection: Connection,
    grouped: dict[resource.Bundle, list[Document]],
    order: publishing.Order | None,
) -> None:
    for bundle, group in grouped.items():
        room = Room(connection, bundle)
        only = [(document.noun, document.name) for document in group]
        if order is None:
            _show_pending(room, only)
        else:
            publishing.publish(session, room, dataclasses.replace(order, only=only))


def _show_pending(room: Room, only: Sequence[tuple[str, str]]) -> None:
    pending = room.get(release.Difference, "drafts").pending
    changes.tell([one for one in pending if (one.kind, one.name) in only])
    if pending:
        talk.advise("publish them: qiantang config publish, or apply with --publish")
