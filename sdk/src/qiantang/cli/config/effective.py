"""Effective: what an instance sees and where each value comes from; and the search over all that one may read."""

from __future__ import annotations

import click

from qiantang.cli import changes, contexts, output, talk
from qiantang.cli.connection import connect, path
from qiantang.cli.output import Column, Table
from qiantang.cli.place import Place, open_room, place_options
from qiantang.cli.session import Session, output_option
from qiantang.config.model import CAPABILITY
from qiantang.config.model.answers import EffectiveValue, EffectiveView, SearchHit

VALUES = Table[EffectiveValue](
    noun="settings",
    name=lambda one: f"{one.namespace}:{one.key}",
    columns=[
        Column("NAMESPACE", lambda one: one.namespace),
        Column("KEY", lambda one: one.key),
        Column("VALUE", lambda one: changes.value(one.value)),
        Column("FROM", lambda one: one.origin),
        Column("COVERS", lambda one: [f"{changes.value(low.value)} ({low.origin})" for low in one.shadowed]),
    ],
)

HITS = Table[SearchHit](
    noun="settings with these words",
    name=lambda one: f"{one.bundle}/{one.namespace}:{one.key}",
    columns=[
        Column("APPLICATION", lambda one: one.bundle.partition(":")[0]),
        Column("NAMESPACE", lambda one: one.namespace),
        Column("KEY", lambda one: one.key),
        Column("VALUE", lambda one: one.value),
    ],
)


@click.command()
@click.argument("namespace", default="")
@click.argument("key", default="")
@click.option("--cluster", default="default", show_default=True, help="cluster of the instance")
@click.option("--instance", default="-", help="name of the instance: gray releases look at it")
@click.option("--labels", default="", metavar="A=B[,C=D]", help="labels of the instance: gray releases look at them")
@click.option("--reveal", is_flag=True, help="with secrets; that you did is written in the audit log")
@place_options
@output_option
@click.pass_obj
def explain(session: Session, *, namespace: str, key: str, place: Place, reveal: bool, **seen_by: str) -> None:
    """Show what an instance sees, and where each value comes from.

    All, one namespace, or what is under a key.
    """
    with open_room(session, place, CAPABILITY) as room:
        asked = {"namespace": namespace or None, "key": key or None, "reveal": reveal or None}
        view = room.get(EffectiveView, "effective", **seen_by, **asked)
    for text in view.missing:
        talk.warn(f"an inherited namespace is missing: {text}")
    output.show_list(view.values, VALUES, session.form)


@click.command()
@click.argument("words")
@click.option("-t", "--tenant", envvar="QIANTANG_CLI_TENANT", default="", help="tenant (else the context's)")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="how many")
@output_option
@click.pass_obj
def search(session: Session, *, words: str, tenant: str, limit: int) -> None:
    """Find settings by key or value in all you may read.

    Secrets are never found.
    """
    context = contexts.in_use(session)
    wanted = tenant or context.tenant
    if not wanted:
        raise click.UsageError("in which tenant? give --tenant, or keep it: qiantang context set")
    with connect(session, context) as connection:
        target = path(CAPABILITY, "search", wanted, words=words, limit=min(limit, 200))
        found = connection.pages(target, SearchHit, most=limit)
    output.show_list(found, HITS, session.form)
