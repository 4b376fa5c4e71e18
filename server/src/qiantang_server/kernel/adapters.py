"""Adapters of the kernel's ports: found by the name of their entry point, and made from one context.

The group of a port is `qiantang.<port>.adapters`; an entry point is a callable that is given the `Context` and gives the
adapter, not open yet. An adapter of another distribution may bring settings of its own: an entry point in the group
`qiantang.sections` whose name is the section and whose object is its `msgspec.Struct`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from qiantang.kernel import errors, plugins
from qiantang_server.kernel import storage

SECTIONS = "qiantang.sections"
S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an adapter is made with.

    `settings` holds every section by its name; `database` is open; `seal_key`, 32 bytes that all servers share, authenticates
    what the platform stores elsewhere.
    """

    settings: Mapping[str, msgspec.Struct]
    database: storage.Database
    seal_key: bytes

    def section(self, name: str, model: type[S]) -> S:
        """Give a section of the settings; its defaults where the process has none of that name."""
        found = self.settings.get(name)
        return found if isinstance(found, model) else model()


def make(port: str, name: str, context: Context) -> Any:
    """Make the adapter called `name`.

    Raises:
        MisconfiguredError: none is installed under that name (the detail lists which are), or its settings contradict each
            other.
        MissingExtraError: its driver is not installed.
    """
    return plugins.load(plugins.adapters(port), name)(context)


def brought_sections(own: Mapping[str, type[msgspec.Struct]]) -> dict[str, type[msgspec.Struct]]:
    """Give the sections that other distributions bring.

    Raises:
        MisconfiguredError: one is called as one of `own`, or is no Struct.
    """
    found: dict[str, type[msgspec.Struct]] = {}
    for name in plugins.names(SECTIONS):
        model = plugins.load(SECTIONS, name)
        if name in own:
            raise errors.MisconfiguredError(f"an installed plugin brings the settings section {name!r}, which is taken")
        if not (isinstance(model, type) and issubclass(model, msgspec.Struct)):
            raise errors.MisconfiguredError(f"the settings section {name!r} of an installed plugin is no Struct")
        found[name] = model
    return found
