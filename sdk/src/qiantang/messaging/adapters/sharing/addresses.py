"""Addresses: what reading the addresses of brokers has in common: numbers, what is unknown, showing one without its secrets."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from qiantang.kernel import errors


def number(said: dict[str, str], broker: str, name: str, default: int, bounds: tuple[int, int]) -> int:
    """Take a number out of an address's parameters.

    Raises:
        MisconfiguredError: it is none, or out of its bounds.
    """
    written = said.pop(name, str(default))
    least, most = bounds
    if not (written.isascii() and written.isdigit() and len(written) < 12 and least <= int(written) <= most):
        raise errors.MisconfiguredError(f"{broker}'s {name} is a number from {least} to {most}, not {written[:20]!r}")
    return int(written)


def flag(said: dict[str, str], broker: str, name: str) -> bool:
    """Take a yes or no out of an address's parameters; no where it is left out.

    Raises:
        MisconfiguredError: it is neither true nor false.
    """
    written = said.pop(name, "false")
    if written not in ("true", "false"):
        raise errors.MisconfiguredError(f"{broker}'s {name} is true or false, not {written[:20]!r}")
    return written == "true"


def refuse_unknown(said: Collection[str], known: Collection[str], broker: str) -> None:
    """Refuse parameters that are not known.

    Raises:
        MisconfiguredError: there is one; it says which name is the nearest.
    """
    unknown = sorted(set(said) - set(known))
    if not unknown:
        return
    near = difflib.get_close_matches(unknown[0], known, n=1)
    hint = f": {near[0]!r} is" if near else f"; those are {', '.join(sorted(known))}"
    raise errors.MisconfiguredError(f"{unknown[0]!r} is no parameter of {broker}'s address{hint}")


def shown(url: str) -> str:
    """Give an address without what is secret in it."""
    scheme, _, rest = url.partition("?")[0].partition("://")
    return f"{scheme}://…@{rest.rpartition('@')[2]}" if "@" in rest else url.partition("?")[0]
