"""Contents: what many kinds say of their bodies in the same way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from qiantang.kernel import secret


def is_public(body: Any) -> bool:
    """Say whether applications that link to this one get it: its field `public` does."""
    return bool(body.get("public", False))


def application_named(body: Any) -> Sequence[tuple[str, str]]:
    """Give the application that a body names by its fields `center` and `application`."""
    return ((str(body["center"]), str(body["application"])),)


def texts(body: Any) -> Iterable[tuple[str, str]]:
    """Give what the search finds: every text that is no secret, with its path."""
    return _texts(body, "")


def repeated(names: Sequence[str]) -> list[tuple[int, str]]:
    """Give what was named before, with its place."""
    return [(place, name) for place, name in enumerate(names) if name in names[:place]]


def _texts(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, str) and node:
        yield path, node
    if secret.is_secret(node) or not isinstance(node, dict | list):
        return
    pairs = node.items() if isinstance(node, dict) else enumerate(node)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    for key, below in cast("Iterable[tuple[Any, Any]]", pairs):
        yield from _texts(below, f"{path}.{key}" if path else str(key))
