"""Bounds: what the keywords that narrow a type say, before and after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from qiantang.catalog.model.compatibility.shapes import ANNOTATIONS, Schema

Change = Literal["wider", "narrower", "unclear"]
_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_NARROWING: Final = (*_LOWER, *_UPPER, "pattern", "multipleOf", "uniqueItems")
_COMPARED: Final = frozenset(
    {
        "type",
        "enum",
        "const",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "prefixItems",
        "contentEncoding",
        "format",
        "$ref",
        "anyOf",
    }
)
"""What is looked at as a part of the type."""


def changes(old: Schema, new: Schema) -> Iterator[tuple[Change, str]]:
    """Give how each keyword changed, with words for it."""
    for keyword in sorted((old.keys() | new.keys()) - ANNOTATIONS - _COMPARED):
        before, after = old.get(keyword), new.get(keyword)
        if before != after:
            yield _change(keyword, before, after), f"{keyword} was {_said(before)}, is {_said(after)}"


def _change(keyword: str, before: Any, after: Any) -> Change:
    if keyword not in _NARROWING:
        return "unclear"
    if before is None or after is None:
        return "narrower" if before is None else "wider"
    if keyword in _LOWER + _UPPER and _is_number(before) and _is_number(after):
        raised = after > before
        return "narrower" if raised == (keyword in _LOWER) else "wider"
    return "unclear"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _said(value: Any) -> str:
    return "not said" if value is None else repr(value)[:80]
