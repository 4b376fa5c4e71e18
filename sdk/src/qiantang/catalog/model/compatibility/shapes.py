"""Shapes: what a JSON Schema says, as the alternatives that a value can be. Schemas may come from anybody: nothing is believed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from qiantang.kernel import wire

Schema = dict[str, Any]
ANNOTATIONS: Final = frozenset(
    {"title", "description", "examples", "default", "deprecated", "discriminator", "$comment", "readOnly", "writeOnly"}
)
"""What says nothing of which values fit."""
MOST_ALTERNATIVES: Final = 200
MOST_VISITS: Final = 400
MORE: Final = "more"
"""The sort of what stands for all that was not looked at any more."""
_NUMBERS: Final = ("integer", "number")


@dataclass(frozen=True, slots=True)
class Shape:
    """One alternative: its sort, the name of its schema where it has one, and what the schema says."""

    sort: str
    name: str
    schema: Schema

    @property
    def weight(self) -> int:
        """What looking at it costs."""
        listed = self.schema.get("enum")
        return len(cast("list[Any]", listed)) if isinstance(listed, list) else 0

    def __str__(self) -> str:
        """Read as people say it."""
        if self.name:
            return self.name
        if self.sort == "enum":
            return f"one of {', '.join(sorted(values(self.schema)))[:200]}"
        return _SAID.get(self.sort, self.sort)


_SAID: Final = {
    "any": "anything",
    "fields": "a struct",
    "mapping": "a mapping",
    "items": "a list",
    "prefix": "a tuple",
    "string:base64": "bytes",
}


def alternatives(schema: Any, schemas: Mapping[str, Any]) -> list[Shape]:
    """Give what a value of a schema can be: one shape, or those of a choice. Of very many the last is of the sort `MORE`."""
    found: list[Shape] = []
    waiting: list[tuple[Any, str]] = [(schema, "")]
    seen: set[str] = set()
    visits = 0
    while waiting:
        visits += 1
        if len(found) == MOST_ALTERNATIVES or visits > MOST_VISITS:
            return [*found, Shape(MORE, "", {})]
        node, name = waiting.pop(0)
        one = mapping(node)
        reference = one.get("$ref")
        if isinstance(reference, str):
            target = reference.rpartition("/")[2]
            if target not in seen:
                seen.add(target)
                waiting.insert(0, (schemas.get(target, {"type": "unknown"}), target))
        elif isinstance(one.get("anyOf"), list):
            waiting[:0] = [(inner, "") for inner in one["anyOf"][: MOST_VISITS + 1]]
        else:
            found.append(Shape(_sort(one), name, one))
    return found


def mapping(node: Any) -> Schema:
    """Give a node where it is a mapping, else nothing."""
    return cast("Schema", node) if isinstance(node, dict) else {}


def names(node: Any) -> set[str]:
    """Give the texts of a list."""
    return {one for one in cast("list[Any]", node) if isinstance(one, str)} if isinstance(node, list) else set()


def values(schema: Schema) -> set[str]:
    """Give the values of an enumeration, each as JSON."""
    listed = schema.get("enum")
    some = cast("list[Any]", listed) if isinstance(listed, list) else [schema.get("const")]
    return {wire.encode(one).decode() for one in some}


def covers(wide: Shape, narrow: Shape) -> bool:
    """Say whether every value of one alternative is one of another, which is of another sort."""
    if wide.sort == "any" and not _keywords(wide.schema):
        return True
    if (wide.sort, narrow.sort) == ("number", "integer"):
        return not _keywords(wide.schema)
    if narrow.sort == "enum" and not _keywords(wide.schema):
        return all(_is_a(text, wide.sort) for text in values(narrow.schema))
    return False


def _keywords(schema: Schema) -> set[str]:
    return schema.keys() - ANNOTATIONS - {"type"}


def _is_a(text: str, sort: str) -> bool:
    if text.startswith('"'):
        return sort == "string"
    if text in {"true", "false"}:
        return sort == "boolean"
    if text == "null":
        return sort == "null"
    is_whole = text.removeprefix("-").isdecimal()
    return sort in _NUMBERS if is_whole else sort == "number"


def _sort(schema: Schema) -> str:
    if "enum" in schema or "const" in schema:
        return "enum"
    said = schema.get("type")
    if said is None:
        return "any"
    if said == "object":
        return "fields" if isinstance(schema.get("properties"), dict) else "mapping"
    if said == "array":
        return "prefix" if isinstance(schema.get("prefixItems"), list) else "items"
    if said == "string":
        return ":".join(["string", *_tags(schema.get(key) for key in ("contentEncoding", "format"))])
    return said if isinstance(said, str) else "unknown"


def _tags(said: Iterable[Any]) -> list[str]:
    return [one for one in said if isinstance(one, str) and one]
