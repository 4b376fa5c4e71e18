"""Editing: set and unset as drafts. Edits of single keys are repeated on what somebody else wrote meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from qiantang.cli import talk
from qiantang.cli.config import body as bodies
from qiantang.cli.config.namespaces import PLURAL
from qiantang.cli.place import Place, Room, current_body, open_room, place_options
from qiantang.cli.session import Session
from qiantang.config.model import CAPABILITY
from qiantang.kernel import errors, release

ATTEMPTS = 5
MAX_DOCUMENT = 64 << 20
FORMATS = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml", ".txt": "text"}
TYPES = ["string", "number", "boolean", "json"]


@click.command("set")
@click.argument("namespace")
@click.argument("pairs", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--type", "kind", type=click.Choice(TYPES), default=None, help="how values are read")
@click.option("--comment", default=None, help="comment of these settings")
@click.option("--secret", "hide", is_flag=True, help="they are secrets; KEY alone asks for the value, or reads stdin")
@click.option("--file", "source", default="", help="the whole document of the namespace; - for stdin")
@click.option(
    "--format", "form", type=click.Choice(["yaml", "json", "toml", "text"]), help="of --file; else by its name"
)
@place_options
@click.pass_obj
def set_values(
    session: Session, *, namespace: str, pairs: tuple[str, ...], source: str, place: Place, **given: Any
) -> None:
    """Set values of a namespace as a draft.

    A namespace that is not there is made. A secret stays a secret when it is set anew. Publish the draft with
    qiantang config publish.
    """
    if bool(pairs) == bool(source):
        raise click.UsageError("give KEY=VALUE pairs, or a whole document with --file")
    hide = bool(given["hide"])
    if source:
        form, text = _document(source, given["form"] or "")
        edit: Callable[[bodies.Body], bodies.Body] = lambda body: bodies.with_document(body, form, text, hide=hide)  # noqa: E731
    else:
        values = dict(_pair(session, pair, hide=hide) for pair in pairs)
        edit = lambda body: bodies.assign(  # noqa: E731
            body, values, kind=given["kind"] or "", comment=given["comment"], hide=hide
        )
    with open_room(session, place, CAPABILITY) as room:
        detail = _edit(room, namespace, edit, create=True)
    _tell(namespace, detail)


@click.command()
@click.argument("namespace")
@click.argument("keys", nargs=-1, required=True)
@place_options
@click.pass_obj
def unset(session: Session, *, namespace: str, keys: tuple[str, ...], place: Place) -> None:
    """Remove values of a namespace as a draft."""
    with open_room(session, place, CAPABILITY) as room:
        detail = _edit(room, namespace, lambda body: bodies.remove(body, list(keys)), create=False)
    _tell(namespace, detail)


def _edit(
    room: Room, namespace: str, edit: Callable[[bodies.Body], bodies.Body], *, create: bool
) -> release.ResourceDetail:
    for attempt in range(1, ATTEMPTS + 1):
        found = room.find(PLURAL, namespace)
        body = None if found is None else current_body(found)
        if body is None and not create:
            raise errors.NotFoundError(f"there is no namespace {namespace!r} in {room.bundle.scope}")
        version = release.NO_VERSION if found is None else found.version
        try:
            return room.save(PLURAL, namespace, edit(body or bodies.empty()), version)
        except errors.StaleRevisionError:
            if attempt == ATTEMPTS:
                raise
    raise errors.InternalError("unreachable")


def _tell(namespace: str, detail: release.ResourceDetail) -> None:
    if detail.state == "published":
        talk.say(f"{namespace} is as it is published: no draft")
    else:
        talk.say(f"draft of {namespace} saved; see qiantang config diff, then qiantang config publish")


def _pair(session: Session, pair: str, *, hide: bool) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not key:
        raise click.UsageError(f"{pair!r}: write KEY=VALUE")
    if equals:
        return key, value
    if not hide:
        raise click.UsageError(f"{key} needs a value: write {key}=VALUE")
    if talk.is_terminal():
        return key, talk.ask(key, allowed=session.asks, instead=f"{key}=VALUE", hidden=True)
    line = sys.stdin.readline(MAX_DOCUMENT).rstrip("\r\n")
    if not line:
        raise click.UsageError(f"stdin holds no value for {key}")
    return key, line


def _document(source: str, form: str) -> tuple[str, str]:
    found = form or FORMATS.get(Path(source).suffix, "")
    if not found:
        raise click.UsageError(f"in which format is {source}? give --format")
    try:
        data = sys.stdin.buffer.read(MAX_DOCUMENT + 1) if source == "-" else _read(Path(source))
        text = data.decode()
    except OSError as error:
        raise errors.NotFoundError(f"{source} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise errors.InvalidRequestError(f"{source} is not UTF-8 text") from error
    if len(data) > MAX_DOCUMENT:
        raise errors.TooLargeError(f"{source} is larger than {MAX_DOCUMENT} bytes")
    return found, text


def _read(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(MAX_DOCUMENT + 1)
