"""Examines the text of a schema before it is used: references lead inside, patterns are safe, nothing names another dialect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast
from urllib.parse import unquote

from qiantang_server.config.rules import patterns

Path = tuple[str | int, ...]
Finding = tuple[Path, str]

_DATA: Final = {"enum", "const", "default", "examples"}
_MAPS: Final = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"}
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
MAX_PATTERNS_SIZE: Final = 20_000
_ANCHORS: Final = ("$anchor", "$dynamicAnchor")


def examine(schema: Any) -> list[Finding]:
    """List what makes a schema unfit to be run, with the path of each."""
    walk = list(_subschemas(schema))
    reachable = {id(node) for _, node in walk}
    anchors = {str(node[name]) for _, node in walk for name in _ANCHORS if name in node}
    targets = _Targets(schema, reachable, anchors)
    found = _patterns(walk)
    for path, node in walk:
        found += _dialects(path, node)
        found += _references(path, node, targets)
    if _has_both(walk):
        found.append(
            ((), "'unevaluatedProperties' is not taken together with 'patternProperties': use 'additionalProperties'")
        )
    return found


def _subschemas(schema: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Go through every mapping that may be run as a schema: all but data, and but the maps that hold schemas by name."""
    waiting: list[tuple[Path, Any, bool]] = [((), schema, False)]
    while waiting:
        path, node, is_map = waiting.pop()
        if isinstance(node, list):
            entries = cast("list[Any]", node)
            waiting += [((*path, index), inner, False) for index, inner in enumerate(entries)]
        if not isinstance(node, dict):
            continue
        mapping = cast("dict[str, Any]", node)
        if not is_map:
            yield path, mapping
        for key, inner in mapping.items():
            if is_map or key not in _DATA:
                waiting.append(((*path, key), inner, not is_map and key in _MAPS))


def _dialects(path: Path, node: dict[str, Any]) -> Iterator[Finding]:
    if isinstance(node.get("$schema"), str):
        yield (*path, "$schema"), "only the top of a schema may name its dialect"
    if path and isinstance(node.get("$id"), str):
        yield (*path, "$id"), "only the top of a schema may have an '$id': use '$defs' and '#/$defs/…'"


def _patterns(walk: list[tuple[Path, dict[str, Any]]]) -> list[Finding]:
    """Compile every pattern once, within a bound for all of them together."""
    texts: dict[str, Path] = {}
    for path, node in walk:
        by_name = node.get("patternProperties")
        if isinstance(by_name, dict):
            texts.update({key: (*path, "patternProperties", key) for key in cast("dict[str, Any]", by_name)})
        if isinstance(node.get("pattern"), str):
            texts[node["pattern"]] = (*path, "pattern")
    found: list[Finding] = []
    size = 0
    for text, where in texts.items():
        try:
            size += patterns.compiled(text).size
        except patterns.PatternError as error:
            found.append((where, f"the pattern cannot be used: {error.detail}"))
            size += len(text)
        if size > MAX_PATTERNS_SIZE:
            return [*found, (where, "the patterns of this schema are too large together: use fewer or simpler ones")]
    return found


class _Targets:
    """Where references may lead."""

    def __init__(self, schema: Any, reachable: set[int], anchors: set[str]) -> None:
        self._schema = schema
        self._reachable = reachable
        self._anchors = anchors

    def has(self, fragment: str) -> bool:
        if not fragment:
            return True
        if not fragment.startswith("/"):
            return fragment in self._anchors
        node: Any = self._schema
        for step in unquote(fragment[1:]).split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and key in node:
                node = cast("dict[str, Any]", node)[key]
            elif isinstance(node, list) and key.isdecimal() and int(key[:9]) < len(cast("list[Any]", node)):
                node = cast("list[Any]", node)[int(key[:9])]
            else:
                return False
        return isinstance(node, bool) or id(node) in self._reachable


def _references(path: Path, node: dict[str, Any], targets: _Targets) -> Iterator[Finding]:
    for name in _REFERENCES:
        reference = node.get(name)
        if not isinstance(reference, str):
            continue
        if not reference.startswith("#"):
            yield (*path, name), "references lead only inside the schema: they begin with '#'"
        elif not targets.has(reference[1:]):
            yield (*path, name), "this reference leads to no schema"


def _has_both(walk: list[tuple[Path, dict[str, Any]]]) -> bool:
    keys = {key for _, node in walk for key in ("unevaluatedProperties", "patternProperties") if key in node}
    return len(keys) == 2
