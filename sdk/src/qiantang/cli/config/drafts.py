"""Drafts: what waits to be published, and throwing it away."""

from __future__ import annotations

import click

from qiantang.cli import changes, talk
from qiantang.cli.config.namespaces import PLURAL, require
from qiantang.cli.place import Place, open_room, place_options
from qiantang.cli.publishing import ask
from qiantang.cli.session import Session, output_option
from qiantang.config.model import CAPABILITY
from qiantang.kernel import errors, release


@click.command()
@click.option(
    "--revision", type=click.IntRange(min=0), default=None, help="compare this revision instead of the drafts"
)
@click.option("--since", type=click.IntRange(min=0), default=None, help="with an earlier one; else with the one before")
@place_options
@output_option
@click.pass_obj
def diff(session: Session, *, revision: int | None, since: int | None, place: Place) -> None:
    """Show what the drafts would change, or what separates two revisions."""
    if since is not None and revision is None:
        raise click.UsageError("--since needs --revision")
    with open_room(session, place, CAPABILITY) as room:
        if revision is None:
            found = room.get(release.Difference, "drafts").pending
        else:
            found = room.get(list[release.PendingChange], "releases", str(revision), "changes", since=since)
    changes.show(found, session.form, empty="no drafts" if revision is None else "no difference")


@click.command()
@click.argument("namespace")
@click.option("-y", "--yes", is_flag=True, help="do not ask")
@place_options
@click.pass_obj
def delete(session: Session, *, namespace: str, yes: bool, place: Place) -> None:
    """Draft the removal of a namespace.

    Instances keep it until that is published.
    """
    with open_room(session, place, CAPABILITY) as room:
        detail = require(room, namespace)
        ask(session, f"draft the removal of {namespace} from {room.bundle.scope}?", yes=yes)
        target = room.path(PLURAL, namespace)
        room.connection.call("DELETE", target, None, type(None), version=detail.version, idempotent=False)
    talk.say(f"removal of {namespace} drafted; publish it with qiantang config publish")


@click.command()
@click.argument("namespaces", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="every draft of the application")
@click.option("-y", "--yes", is_flag=True, help="do not ask")
@place_options
@click.pass_obj
def discard(session: Session, *, namespaces: tuple[str, ...], everything: bool, yes: bool, place: Place) -> None:
    """Throw drafts away.

    What is published stays.
    """
    if bool(namespaces) == everything:
        raise click.UsageError("name the namespaces, or give --all")
    with open_room(session, place, CAPABILITY) as room:
        pending = room.get(release.Difference, "drafts").pending
        chosen = [one for one in pending if everything or one.name in namespaces]
        missing = set(namespaces) - {one.name for one in chosen}
        if missing:
            raise errors.NotFoundError(f"there is no draft of {talk.names(sorted(missing))}")
        if not chosen:
            talk.say("no drafts")
            return
        changes.tell(chosen)
        ask(session, f"throw {len(chosen)} drafts away?", yes=yes)
        for one in chosen:
            target = room.path(PLURAL, one.name, "draft")
            room.connection.call("DELETE", target, None, type(None), version=one.version, idempotent=False)
            talk.say(f"draft of {one.name} thrown away")
