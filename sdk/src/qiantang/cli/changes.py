"""Changes: differences as people read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import click

from qiantang.cli import output, talk
from qiantang.kernel import release, secret, wire

SIGNS = {"add": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}
MAX_VALUE = 200


def show(changes: Sequence[release.PendingChange], form: str, *, empty: str) -> None:
    """Write changes on stdout: as data, or as text for people."""
    if form in {"json", "yaml"}:
        output.show_value(wire.builtins(list(changes)), form)
    elif form == "name":
        for one in changes:
            click.echo(f"{one.kind}/{talk.printable(one.name)}")
    else:
        for line in lines(changes):
            click.echo(line)
    if not changes:
        talk.say(empty)


def tell(changes: Sequence[release.PendingChange]) -> None:
    """Say changes to the person, before he decides."""
    for line in lines(changes):
        talk.say(line)


def lines(changes: Sequence[release.PendingChange]) -> list[str]:
    """Write changes as lines of text."""
    written: list[str] = []
    for one in changes:
        sign, colour = SIGNS[one.action]
        author = f"  ({talk.printable(one.author)})" if one.author else ""
        written.append(click.style(f"{sign} {one.kind} {talk.printable(one.name)}", fg=colour, bold=True) + author)
        written += [line for change in one.changes for line in _change(change.path, change.before, change.after)]
    return written


def _change(path: str, before: Any, after: Any) -> list[str]:
    name = talk.printable(path) or "(whole)"
    if before is None:
        return [click.style(f"    + {name}: {value(after)}", fg="green")]
    if after is None:
        return [click.style(f"    - {name}: {value(before)}", fg="red")]
    return [f"    ~ {name}: {click.style(value(before), fg='red')} → {click.style(value(after), fg='green')}"]


def value(node: Any) -> str:
    """Write a value on one line, a secret as its mark."""
    if secret.is_secret(node):
        mark = node[secret.FIELD].get("mask", "")
        return f"(secret {mark})" if mark else "(secret)"
    if isinstance(node, dict) and "value" in node:
        inside = cast("dict[str, Any]", node)
        more = {key: inner for key, inner in inside.items() if key != "value"}
        return value(inside["value"]) + (f" {value(more)}" if more else "")
    text = node if isinstance(node, str) else json.dumps(secret.mask(node), ensure_ascii=False)
    shown = text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}… ({len(text)} characters)"
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in shown)
