"""Namespaces as they are: list, get, reveal."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from qiantang.cli import changes, output, talk
from qiantang.cli.config import body as bodies
from qiantang.cli.output import Column, Table
from qiantang.cli.place import Place, Room, current_body, open_room, place_options
from qiantang.cli.publishing import moment
from qiantang.cli.session import Session, output_option
from qiantang.config.model import CAPABILITY
from qiantang.kernel import errors, release, secret

PLURAL = "namespaces"

NAMESPACES = Table[release.ResourceSummary](
    noun="namespaces",
    name=lambda one: one.name,
    columns=[
        Column("NAME", lambda one: one.name),
        Column("STATE", lambda one: one.state),
        Column("BYTES", lambda one: one.size),
        Column("CHANGED IN", lambda one: one.changed_revision or ""),
        Column("EDITED BY", lambda one: one.edited_by),
        Column("EDITED AT", lambda one: moment(one.edited_at)),
    ],
)


class Setting(msgspec.Struct, frozen=True):
    """One setting of a namespace, as it is shown."""

    key: str
    value: Any
    type: str = "string"
    comment: str = ""


SETTINGS = Table[Setting](
    noun="settings",
    name=lambda one: one.key,
    columns=[
        Column("KEY", lambda one: one.key),
        Column("VALUE", lambda one: changes.value(one.value)),
        Column("TYPE", lambda one: one.type),
        Column("COMMENT", lambda one: one.comment),
    ],
)


@click.command("list")
@place_options
@output_option
@click.pass_obj
def list_namespaces(session: Session, *, place: Place) -> None:
    """List the namespaces of an application.

    Drafts are among them.
    """
    with open_room(session, place, CAPABILITY) as room:
        found = room.pages(release.ResourceSummary, PLURAL)
    output.show_list(found, NAMESPACES, session.form)


@click.command()
@click.argument("namespace")
@click.argument("key", default="")
@click.option("--draft", is_flag=True, help="as the draft has it, not as it is published")
@place_options
@output_option
@click.pass_obj
def get(session: Session, *, namespace: str, key: str, draft: bool, place: Place) -> None:
    """Show a namespace, or one value of it.

    Secrets show as their marks.
    """
    with open_room(session, place, CAPABILITY) as room:
        detail = require(room, namespace)
    body = current_body(detail) if draft else detail.published
    if not draft and detail.state != "published":
        talk.say(f"a draft waits ({detail.state}): see it with --draft, or qiantang config diff")
    if body is None:
        raise errors.NotFoundError(f"the namespace {namespace!r} is {'removed' if draft else 'not published yet'}")
    show_body(body, key, session.form)


@click.command()
@click.argument("namespace")
@click.argument("key", default="")
@click.option("--draft", is_flag=True, help="as the draft has it, not as it is published")
@place_options
@output_option
@click.pass_obj
def reveal(session: Session, *, namespace: str, key: str, draft: bool, place: Place) -> None:
    """Show a namespace with its secrets; this is written down.

    With a key, one value of it. The audit log keeps who looked, and when.
    """
    with open_room(session, place, CAPABILITY) as room:
        answer = room.get(dict[str, Any], PLURAL, namespace, "revealed", draft=draft)
    show_body(secret.replace_secrets(answer["body"], lambda _path, inside: inside.get("value", "")), key, session.form)


def require(room: Room, namespace: str) -> release.ResourceDetail:
    """Give a namespace with its draft.

    Raises:
        NotFoundError: neither is there.
    """
    found = room.find(PLURAL, namespace)
    if found is None:
        raise errors.NotFoundError(f"there is no namespace {namespace!r} in {room.bundle.scope}")
    return found


def show_body(body: bodies.Body, key: str, form: str) -> None:
    """Write a body, or one value of it, on stdout."""
    if key:
        value = bodies.value_at(body, key)
        if form in {"json", "yaml"}:
            output.show_value(value, form)
        else:
            click.echo(changes.value(value) if not isinstance(value, str) else value)
    elif form in {"json", "yaml"}:
        output.show_value(body, form)
    elif body.get("format") == "properties":
        rows = [
            Setting(name, item["value"], item.get("type", "string"), item.get("comment", ""))
            for name, item in sorted(bodies.items(body).items())
        ]
        output.show_list(rows, SETTINGS, form)
    else:
        document = body.get("document", "")
        click.echo(document if isinstance(document, str) else changes.value(document), nl=False)
