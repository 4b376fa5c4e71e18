"""Matching: what conditions ask of a call, and targets of a node, compiled once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from qiantang.kernel import errors, wire
from qiantang.registry.model import Node
from qiantang.rpc.balance import ranges
from qiantang.rpc.model.routes import Comparison, Condition, Target


class Call(msgspec.Struct, kw_only=True):
    """What routes know of a call. Names of headers are in small letters; `key` is what it is hashed by, "" where nothing."""

    service: str
    method: str
    key: str = ""
    tags: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    arguments: Mapping[str, Any] = {}


class Consumer(wire.Wire, frozen=True):
    """Who calls: the same for all calls of a process."""

    application: str = ""
    zone: str = ""


Text: TypeAlias = Callable[[Call], str | None]
Matches: TypeAlias = Callable[[Call], bool]
Fits: TypeAlias = Callable[[Node, str], bool]
"""Whether a node fits, asked for a service."""


def text(of: str, name: str, consumer: Consumer) -> Text:
    """Give what reads a part of a call: None where it has none.

    Raises:
        InvalidRequestError: a name is missing.
    """
    if of in ("argument", "header", "tag") and not name:
        raise errors.InvalidRequestError(f"which {of}? give its name")
    if of == "argument":
        return _argument(name.split("."))
    lower = name.lower()
    readers: dict[str, Text] = {
        "method": lambda call: call.method,
        "consumer": lambda _: consumer.application,
        "key": lambda call: call.key or None,
        "header": lambda call: call.headers.get(lower),
        "tag": lambda call: call.tags.get(name),
    }
    return readers[of]


def matches(conditions: Sequence[Condition], consumer: Consumer) -> Matches:
    """Give what says whether all conditions hold of a call.

    Raises:
        InvalidRequestError: a condition cannot be read.
    """
    parts = [(text(one.of, one.name, consumer), _compared(one, ranges.number)) for one in conditions]
    if not parts:
        return lambda _: True
    if len(parts) == 1:
        ((read, holds),) = parts
        return lambda call: holds(read(call))
    return lambda call: all(holds(read(call)) for read, holds in parts)


def fits(targets: Sequence[Target]) -> Fits:
    """Give what says whether all targets hold of a node.

    Raises:
        InvalidRequestError: a target cannot be read.
    """
    parts = [
        (_of_node(one), _compared(one, ranges.version if one.of == "version" else ranges.number)) for one in targets
    ]
    return lambda node, service: all(holds(read(node, service)) for read, holds in parts)


def spoken(comparisons: Sequence[Condition | Target]) -> str:
    """Read them as a person would."""
    return " and ".join(
        f"{one.of}{f' {one.name}' if one.name else ''} {'not ' if one.negate else ''}{one.operator} "
        + "|".join(one.values)
        for one in comparisons
    )


def _compared(comparison: Comparison, rank: ranges.Read) -> Callable[[str | None], bool]:
    holds, negate = _operator(comparison, rank), comparison.negate
    return lambda value: (value is not None and holds(value)) != negate


def _operator(comparison: Comparison, rank: ranges.Read) -> Callable[[str], bool]:
    values = comparison.values
    if comparison.operator == "range":
        within = [ranges.compiled(one, rank) for one in values]
        return lambda value: any(one(value) for one in within)
    if comparison.operator == "prefix":
        starts = tuple(values)
        return lambda value: value.startswith(starts)
    if comparison.operator == "equals" and len(values) != 1:
        raise errors.InvalidRequestError(f"equals takes one value and has {len(values)}: write in for several")
    return frozenset(values).__contains__


def _of_node(target: Target) -> Callable[[Node, str], str | None]:
    if target.of == "tag" and not target.name:
        raise errors.InvalidRequestError("which tag? give its name")
    name = target.name
    readers: dict[str, Callable[[Node, str], str | None]] = {
        "tag": lambda node, _: node.tags.get(name),
        "zone": lambda node, _: node.zone,
        "cluster": lambda node, _: node.cluster,
        "node": lambda node, _: node.name,
        "version": lambda node, service: node.services[service].version,
        "group": lambda node, service: node.services[service].group,
    }
    return readers[target.of]


def _argument(path: Sequence[str]) -> Text:
    def read(call: Call) -> str | None:
        value: Any = call.arguments
        for part in path:
            value = _inside(value, part)
        return _written(value)

    return read


def _inside(value: Any, part: str) -> Any:
    """Go one step down a path: into mappings and declared fields only, so that a rule cannot run code of the argument's."""
    if isinstance(value, Mapping):
        return value.get(part)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    fields: Any = getattr(value, "__struct_fields__", ()) or getattr(value, "__dataclass_fields__", ())
    return getattr(value, part, None) if part in fields else None


def _written(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None
