"""Plugins: what other distributions offer by entry points, found by name and imported on first use.

Adapters are in the group `qiantang.<capability>.adapters`. The extra that brings a plugin's driver is the one that the
entry point names (`x = "module:Class [extra]"`), else the one called as the entry point, where its distribution has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from typing import Any

from qiantang.kernel import errors


def adapters(capability: str) -> str:
    """Name the group of a capability's adapters."""
    return f"qiantang.{capability}.adapters"


def names(group: str) -> list[str]:
    """List what the group offers; imports nothing."""
    return sorted(_entries(group))


def load(group: str, name: str) -> Any:
    """Import what the group offers under a name.

    Raises:
        MisconfiguredError: nothing has that name (the detail lists what has), two distributions claim it, or the plugin
            breaks while it is imported (the detail names its distribution).
        MissingExtraError: its driver is not installed; the detail holds the exact install line.
    """
    claims = _entries(group)
    if name not in claims:
        known = ", ".join(sorted(claims)) or "none is installed"
        raise errors.MisconfiguredError(f"nothing called {name!r} is installed for {group}; known: {known}")
    entries = claims[name]
    if len(entries) > 1:
        owners = " and ".join(sorted(_distribution(entry) for entry in entries))
        raise errors.MisconfiguredError(f"{name!r} in {group} is claimed by {owners}: uninstall all but one")
    return load_entry(entries[0])


def load_entry(entry: metadata.EntryPoint) -> Any:
    """Import an entry point; see `load`."""
    try:
        return entry.load()
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if not missing or missing == entry.module.partition(".")[0]:
            raise _broken(entry, error) from error
        raise errors.MissingExtraError(
            f"{entry.name!r} in {entry.group} needs {missing}, which is not installed or too old: {install_line(entry)}"
        ) from error
    except Exception as error:
        raise _broken(entry, error) from error


def install_line(entry: metadata.EntryPoint) -> str:
    """Give the command that installs a plugin with its driver."""
    owner = entry.dist.name if entry.dist else "qiantang"
    offered: Iterable[str] = (entry.dist.metadata.get_all("Provides-Extra") or []) if entry.dist else []
    extras = entry.extras or [extra for extra in offered if extra == entry.name]
    wanted = f"{owner}[{','.join(extras)}]" if extras else owner
    return f"pip install --upgrade '{wanted}'" if not extras else f"pip install '{wanted}'"


def _entries(group: str) -> dict[str, list[metadata.EntryPoint]]:
    found: dict[str, list[metadata.EntryPoint]] = {}
    for entry in metadata.entry_points(group=group):
        claims = found.setdefault(entry.name, [])
        # one distribution can be on the path twice: as installed and as its source
        if not any((claim.value, _owner(claim)) == (entry.value, _owner(entry)) for claim in claims):
            claims.append(entry)
    return found


def _owner(entry: metadata.EntryPoint) -> str:
    return entry.dist.name if entry.dist else ""


def _distribution(entry: metadata.EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"


def _broken(entry: metadata.EntryPoint, error: BaseException) -> errors.MisconfiguredError:
    return errors.MisconfiguredError(
        f"{entry.name!r} in {entry.group}, offered by {_distribution(entry)}, cannot be loaded: "
        f"{type(error).__name__}: {error}"
    )
