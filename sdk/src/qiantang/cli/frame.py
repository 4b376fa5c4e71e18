"""Frame: groups of commands that are imported only when one is run, so that help and completion stay quick.

Nothing here, nor in what it imports, may import more of the platform: `qiantang --help` pays for it.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

GROUP = "qiantang.commands"


def load(target: str) -> Any:
    """Import what "module:name" names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


class Lazy(NamedTuple):
    """A command that is not imported yet: where it is, and its line in the list of commands."""

    target: str
    help: str


class LazyGroup(click.Group):
    """A group whose commands are imported when they are run; with `entry_points` also those that processes bring.

    A process brings a command by an entry point in the group "qiantang.commands"; its line of help is read from the
    docstring in its source, without importing it.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], entry_points: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy
        self._entry_points = entry_points

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands; imports none."""
        return sorted({*self._lazy, *self._brought(), *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; an own one before one that a process brings."""
        if cmd_name in self._lazy:
            return load(self._lazy[cmd_name].target)
        command = super().get_command(ctx, cmd_name)
        if command is None and cmd_name in self._brought():
            return load("qiantang.cli.brought:load")(self._entry_points, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest the nearest of all."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            known = self.list_commands(ctx)
            raise click.exceptions.NoSuchCommand(args[0], possibilities=known, ctx=ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from their lines of help; imports none."""
        rows = self._lines(ctx)
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names of commands without importing them."""
        found = [CompletionItem(name, help=line) for name, line in self._lines(ctx) if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def _brought(self) -> dict[str, str]:
        if not self._entry_points:
            return {}
        return {entry.name: entry.value for entry in metadata.entry_points(group=self._entry_points)}

    def _lines(self, ctx: click.Context) -> list[tuple[str, str]]:
        brought = self._brought()
        lines: list[tuple[str, str]] = []
        for name in self.list_commands(ctx):
            if name in self._lazy:
                lines.append((name, self._lazy[name].help))
            elif name in self.commands:
                lines.append((name, self.commands[name].get_short_help_str(80)))
            else:
                lines.append((name, source_line(brought[name])))
        return lines


def source_line(target: str) -> str:
    """Give the first sentence of a function's docstring from its source, importing nothing; empty where it has none."""
    module, _, name = target.partition(":")
    try:
        file = _source_of(module.strip())
        body = ast.parse(file.read_bytes()).body if file else []
    except (OSError, SyntaxError, ValueError, ImportError):
        return ""
    wanted = name.partition("[")[0].strip()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == wanted:
            first = (ast.get_docstring(node) or "").partition("\n")[0]
            return first.removesuffix(".")
    return ""


def _source_of(module: str) -> Path | None:
    package, *rest = module.split(".")
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        place = Path(folder, *rest)
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None
