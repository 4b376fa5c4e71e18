"""`qiantang audit`: the log of who did what, and the proof that it is as it was written."""

from __future__ import annotations

import time
from typing import Any

import click

from qiantang.cli import contexts, failures, output, publishing, talk
from qiantang.cli.connection import Connection, connect, path
from qiantang.cli.output import Column, Table
from qiantang.cli.session import Session, output_option
from qiantang.identity import model
from qiantang.kernel import wire


class Verification(wire.Wire, frozen=True):
    """What a replay of a chain found; `broken_at` is the first record that is not as it was written."""

    chain: str
    intact: bool
    first: int
    last: int
    hash: str
    broken_at: int = 0
    reason: str = ""


class Record(wire.Wire, frozen=True, kw_only=True):
    """One record of the log."""

    chain: str
    seq: int
    at: int
    actor_kind: str
    actor_id: str
    actor_name: str
    action: str
    resource: str
    outcome: str
    address: str = ""
    session: str = ""
    tenant: str = ""
    environment: str = ""
    center: str = ""
    application: str = ""
    reason: str = ""
    changes: list[Any] = []
    count: int = 1
    request_id: str = ""
    trace_id: str = ""
    previous: str = ""
    hash: str = ""


CHAINS = Table[Verification](
    noun="chains",
    name=lambda one: one.chain,
    columns=[
        Column("CHAIN", lambda one: "platform" if one.chain == "*" else one.chain),
        Column("INTACT", lambda one: one.intact),
        Column("RECORDS", lambda one: f"{one.first}-{one.last}" if one.last >= one.first else "none"),
        Column("BROKEN AT", lambda one: one.broken_at or ""),
        Column("REASON", lambda one: one.reason),
        Column("HASH", lambda one: one.hash),
    ],
)

RECORDS = Table[Record](
    noun="records",
    name=lambda one: f"{one.chain}:{one.seq}",
    columns=[
        Column("NUMBER", lambda one: one.seq),
        Column("WHEN", lambda one: publishing.moment(one.at)),
        Column("WHO", lambda one: one.actor_name or one.actor_id or one.actor_kind),
        Column("ACTION", lambda one: one.action),
        Column("OUTCOME", lambda one: one.outcome if one.count == 1 else f"{one.outcome} x{one.count}"),
        Column("RESOURCE", lambda one: one.resource),
        Column("REASON", lambda one: one.reason),
    ],
)


@click.group()
def audit() -> None:
    """Who did what: read the audit log, and prove it was not altered."""


@audit.command()
@click.option("-t", "--tenant", envvar="QIANTANG_CLI_TENANT", default="", help="chain of a tenant (else the context's)")
@click.option("--platform", is_flag=True, help="chain of the platform itself")
@click.option("--all", "everything", is_flag=True, help="every chain: the platform's and each tenant's")
@output_option
@click.pass_context
def verify(context: click.Context, *, tenant: str, platform: bool, everything: bool) -> None:
    """Replay hash chains and say where one was broken. Fails (1) if one was.

    Keep the last hash elsewhere: who holds the database wholly could write a chain anew, but not with that hash.
    """
    session = context.ensure_object(Session)
    with connect(session) as connection:
        found = [_verify(connection, one) for one in _chains(session, connection, tenant, platform, everything)]
    output.show_list(found, CHAINS, session.form)
    broken = [one.chain for one in found if not one.intact]
    if broken:
        talk.problem(f"broken: {talk.names(broken)}")
        context.exit(failures.FAILED)


@audit.command("list")
@click.option("-t", "--tenant", envvar="QIANTANG_CLI_TENANT", default="", help="log of a tenant (else the context's)")
@click.option("--platform", is_flag=True, help="log of the platform itself")
@click.option("--actor", default=None, help="id of who did it")
@click.option("--action", default=None, help="beginning of the action: config.namespace:")
@click.option("--outcome", type=click.Choice(["allow", "deny", "error"]), default=None, help="how it ended")
@click.option("--resource", default=None, help="beginning of the resource")
@click.option("--since", default="", help="not before: 2026-12-01T08:00, or 1h for an hour ago")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="how many")
@output_option
@click.pass_obj
def list_records(
    session: Session, *, tenant: str, platform: bool, since: str, limit: int, **filters: str | None
) -> None:
    """List what happened, newest first."""
    with connect(session) as connection:
        (chain,) = _chains(session, connection, tenant, platform, everything=False)
        begin = publishing.parse_past(since, time.time()) if since else None
        target = path(*_chain_path(chain, "records"), since=begin, limit=min(limit, 500), **filters)
        found = connection.pages(target, Record, most=limit)
    output.show_list(found, RECORDS, session.form)


def _chains(session: Session, connection: Connection, tenant: str, platform: bool, everything: bool) -> list[str]:
    if everything:
        tenants = connection.pages(path("identity", "tenants"), model.Tenant)
        return ["", *(one.name for one in tenants)]
    return ["" if platform else tenant or contexts.in_use(session).tenant]


def _verify(connection: Connection, chain: str) -> Verification:
    return connection.post(path(*_chain_path(chain, "verify")), None, Verification, idempotent=True)


def _chain_path(chain: str, what: str) -> tuple[str, ...]:
    return ("audit", "tenants", chain, what) if chain else ("audit", what)
