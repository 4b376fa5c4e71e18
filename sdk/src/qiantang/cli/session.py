"""Session: one run of the command line: what was asked for of all commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])


@dataclass(kw_only=True)
class Session:
    """What holds for the whole run. `form` is how data is written, `asks` whether the person may be asked."""

    context_name: str = ""
    form: str = "table"
    asks: bool = True
    servers: list[str] = field(default_factory=list[str])
    token: str = field(default="", repr=False)
    timeout: float = 15.0


def _choose_form(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.find_object(Session).form = value  # type: ignore[union-attr]  # the root makes it


def output_option(command: C) -> C:
    """Give a command that writes data its own -o."""
    option = click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml", "name"]),
        expose_value=False,
        callback=_choose_form,
        help="how data is written",
    )
    return option(command)
