"""`qiantang service request`: asking to call services that are for subscribers, and deciding."""

from __future__ import annotations

import click

from qiantang.catalog.model.answers import AccessRequest, AnswerCommand, AskCommand
from qiantang.catalog.model.kinds import CAPABILITY
from qiantang.cli import output, talk
from qiantang.cli.output import Column, Table
from qiantang.cli.place import Place, open_room, place_options
from qiantang.cli.publishing import moment
from qiantang.cli.service.subscribing import provider_of
from qiantang.cli.session import Session, output_option

REQUESTS = Table[AccessRequest](
    noun="requests to call a service",
    name=lambda one: one.id,
    columns=[
        Column("ID", lambda one: one.id),
        Column("STATE", lambda one: f"{one.state}, publish {one.publishing_state}" if one.publishing else one.state),
        Column("CONSUMER", lambda one: one.consumer),
        Column("PROVIDER", lambda one: one.provider),
        Column("SERVICE", lambda one: one.service),
        Column("AUTHOR", lambda one: one.author),
        Column("WHEN", lambda one: moment(one.created_at)),
        Column("REASON", lambda one: one.reason),
        Column("DECIDED BY", lambda one: one.decided_by),
        Column("ANSWER", lambda one: one.answer),
    ],
)

_reason = click.option("-m", "--message", required=True, help="why; the other side reads it")


@click.group()
def request() -> None:
    """Ask to call services that are for subscribers, and decide."""


@request.command("list")
@click.option("--received", is_flag=True, help="what others asked this application for, not what it asked")
@click.option("--all", "decided", is_flag=True, help="those too that are decided")
@place_options
@output_option
@click.pass_obj
def list_requests(session: Session, *, received: bool, decided: bool, place: Place) -> None:
    """List the requests of an application, newest first."""
    with open_room(session, place, CAPABILITY) as room:
        found = room.pages(AccessRequest, "access-requests", "received" if received else "asked", decided=decided)
    output.show_list(found, REQUESTS, session.form)


@request.command()
@click.argument("provider", metavar="CENTER/APPLICATION")
@click.argument("service")
@_reason
@place_options
@output_option
@click.pass_obj
def ask(session: Session, *, provider: str, service: str, message: str, place: Place) -> None:
    """Ask that an application may call a service of another."""
    center, application = provider_of(provider)
    with open_room(session, place, CAPABILITY) as room:
        command = AskCommand(center=center, application=application, service=service, reason=message)
        made = room.post(AccessRequest, command, "access-requests")
    output.show_one(made, REQUESTS, session.form)


def _decision(name: str, text: str) -> None:
    @request.command(name, help=text)
    @click.argument("identifier", metavar="ID")
    @_reason
    @place_options
    @output_option
    @click.pass_obj
    def decide(session: Session, *, identifier: str, message: str, place: Place) -> None:
        with open_room(session, place, CAPABILITY) as room:
            made = room.post(AccessRequest, AnswerCommand(reason=message), "access-requests", identifier, name)
        talk.say(f"request {made.id} is {made.state}")
        output.show_one(made, REQUESTS, session.form)


_decision("accept", "Make who asks a subscriber of your service; it is published.")
_decision("refuse", "Refuse what somebody asked your application for.")
_decision("withdraw", "Take back what your application asked for.")
