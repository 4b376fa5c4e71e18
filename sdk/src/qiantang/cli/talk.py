"""Talk: what the command line says to the person, always on stderr; data goes to stdout by `output` alone."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Protocol

import click


def say(text: str) -> None:
    """Say a line."""
    click.echo(text, err=True)


def problem(text: str) -> None:
    """Say what went wrong."""
    say(f"{click.style('error:', fg='red', bold=True)} {printable(text)}")


def warn(text: str) -> None:
    """Say what may go wrong."""
    say(f"{click.style('warning:', fg='yellow', bold=True)} {printable(text)}")


def advise(text: str) -> None:
    """Say what to do."""
    say(f"  {click.style('->', dim=True)} {text}")


def printable(text: str) -> str:
    """Escape what would steer a terminal: the text may come from anybody. Line breaks stay."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in text)


def is_terminal() -> bool:
    """Say whether a person sits there: can read the question and type the answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, *, allowed: bool, instead: str, default: str | None = None, hidden: bool = False) -> str:
    """Ask the person; `instead` says which option gives the answer without asking.

    Raises:
        UsageError: nobody is there to be asked, or asking is forbidden.
    """
    _require_person(question, allowed, instead)
    return click.prompt(question, default=default, hide_input=hidden, err=True, show_default=default is not None)


def ask_new_password(*, allowed: bool, instead: str) -> str:
    """Ask for a new password, twice.

    Raises:
        UsageError: nobody is there to be asked.
    """
    _require_person("password", allowed, instead)
    return click.prompt("new password", hide_input=True, confirmation_prompt="the same again", err=True)


def confirm(question: str, *, allowed: bool, instead: str = "--yes") -> None:
    """Go on only if the person says yes.

    Raises:
        UsageError: nobody is there to be asked.
        Abort: the person says no.
    """
    _require_person(question, allowed, instead)
    click.confirm(question, abort=True, err=True)


def _require_person(question: str, allowed: bool, instead: str) -> None:
    if not allowed or not is_terminal():
        raise click.UsageError(f"nobody can be asked ({question}): give {instead}")


class Progress(Protocol):
    """Something that is told how far the work is."""

    def update(self, n_steps: int) -> None:
        """So much more is done."""


class _Silence:
    def update(self, n_steps: int) -> None:
        """Nobody looks."""


@contextmanager
def progress(total: int, label: str) -> Generator[Progress]:
    """Show a bar for long work, where stderr is a terminal; nothing is written elsewhere."""
    if not sys.stderr.isatty():
        yield _Silence()
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield bar


def count(number: int, noun: str) -> str:
    """Say how many there are of something whose plural is regular."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def names(items: Iterable[str], most: int = 5) -> str:
    """Name a few of many."""
    known = list(items)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more
