"""Secrecy: secrets among the settings: text that does not show itself, and error texts with secrets struck out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Any, cast

from qiantang.config.model import tree

MASK = "******"
SHORTEST = 4
"""Shorter secrets are not struck out of other texts: they would be found everywhere in it."""


class SecretText(str):
    """A secret: text like any other to those who use it, masked in every repr, its own and those around it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)


def mark(data: Any, paths: Iterable[tree.Path]) -> Any:
    """Give a frozen tree in which every text at or under the paths is a SecretText; the rest is shared."""
    for path in paths:
        data = _mark_at(data, path)
    return data


def _mark_at(data: Any, path: tree.Path) -> Any:
    if not path:
        return _mark_all(data)
    if not (tree.is_node(data) and path[0] in data):
        return data
    return MappingProxyType({**data, path[0]: _mark_at(data[path[0]], path[1:])})


def _mark_all(data: Any) -> Any:
    if isinstance(data, str):
        return SecretText(data)
    if tree.is_node(data):
        return MappingProxyType({key: _mark_all(value) for key, value in data.items()})
    if isinstance(data, tuple):
        return tuple(_mark_all(value) for value in cast("tuple[Any, ...]", data))
    return data


def texts(data: Any) -> Iterator[str]:
    """Go through the marked texts of a tree."""
    if isinstance(data, SecretText):
        yield data
    elif tree.is_node(data):
        for value in data.values():
            yield from texts(value)
    elif isinstance(data, list | tuple):
        for value in cast("list[Any]", data):
            yield from texts(value)


def strike(text: str, secrets: Iterable[str]) -> str:
    """Strike the secrets out of a text that somebody else wrote."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = text.replace(str(secret), MASK)
    return text
