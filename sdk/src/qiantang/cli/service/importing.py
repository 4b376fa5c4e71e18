"""Importing: definitions from a file become drafts; what each means for callers is shown."""

from __future__ import annotations

from typing import Any, Literal

import click
import msgspec

from qiantang.catalog.model import kinds
from qiantang.catalog.model.compatibility import Finding, compare
from qiantang.catalog.model.kinds import CAPABILITY
from qiantang.cli import changes, output, publishing, talk
from qiantang.cli.output import Column, Table
from qiantang.cli.place import Place, Room, current_body, open_room, place_options
from qiantang.cli.service import comparing
from qiantang.cli.service.drafting import PLURAL, body_of, only, reason_option, yes_option
from qiantang.cli.session import Session, output_option
from qiantang.kernel import errors, release
from qiantang.rpc.model.definition import ServiceDocument


class Imported(msgspec.Struct, frozen=True):
    """What became of one definition: `means` is the worst of what it means for callers of the published one."""

    service: str
    action: Literal["add", "change", "keep"]
    version: str
    before: str
    means: str
    findings: list[Finding] = []


TABLE = Table[Imported](
    noun="services",
    name=lambda one: one.service,
    columns=[
        Column("SERVICE", lambda one: one.service),
        Column("ACTION", lambda one: one.action),
        Column("VERSION", lambda one: one.version),
        Column("PUBLISHED", lambda one: one.before),
        Column("MEANS", lambda one: one.means),
    ],
)


@click.command("import")
@click.argument("source", metavar="FILE")
@click.option(
    "--access", type=click.Choice(["open", "subscribers"]), help="who may call; else as it is, and open at first"
)
@click.option("--publish", "publishes", is_flag=True, help="publish what was imported; needs --message")
@reason_option
@yes_option
@place_options
@output_option
@click.pass_obj
def import_file(
    session: Session, *, source: str, access: str | None, publishes: bool, place: Place, **given: Any
) -> None:
    """Take definitions from a file as drafts.

    A service that is not there is registered when its draft is published; of one that is there state and subscribers stay.
    """
    if publishes and not given["message"].strip():
        raise click.UsageError("--publish needs a reason: give --message")
    services = comparing.read(source)
    with open_room(session, place, CAPABILITY) as room:
        done = [_import(room, one, access) for one in services]
        output.show_list(done, TABLE, session.form)
        for one in done:
            comparing.tell(one.findings)
        names = [one.service for one in done]
        if publishes:
            publishing.publish(session, room, publishing.Order(only=only(names), **given))
        else:
            _conclude(room, names)


def _import(room: Room, document: ServiceDocument, access: str | None) -> Imported:
    found = room.find(PLURAL, document.name)
    before = None if found is None else current_body(found)
    body = kinds.body_of(document.name, document, before)
    if access is not None:
        body["access"] = access
    action: Literal["add", "change", "keep"] = "keep" if body == before else "add" if before is None else "change"
    if action != "keep":
        room.save(PLURAL, document.name, body, release.NO_VERSION if found is None else found.version)
    published = None if found is None or found.published is None else body_of(found.published)
    findings = [] if published is None else compare(published.document, document)
    worst = findings[0].level if findings else "same"
    return Imported(
        service=document.name,
        action=action,
        version=document.version,
        before="" if published is None else published.version,
        means="new" if published is None else worst,
        findings=findings,
    )


def _conclude(room: Room, names: list[str]) -> None:
    pending = room.get(release.Difference, "drafts").pending
    changes.tell([one for one in pending if (one.kind, one.name) in only(names)])
    checked = room.connection.post(room.path("check"), None, release.CheckResult, idempotent=True)
    for one in checked.problems:
        if one.name in names:
            talk.warn(str(errors.Problem(one.message, f"{one.name}: {one.path}")))
    if pending:
        talk.advise("publish them: import again with --publish --message WHY, or in the portal")
