"""`qiantang config request`: publishes that wait for a second person or for their time."""

from __future__ import annotations

import click

from qiantang.cli import output, publishing, talk
from qiantang.cli.place import Place, open_room, place_options
from qiantang.cli.session import Session, output_option
from qiantang.config.model import CAPABILITY
from qiantang.kernel import release


@click.group()
def request() -> None:
    """Publishes that wait for a second person or their time."""


@request.command("list")
@click.option("--all", "decided", is_flag=True, help="those too that are decided")
@place_options
@output_option
@click.pass_obj
def list_requests(session: Session, *, decided: bool, place: Place) -> None:
    """List the requests, newest first."""
    with open_room(session, place, CAPABILITY) as room:
        found = room.get(list[release.PublishRequest], "requests", decided=decided)
    output.show_list(found, publishing.REQUESTS, session.form)


def _decision(name: str, text: str) -> None:
    @request.command(name, help=text)
    @click.argument("identifier", metavar="ID")
    @click.option("-m", "--message", default="", help="why; kept in the history")
    @place_options
    @output_option
    @click.pass_obj
    def decide(session: Session, *, identifier: str, message: str, place: Place) -> None:
        with open_room(session, place, CAPABILITY) as room:
            command = release.DecisionCommand(message=message)
            made = room.post(release.PublishRequest, command, "requests", identifier, name)
        talk.say(f"request {identifier} is {made.state}")
        output.show_one(made, publishing.REQUESTS, session.form)


_decision("approve", "Approve another person's request; it is published at once, or at its time.")
_decision("reject", "Reject a request; the drafts stay.")
_decision("cancel", "Take a request back; the drafts stay.")
