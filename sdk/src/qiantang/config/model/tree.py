"""Tree: settings as nested mappings, addressed by dotted keys, merged in layers and frozen for readers.

How layers merge is the law of the room: where both sides are mappings they merge key by key; everything
else, lists and nulls included, is replaced as a whole by the higher side. A null therefore overrides and
stays null; nothing removes a key that a lower layer gave. Merging with the empty mapping changes nothing,
and merging is associative as long as no key is a mapping in one layer and something else in another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast

from qiantang.kernel import errors
from qiantang.kernel.errors import Problem

Path = tuple[str, ...]
Node = Mapping[str, Any]


class _Missing:
    """The absence of a value, which null is not."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = _Missing()


class KeyConflictError(errors.InvalidRequestError):
    """A key has a value of its own and keys below it at the same time."""

    code = "config.key_conflict"


class Changed(NamedTuple):
    """A leaf before and after; MISSING on the side where it was not."""

    before: Any
    after: Any


def is_node(value: Any) -> bool:
    """Say whether a value is a mapping, plain or frozen."""
    return isinstance(value, dict | MappingProxyType)


def conflicts(keys: Iterable[str]) -> list[Problem]:
    """List the dotted keys below another key that has a value of its own ("db.pool" below "db")."""
    known = set(keys)
    found: list[Problem] = []
    for key in sorted(known):
        above = next((prefix for prefix in _prefixes(key) if prefix in known), None)
        if above is not None:
            message = f"{above!r} has a value of its own, so {key!r} cannot be set below it: rename one of them"
            found.append(Problem(message=message, path=key))
    return found


def _prefixes(key: str) -> Iterator[str]:
    end = key.find(".")
    while end >= 0:
        yield key[:end]
        end = key.find(".", end + 1)


def nest(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted keys into nested mappings, in the order given.

    Raises:
        KeyConflictError: a key stands below another one that has a value; every such pair is a problem of
        its own.
    """
    found = conflicts(values)
    if found:
        raise KeyConflictError("some keys are both a value and a group of keys", problems=found)
    whole: dict[str, Any] = {}
    for key, value in values.items():
        *above, last = key.split(".")
        node = whole
        for part in above:
            node = node.setdefault(part, {})
        node[last] = value
    return whole


def leaves(tree: Any, above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Go through everything that is not a mapping with keys: values, lists as a whole, and empty mappings.

    A tree that is not a mapping is one leaf with the empty path; an empty tree has none.
    """
    if not is_node(tree):
        yield above, tree
        return
    for key, value in tree.items():
        if is_node(value) and value:
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def flatten(tree: Any) -> dict[str, Any]:
    """Give every leaf under its dotted key; the inverse of `nest` where no key holds a dot itself."""
    return {".".join(path): value for path, value in leaves(tree)}


def get(tree: Any, path: str, default: Any = MISSING) -> Any:
    """Find a value by its dotted path; a number steps into a list, the empty path is the tree itself.

    Keys that hold dots themselves are found where no nested key of that path is.
    """
    if not path:
        return tree
    found = _find(tree, path.split("."))
    return default if found is MISSING else found


def _find(tree: Any, parts: list[str]) -> Any:
    if not parts:
        return tree
    if isinstance(tree, list | tuple):
        values = cast("list[Any]", tree)
        index = parts[0]
        inside = index.isdecimal() and len(index) <= 9 and int(index) < len(values)
        return _find(values[int(index)], parts[1:]) if inside else MISSING
    if not is_node(tree):
        return MISSING
    for count in range(1, len(parts) + 1):
        key = parts[0] if count == 1 else ".".join(parts[:count])
        if key in tree:
            found = _find(tree[key], parts[count:])
            if found is not MISSING:
                return found
    return MISSING


def at(tree: Any, path: Path) -> Any:
    """Find a value by its exact path of keys, or MISSING."""
    for key in path:
        if not (is_node(tree) and key in tree):
            return MISSING
        tree = tree[key]
    return tree


def freeze(tree: Any) -> Any:
    """Give a copy that nobody can change at any depth: read-only views of mappings, tuples of lists."""
    if is_node(tree):
        return MappingProxyType({key: freeze(value) for key, value in tree.items()})
    if isinstance(tree, list | tuple):
        return tuple(freeze(value) for value in cast("list[Any]", tree))
    return tree


def thaw(tree: Any) -> Any:
    """Give a plain copy, as JSON would hold it; the inverse of `freeze`."""
    if is_node(tree):
        return {key: thaw(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [thaw(value) for value in cast("list[Any]", tree)]
    return tree


def merge(low: Any, high: Any) -> Any:
    """Lay `high` over `low` (see the module for the law). What is on one side only is shared, not copied.

    Deeply frozen trees give a deeply frozen one, in time that grows with the mappings present on both sides.
    """
    if not (is_node(low) and is_node(high)):
        return high
    if not low:
        return high
    merged = dict(low)
    for key, value in high.items():
        merged[key] = merge(merged[key], value) if key in merged else value
    return MappingProxyType(merged)


def changed(before: Any, after: Any) -> dict[str, Changed]:
    """Give the leaves in which two trees differ, by dotted key; parts that both share are not walked."""
    found: dict[str, Changed] = {}
    _compare(before, after, (), found)
    return found


def _compare(before: Any, after: Any, above: Path, found: dict[str, Changed]) -> None:
    if before is after:
        return
    if is_node(before) and is_node(after) and before and after:
        for key, value in before.items():
            _compare(value, after.get(key, MISSING), (*above, key), found)
        for key, value in after.items():
            if key not in before:
                _compare(MISSING, value, (*above, key), found)
        return
    if same(before, after):
        return
    gone, come = (dict(_sides(side, above)) for side in (before, after))
    for path in [*gone, *(path for path in come if path not in gone)]:
        found[".".join(path)] = Changed(gone.get(path, MISSING), come.get(path, MISSING))


def same(one: Any, other: Any) -> bool:
    """Say whether two trees are equal, types included: neither true nor 1.0 is the same as 1."""
    if one is other:
        return True
    if is_node(one) and is_node(other):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        values, others = cast("list[Any]", one), cast("list[Any]", other)
        return len(values) == len(others) and all(map(same, values, others))
    return _kind(one) is _kind(other) and bool(one == other)


def _kind(value: Any) -> type[Any]:
    return cast("type[Any]", type(value))


def _sides(side: Any, above: Path) -> Iterator[tuple[Path, Any]]:
    if side is MISSING:
        return
    if is_node(side) and not side:
        if above:
            yield above, side
        return
    yield from leaves(side, above)
