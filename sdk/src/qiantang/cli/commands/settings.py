"""`qiantang settings`: the settings of the processes on this machine, as they would start now."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from qiantang.cli import output
from qiantang.cli.output import Column, Table
from qiantang.cli.session import Session, output_option
from qiantang.kernel import errors, plugins
from qiantang.kernel import settings as kernel_settings
from qiantang.kernel.settings import Row

GROUP = "qiantang.settings"
OF_APPLICATIONS = "client"

Sections = Mapping[str, type[msgspec.Struct]]

TABLE = Table[Row](
    noun="settings",
    name=lambda row: row.name,
    columns=[
        Column("NAME", lambda row: row.name),
        Column("VALUE", lambda row: row.value),
        Column("DEFAULT", lambda row: row.default),
        Column("SOURCE", lambda row: row.source),
        Column("MEANING", lambda row: row.meaning),
    ],
)


@click.command()
@click.argument("process", default="")
@click.option("--config", "file", type=click.Path(path_type=Path, dir_okay=False), help="settings file (TOML)")
@click.option("--changed", is_flag=True, help="only those that somebody set")
@click.option("--defaults", is_flag=True, help="print a settings file with every setting, its meaning and default")
@output_option
@click.pass_obj
def settings(session: Session, *, process: str, file: Path | None, changed: bool, defaults: bool) -> None:
    """Settings of the platform's processes: values, sources, meanings.

    Reads what a process would read if it started here now, and says everything that is wrong with it.
    """
    offered = _offered()
    names = [process] if process else sorted(offered)
    if process and process not in offered:
        raise errors.MisconfiguredError(f"no process {process!r} is installed; known: {', '.join(sorted(offered))}")
    if defaults:
        click.echo("\n".join(kernel_settings.print_defaults(offered[name]) for name in names), nl=False)
        return
    rows = [row for name in names for row in _rows(offered, name, file)]
    if changed:
        rows = [row for row in rows if row.source != "default"]
    output.show_list(rows, TABLE, session.form, empty="no process is installed" if not offered else "")


def _offered() -> dict[str, Sections]:
    return {name: plugins.load(GROUP, name)() for name in plugins.names(GROUP)}


def _rows(offered: Mapping[str, Sections], name: str, file: Path | None) -> list[Row]:
    others = {section for sections in offered.values() for section in sections} - set(offered[name])
    loaded = kernel_settings.load(
        offered[name],
        file=file,
        environment=os.environ,
        ignore_sections=[*others, OF_APPLICATIONS, *kernel_settings.IGNORED],
    )
    return kernel_settings.describe(loaded)
