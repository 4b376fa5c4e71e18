"""Listing: services of an application or of a tenant, and one with its methods."""

from __future__ import annotations

from typing import Any

import click

from qiantang.catalog.model.answers import OfferView
from qiantang.catalog.model.compatibility.shapes import alternatives, mapping, names
from qiantang.catalog.model.kinds import CAPABILITY
from qiantang.cli import contexts, output, talk
from qiantang.cli.connection import connect, path
from qiantang.cli.output import Column, Table
from qiantang.cli.place import Place, current_body, open_room, part_options, place_options
from qiantang.cli.service.drafting import PLURAL, body_of
from qiantang.cli.session import Session, output_option
from qiantang.kernel import errors
from qiantang.rpc.model.definition import MethodDocument, ServiceDocument

STATES = ["registered", "online", "offline"]
DEEPEST = 8

_COLUMNS = [
    Column[OfferView]("SERVICE", lambda one: one.service),
    Column[OfferView]("STATE", lambda one: one.state),
    Column[OfferView]("VERSION", lambda one: one.version),
    Column[OfferView]("ACCESS", lambda one: one.access),
    Column[OfferView]("METHODS", lambda one: one.methods),
    Column[OfferView]("DIGEST", lambda one: one.digest[:12]),
    Column[OfferView]("SUBSCRIBERS", lambda one: talk.names(one.subscribers)),
    Column[OfferView]("CONSUMERS", lambda one: talk.names(one.consumers)),
]
OFFERS = Table[OfferView](noun="services", name=lambda one: one.service, columns=_COLUMNS)
FOUND = Table[OfferView](
    noun="services",
    name=lambda one: f"{one.environment}/{one.center}/{one.application}/{one.service}",
    columns=[
        Column("ENVIRONMENT", lambda one: one.environment),
        Column("PROVIDER", lambda one: f"{one.center}/{one.application}"),
        *_COLUMNS[:5],
    ],
)

state_option = click.option("--state", "standing", type=click.Choice(STATES), help="only those in this state")


@click.command("list")
@state_option
@place_options
@output_option
@click.pass_obj
def list_services(session: Session, *, standing: str | None, place: Place) -> None:
    """List the services of an application, with who calls them.

    Those that are published; drafts are in qiantang service diff.
    """
    with open_room(session, place, CAPABILITY) as room:
        found = room.pages(OfferView, "offers", state=standing)
    output.show_list(found, OFFERS, session.form)


@click.command()
@click.argument("words", default="")
@state_option
@click.option("--environment", "-e", default="", help="only in this environment")
@click.option("--limit", type=click.IntRange(1, 10_000), default=200, show_default=True, help="at most so many")
@part_options("tenant")
@output_option
@click.pass_obj
def search(session: Session, *, words: str, standing: str | None, environment: str, limit: int, place: Place) -> None:
    """Find services of the tenant in all you may read.

    By words in their names, methods and descriptions.
    """
    context = contexts.in_use(session)
    (tenant,) = place.names(context, ("tenant",))
    asked = {"words": words or None, "state": standing, "environment": environment or None, "limit": min(limit, 200)}
    with connect(session, context) as connection:
        found = connection.pages(path(CAPABILITY, "offers", tenant, **asked), OfferView, most=limit)
    output.show_list(found, FOUND, session.form)


@click.command()
@click.argument("name", metavar="SERVICE")
@click.option("--draft", is_flag=True, help="as the draft has it, not as it is published")
@place_options
@output_option
@click.pass_obj
def show(session: Session, *, name: str, draft: bool, place: Place) -> None:
    """Show a service with its methods."""
    with open_room(session, place, CAPABILITY) as room:
        found = room.find(PLURAL, name)
    body = None if found is None else current_body(found) if draft else found.published
    if body is None:
        raise errors.NotFoundError(f"there is no {'draft of a' if draft else 'published'} service {name!r}")
    if session.form in {"json", "yaml"}:
        output.show_value(body, session.form)
        return
    service = body_of(body)
    click.echo(
        f"{name} {service.version} ({service.group}), {service.state}, {service.access}, digest {service.digest}"
    )
    said = service.description or service.document.description
    if said:
        click.echo(talk.printable(said))
    click.echo()
    output.show_list(service.document.methods, _methods(service.document), session.form)


def _methods(document: ServiceDocument) -> Table[MethodDocument]:
    return Table[MethodDocument](
        noun="methods",
        name=lambda one: one.name,
        columns=[
            Column("METHOD", lambda one: one.name),
            Column("TAKES", lambda one: _arguments(one, document)),
            Column("GIVES", lambda one: typed(one.result, document)),
            Column("TIMEOUT", lambda one: f"{one.options.timeout:g} s"),
            Column("IDEMPOTENT", lambda one: one.options.idempotent),
        ],
    )


def _arguments(method: MethodDocument, document: ServiceDocument) -> str:
    needed = names(method.arguments.get("required"))
    return ", ".join(
        f"{name}: {typed(schema, document)}{'' if name in needed else ' = …'}"
        for name, schema in mapping(method.arguments.get("properties")).items()
    )


def typed(schema: Any, document: ServiceDocument, depth: int = 0) -> str:
    """Write a type as people say it."""
    if depth > DEEPEST:
        return "…"
    written: list[str] = []
    for one in alternatives(schema, document.schemas):
        inside = {"items": "items", "mapping": "additionalProperties"}.get(one.sort)
        below = "" if inside is None or one.name else typed(one.schema.get(inside, {}), document, depth + 1)
        written.append(f"{one} of {below}" if below else str(one))
    return " | ".join(dict.fromkeys(written))
