"""Exchange: namespaces out to files and in again; an import makes drafts, never a release."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from qiantang.cli import failures, files, output, talk
from qiantang.cli.output import Column, Table
from qiantang.cli.place import Place, open_room, place_options
from qiantang.cli.session import Session, output_option
from qiantang.config.model import CAPABILITY
from qiantang.config.model.answers import ImportLine, ImportResult
from qiantang.kernel import errors

MAX_FILE_BYTES = 64 << 20
FORMATS = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".toml": "toml",
    ".properties": "properties",
    ".txt": "text",
}
CHOICES = ["properties", "yaml", "json", "toml", "text"]
POLICIES = ["fail", "skip", "overwrite", "merge"]

LINES = Table[ImportLine](
    noun="namespaces",
    name=lambda one: one.namespace,
    columns=[
        Column("NAMESPACE", lambda one: one.namespace),
        Column("ACTION", lambda one: one.action),
        Column("REASON", lambda one: one.reason),
    ],
)


@click.command()
@click.argument("namespace", default="")
@click.option("-f", "--file", "target", default="-", show_default=True, help="file to write; - for stdout")
@click.option(
    "--format", "form", type=click.Choice(CHOICES), help="of one namespace; else by the file's name, or its own"
)
@click.option("--reveal", is_flag=True, help="with secrets; that you did is written in the audit log")
@click.option("--force", is_flag=True, help="write over a file that is there")
@place_options
@click.pass_obj
def export(
    session: Session, *, namespace: str, target: str, form: str | None, reveal: bool, force: bool, place: Place
) -> None:
    """Write namespaces to a file.

    One as text, or with none named the whole application as a zip file. Secrets are left out unless revealed; an
    import keeps those that it finds in their place.
    """
    if not namespace and target == "-" and sys.stdout.isatty():
        raise click.UsageError("a zip file is nothing for a terminal: give --file orders.zip")
    chosen = form or FORMATS.get(Path(target).suffix)
    with open_room(session, place, CAPABILITY) as room:
        parts = ("export", namespace) if namespace else ("export",)
        data = room.get(bytes, *parts, format=chosen if namespace else None, reveal=reveal or None)
    if target == "-":
        sys.stdout.buffer.write(data)
    else:
        with files.whole(Path(target), force=force) as opened:
            opened.write(data)
        talk.say(f"{len(data)} bytes written to {target}")


@click.command("import")
@click.argument("source")
@click.option("--namespace", default="", help="name of the namespace; else the file's")
@click.option("--format", "form", type=click.Choice([*CHOICES, "zip"]), help="of the file; else by its name")
@click.option(
    "--policy", type=click.Choice(POLICIES), default="fail", show_default=True, help="what to do with what exists"
)
@click.option("--dry-run", is_flag=True, help="write nothing, only say what would be done")
@place_options
@output_option
@click.pass_context
def import_file(
    context: click.Context,
    *,
    source: str,
    namespace: str,
    form: str | None,
    policy: str,
    dry_run: bool,
    place: Place,
) -> None:
    """Take namespaces from a file as drafts.

    A zip file of an application, or one namespace as text.
    """
    session = context.ensure_object(Session)
    path = Path(source)
    kind = form or ("zip" if path.suffix == ".zip" else FORMATS.get(path.suffix, ""))
    name = namespace or path.name.removesuffix(path.suffix)
    if not kind or (source == "-" and kind != "zip" and not namespace):
        raise click.UsageError(f"what is {source}? give --format, and --namespace for stdin")
    data = _read(source)
    with open_room(session, place, CAPABILITY) as room:
        asked = {"policy": policy, "dry_run": dry_run}
        target = room.path("import", **asked) if kind == "zip" else room.path("import", name, format=kind, **asked)
        result = room.connection.call("POST", target, data, ImportResult, idempotent=dry_run)
    output.show_list(result.lines, LINES, session.form, empty="the file holds no namespaces")
    refused = [one.namespace for one in result.lines if one.action == "refuse"]
    if refused:
        talk.problem(f"refused: {talk.names(refused)}")
        context.exit(failures.CONFLICT)
    if not dry_run and any(one.action != "keep" for one in result.lines):
        talk.advise("they are drafts: qiantang config diff, then qiantang config publish")


def _read(source: str) -> bytes:
    try:
        if source == "-":
            data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        else:
            with Path(source).open("rb") as opened:
                data = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise errors.NotFoundError(f"{source} cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise errors.TooLargeError(f"{source} is larger than {MAX_FILE_BYTES} bytes")
    return data
