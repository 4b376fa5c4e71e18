"""Brought: commands that processes bring by entry points."""

from __future__ import annotations

import click

from qiantang.kernel import errors, plugins


def load(group: str, name: str) -> click.Command:
    """Import a command.

    Raises:
        MisconfiguredError: it cannot be loaded, or is no command.
    """
    command = plugins.load(group, name)
    if not isinstance(command, click.Command):
        raise errors.MisconfiguredError(f"{name!r} in {group} is not a command but a {type(command).__name__}")
    return command
