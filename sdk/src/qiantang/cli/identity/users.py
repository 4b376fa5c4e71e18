"""`qiantang user`: accounts of people, and why somebody may do something."""

from __future__ import annotations

import click

from qiantang.cli import output, signing_in, talk
from qiantang.cli.connection import path
from qiantang.cli.identity.home import Home, home_options, open_home
from qiantang.cli.identity.nouns import confirm, delete, sort_option, yes_option
from qiantang.cli.output import Column, Table
from qiantang.cli.place import Place
from qiantang.cli.publishing import moment
from qiantang.cli.session import Session, output_option
from qiantang.identity import model

USERS = Table[model.User](
    noun="users",
    name=lambda one: one.name,
    columns=[
        Column("NAME", lambda one: one.name),
        Column("TENANT", lambda one: one.tenant or "(platform)"),
        Column("TITLE", lambda one: one.title),
        Column("DISABLED", lambda one: one.disabled),
        Column("CREATED", lambda one: moment(one.created_at)),
        Column("SIGNED IN", lambda one: moment(one.signed_in_at)),
        Column("ID", lambda one: one.id),
    ],
)

ANSWER = Table[model.AccessAnswer](
    noun="answer",
    name=lambda one: "allowed" if one.allowed else "denied",
    columns=[
        Column("ALLOWED", lambda one: one.allowed),
        Column("WHY", lambda one: one.explanation),
        Column("NEAREST", lambda one: one.misses),
    ],
)

stdin_option = click.option("--password-stdin", is_flag=True, help="read the password from stdin")


@click.group()
def user() -> None:
    """Accounts of people, of a tenant or of the platform itself."""


@user.command("list")
@sort_option
@home_options
@output_option
@click.pass_obj
def list_users(session: Session, *, sort: str | None, place: Place, platform: bool) -> None:
    """List the users of a tenant, or of all where none is known."""
    with open_home(session, place, platform=platform, anywhere=True) as home:
        found = [one for one in home.pages("users", model.User, sort=sort) if not (platform and one.tenant)]
    output.show_list(found, USERS, session.form)


@user.command()
@click.argument("name")
@home_options
@output_option
@click.pass_obj
def show(session: Session, *, name: str, place: Place, platform: bool) -> None:
    """Show one user."""
    with open_home(session, place, platform=platform) as home:
        output.show_one(home.user(name), USERS, session.form)


@user.command()
@click.argument("name")
@click.option("--title", default="", help="his name as people write it")
@stdin_option
@home_options
@output_option
@click.pass_obj
def create(session: Session, *, name: str, title: str, password_stdin: bool, place: Place, platform: bool) -> None:
    """Make a user, who may do nothing until a role is granted to him."""
    with open_home(session, place, platform=platform) as home:
        password = signing_in.read_password(session, stdin=password_stdin, new=True)
        command = model.NewUser(name=name, password=password, title=title)
        made = home.connection.post(home.path("users"), command, model.User)
    talk.say(f"created user {made.name} of {home}; give him a role: qiantang grant add")
    output.show_one(made, USERS, session.form)


@user.command()
@click.argument("name")
@stdin_option
@home_options
@click.pass_obj
def password(session: Session, *, name: str, password_stdin: bool, place: Place, platform: bool) -> None:
    """Give a user a new password; all his sessions end."""
    with open_home(session, place, platform=platform) as home:
        found = home.user(name)
        fresh = signing_in.read_password(session, stdin=password_stdin, new=True)
        _change(home, found, model.UserChange(password=fresh))
    talk.say(f"{found.name} of {home} has a new password")


@user.command()
@click.argument("name")
@home_options
@output_option
@click.pass_obj
def disable(session: Session, *, name: str, place: Place, platform: bool) -> None:
    """Let a user in no more; his sessions end, his tokens rest."""
    _set_disabled(session, name, place, platform=platform, disabled=True)


@user.command()
@click.argument("name")
@home_options
@output_option
@click.pass_obj
def enable(session: Session, *, name: str, place: Place, platform: bool) -> None:
    """Let a disabled user in again."""
    _set_disabled(session, name, place, platform=platform, disabled=False)


@user.command("delete")
@click.argument("name")
@yes_option
@home_options
@click.pass_obj
def delete_user(session: Session, *, name: str, yes: bool, place: Place, platform: bool) -> None:
    """Delete a user with all that he holds."""
    with open_home(session, place, platform=platform) as home:
        found = home.user(name)
        confirm(session, f"delete user {found.name} of {home} with all that he holds?", yes=yes)
        delete(home.connection, home.path("users", found.id))
    talk.say(f"deleted user {found.name}")


@user.command()
@click.argument("name")
@click.argument("permission")
@click.argument("pattern", default="*", metavar="[SCOPE]")
@home_options
@output_option
@click.pass_obj
def explain(session: Session, *, name: str, permission: str, pattern: str, place: Place, platform: bool) -> None:
    """Say why a user may do something, or what he lacks.

    PERMISSION is such as config.namespace:publish, SCOPE such as acme/prod or acme/prod/trade/order. Everybody may ask
    about himself.
    """
    question = model.AccessQuestion(permission=permission, pattern=pattern)
    with open_home(session, place, platform=platform, anywhere=True) as home:
        me = home.connection.get(path("identity", "me"), model.Me)
        own = me.kind == "user" and name in {me.name, me.id} and me.tenant == home.tenant
        target = path("identity", "me") if own else home.path("users", home.user(name).id)
        answer = home.connection.post(f"{target}/explain", question, model.AccessAnswer, idempotent=True)
    output.show_one(answer, ANSWER, session.form)


def _set_disabled(session: Session, name: str, place: Place, *, platform: bool, disabled: bool) -> None:
    with open_home(session, place, platform=platform) as home:
        changed = _change(home, home.user(name), model.UserChange(disabled=disabled))
    talk.say(f"user {changed.name} is {'disabled' if disabled else 'enabled'}")
    output.show_one(changed, USERS, session.form)


def _change(home: Home, found: model.User, command: model.UserChange) -> model.User:
    return home.connection.call("PATCH", home.path("users", found.id), command, model.User, idempotent=True)
