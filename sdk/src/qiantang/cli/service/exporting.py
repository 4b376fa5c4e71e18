"""Exporting: from code to a file. Nothing is called but the import of the module; no server is needed."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from qiantang.catalog.model import exchange
from qiantang.catalog.model.proto import protos_of
from qiantang.cli import files, talk
from qiantang.cli.imported import imported
from qiantang.kernel import errors
from qiantang.rpc.model.definition import MethodDocument, ServiceDocument, definition_of, document_of
from qiantang.rpc.model.openapi import openapi_of


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="MODULE:SERVICE...")
@click.option("-f", "--file", "target", default="-", show_default=True, help="file to write; - for stdout")
@click.option("--openapi", "form", flag_value="openapi", help="as OpenAPI, for callers over HTTP")
@click.option("--proto", "form", flag_value="proto", help="as .proto text; of several services a folder is written to")
@click.option("--force", is_flag=True, help="write over a file that is there")
def export(targets: tuple[str, ...], target: str, form: str | None, *, force: bool) -> None:
    """Write the definitions of services to a file, from code alone.

    Each is named as MODULE:SERVICE, such as shop.services:Orders, and looked for from this folder. The file is what
    qiantang service import takes.
    """
    services = [documented(one) for one in targets]
    if form == "proto":
        _write_protos(services, target, force=force)
    elif form == "openapi":
        title = ", ".join(one.name for one in services)
        _write(
            json.dumps(openapi_of(services, title), ensure_ascii=False, indent=2).encode() + b"\n", target, force=force
        )
    else:
        _write(exchange.written(services), target, force=force)


def documented(where: str) -> ServiceDocument:
    """Give the definition of a service in code, with what its docstrings say.

    Raises:
        MisconfiguredError: there is no such class, or it is no service; the detail says why.
    """
    if not where.partition(":")[2]:
        raise click.UsageError(f"{where!r}: write MODULE:SERVICE, such as shop.services:Orders")
    found = imported(where)
    if not isinstance(found, type):
        raise errors.MisconfiguredError(f"{where} is a {type(found).__name__}, not a class under @service")
    document = document_of(definition_of(found), _said(found))
    methods = tuple(_described(found, one) for one in document.methods)
    return msgspec.structs.replace(document, methods=methods)


def _described(owner: type, method: MethodDocument) -> MethodDocument:
    return msgspec.structs.replace(method, description=_said(getattr(owner, method.name)))


def _said(thing: object) -> str:
    return inspect.cleandoc(thing.__doc__ or "")


def _write(data: bytes, target: str, *, force: bool) -> None:
    if target == "-":
        click.echo(data, nl=False)
        return
    with files.whole(Path(target), force=force) as opened:
        opened.write(data)
    talk.say(f"{len(data)} bytes written to {target}")


def _write_protos(services: Sequence[ServiceDocument], target: str, *, force: bool) -> None:
    written = protos_of(services)
    is_folder = target != "-" and Path(target).is_dir()
    if len(written) > 1 and not is_folder:
        raise click.UsageError("a .proto file is of one service: give a folder that is there with --file")
    for name, text in written.items():
        _write(text.encode(), str(Path(target, name)) if is_folder else target, force=force)
