"""TOML text: which line a key stands on, and how a value is written; the reading itself is the standard library's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, cast

from qiantang.kernel.settings import values

_BARE = r"[A-Za-z0-9_-]+"
_PART = rf"""(?:{_BARE}|"[^"\n]*"|'[^'\n]*')"""
_PATH = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"^\s*\[\s*({_PATH})\s*\]")
_KEY = re.compile(rf"^\s*({_PATH})\s*=")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Give the line of each key and table header by its path.

    A best effort for messages: a line inside a multi-line string that looks like a key is taken for one unless the
    real key came first.
    """
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_parts(key[1])), number)
    return lines


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, path))


def quote(text: str) -> str:
    """Write a text as a TOML string."""
    written = "".join(_ESCAPES.get(sign) or (sign if sign.isprintable() else f"\\U{ord(sign):08x}") for sign in text)
    return f'"{written}"'


def key(text: str) -> str:
    """Write a key: bare where it may be."""
    return text if re.fullmatch(_BARE, text) else quote(text)


def value(item: Any) -> str:
    """Write a setting's value so that reading gives it back."""
    if isinstance(item, Enum):
        return value(item.value)
    if isinstance(item, bool | int | float):
        return str(item).lower()
    if isinstance(item, str | Path):
        return quote(str(item))
    if isinstance(item, timedelta):
        return quote(values.format_duration(item))
    if isinstance(item, dict):
        pairs = (f"{key(name)} = {value(inner)}" for name, inner in cast("Mapping[str, Any]", item).items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(item, list | tuple):
        return f"[{', '.join(map(value, cast('list[Any]', item)))}]"
    if isinstance(item, set | frozenset):
        return f"[{', '.join(sorted(map(value, cast('set[Any]', item))))}]"
    raise TypeError(f"{type(item).__name__} has no TOML form")
