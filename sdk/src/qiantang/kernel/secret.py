"""Secret: a value that is masked in every read, sealed at rest, and delivered only to whom it is meant for.

Anywhere in a resource's body a secret stands as `{"$secret": {...}}`: with `value` when somebody writes it, with
`mask` alone when somebody reads it, with `sealed` and `key` where it is stored. Writing back a mask means "unchanged".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec

FIELD = "$secret"


class SecretValue(msgspec.Struct, frozen=True, omit_defaults=True):
    """The inside of a secret; which fields are set depends on where it is met (see the module)."""

    value: str | None = None
    mask: str = ""
    sealed: str = ""
    key: str = ""

    def __repr__(self) -> str:
        """Never show the value."""
        return f"SecretValue(mask={self.mask!r})"


class Secret(msgspec.Struct, frozen=True):
    """A secret inside a resource's body."""

    secret: SecretValue = msgspec.field(name=FIELD)

    @classmethod
    def of(cls, value: str) -> Secret:
        """Wrap a plain value for writing."""
        return cls(secret=SecretValue(value=value))

    def __repr__(self) -> str:
        """Never show the value."""
        return f"Secret(mask={self.secret.mask!r})"


def is_secret(node: Any) -> bool:
    """Say whether a JSON value is a secret, in any of its forms."""
    return isinstance(node, dict) and len(cast("dict[str, Any]", node)) == 1 and FIELD in node


def replace_secrets(node: Any, change: Callable[[str, dict[str, Any]], Any], path: str = "") -> Any:
    """Give a copy of a JSON value in which each secret is what `change(path, inside)` gave for it; paths are dotted."""
    if is_secret(node):
        return change(path, node[FIELD])
    if isinstance(node, dict):
        return {
            key: replace_secrets(value, change, f"{path}.{key}" if path else str(key))
            for key, value in cast("dict[str, Any]", node).items()
        }
    if isinstance(node, list):
        return [
            replace_secrets(value, change, f"{path}.{index}" if path else str(index))
            for index, value in enumerate(cast("list[Any]", node))
        ]
    return node


def mask(node: Any) -> Any:
    """Give a copy of a JSON value whose secrets show their masks alone."""
    return replace_secrets(node, lambda _path, inside: {FIELD: {"mask": inside.get("mask", "")}})
