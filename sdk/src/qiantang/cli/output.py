"""Output: data on stdout as a table for people, or as JSON, YAML and bare names for programs."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, cast

import click
import yaml

from qiantang.cli import talk
from qiantang.kernel import wire

T = TypeVar("T")

Format = Literal["table", "json", "yaml", "name"]
FORMATS: tuple[Format, ...] = ("table", "json", "yaml", "name")
GAP = "  "


@dataclass(frozen=True)
class Column(Generic[T]):
    """One column of a table."""

    title: str
    read: Callable[[T], Any]


@dataclass(frozen=True)
class Table(Generic[T]):
    """How a kind of thing is shown: its name for scripts, its columns for people, and what it is called."""

    noun: str
    name: Callable[[T], str]
    columns: Sequence[Column[T]]


def show_list(items: Sequence[T], table: Table[T], form: str, *, empty: str = "") -> None:
    """Write a list; an empty one says so on stderr."""
    if not items:
        talk.say(empty or f"no {table.noun}")
    if form in {"json", "yaml"}:
        show_value([wire.builtins(item) for item in items], form)
    elif form == "name":
        for item in items:
            click.echo(talk.printable(table.name(item)))
    elif items:
        rows = [[_cell(column.read(item)) for column in table.columns] for item in items]
        click.echo("\n".join(lay_out([column.title for column in table.columns], rows, _width())))


def show_one(item: T, table: Table[T], form: str) -> None:
    """Write one thing: in a table each column is a line."""
    if form in {"json", "yaml"}:
        show_value(wire.builtins(item), form)
    elif form == "name":
        click.echo(talk.printable(table.name(item)))
    else:
        size = max(text_width(column.title) for column in table.columns)
        for column in table.columns:
            click.echo(f"{_padded(column.title, size)}{GAP}{_cell(column.read(item))}".rstrip())


def show_value(value: Any, form: str) -> None:
    """Write a plain value as JSON, or as YAML for every other form."""
    if form == "json":
        click.echo(json.dumps(value, ensure_ascii=False, indent=2))
    else:
        click.echo(to_yaml(value), nl=False)


def plain(item: Any) -> Any:
    """Turn a wire model into plain values."""
    return wire.builtins(item)


def one_line(item: Any) -> str:
    """Write a wire model as JSON on one line, for streams of them."""
    return json.dumps(plain(item), ensure_ascii=False)


def to_yaml(value: Any) -> str:
    """Write a plain value as YAML: keys in the given order, texts of several lines as blocks."""
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=1000)


class _Dumper(yaml.SafeDumper):
    """Writes several lines as a block, which people can read and edit."""


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = all(sign.isprintable() or sign == "\n" for sign in text)
    style = '"' if not plain else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)  # pyright: ignore[reportUnknownMemberType]


_Dumper.add_representer(str, _write_text)


def lay_out(titles: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Align rows under titles. With a `width` the widest column gives way, so that lines fit; without, nothing is cut."""
    sizes = [max(text_width(cell) for cell in column) for column in zip(titles, *rows, strict=True)]
    if width is not None:
        _narrow(sizes, width - len(GAP) * (len(sizes) - 1))
    return [
        GAP.join(_padded(_cut(cell, size), size) for cell, size in zip(row, sizes, strict=True)).rstrip()
        for row in (titles, *rows)
    ]


def text_width(text: str) -> int:
    """Count the columns of a terminal that a text takes: two for wide signs, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(map(_sign_width, text))


def _sign_width(sign: str) -> int:
    if unicodedata.combining(sign) or unicodedata.category(sign) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(sign) in {"W", "F"} else 1


def _narrow(sizes: list[int], room: int) -> None:
    while sum(sizes) > room and max(sizes) > 8:
        widest = sizes.index(max(sizes))
        second = max([size for place, size in enumerate(sizes) if place != widest], default=0)
        sizes[widest] = max(8, second - 1, sizes[widest] - (sum(sizes) - room))


def _cut(text: str, size: int) -> str:
    if text_width(text) <= size:
        return text
    kept, used = "", 0
    for sign in text:
        used += _sign_width(sign)
        if used > size - 1:
            break
        kept += sign
    return kept + "…"


def _padded(text: str, size: int) -> str:
    return text + " " * (size - text_width(text))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in cast("Sequence[Any]", value))
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return ", ".join(f"{key}={_cell(item)}" for key, item in pairs)
    text = str(value)
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
