"""TOML 1.0 to JSON values: dates become text in ISO form, and depth is bounded before the parser sees the text.

The parser at hand recurses into nested values and takes time in the square of a dotted key's parts, so both
are measured first on a copy of the text in which strings and comments are blanked.
"""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from typing import Any, NoReturn, cast

from qiantang.kernel import errors
from qiantang_server.config.rules.documents.reading import (
    LARGEST_INTEGER,
    SMALLEST_INTEGER,
    Budget,
    Lines,
    Mark,
    Place,
    Weight,
    refuse,
)

_OPAQUE = re.compile(
    r'"""(?:[^"\\]++|\\.|"{1,2}+(?!"))*+"{3,5}+'
    r"|'''(?:[^']++|'{1,2}+(?!'))*+'{3,5}+"
    r'|"(?:[^"\\\n]++|\\.)*+"'
    r"|'[^'\n]*+'"
    r"|\#[^\n]*+",
    re.DOTALL,
)
_PART = r"(?:[A-Za-z0-9_-]++|\x01++)"
_KEY = rf"{_PART}(?:[ \t]*+\.[ \t]*+{_PART})*+"
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_\x01-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{64}}")
_LINE = re.compile(
    rf"^[ \t]*+(?:\[\[[ \t]*+(?P<each>{_KEY})[ \t]*+\]\]|\[[ \t]*+(?P<table>{_KEY})[ \t]*+\]|(?P<key>{_KEY})[ \t]*+=)",
    re.MULTILINE,
)
_AT = re.compile(r" \(at line (\d+), column (\d+)\)$")


def parse(text: str, budget: Budget) -> tuple[Any, Mark]:
    """Read a document.

    Raises:
        DocumentError: it is not TOML, holds what JSON cannot, or is over the budget; with line and column.
    """
    text = text.replace("\r\n", "\n")
    blank = _blanked(text)
    _measure(blank, budget)
    raw = _loaded(text)
    mark = _marks(text, blank)
    return _Plain(budget, mark).value(raw, (), mark), mark


def _loaded(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        _refuse_syntax(text, str(error))
    except RecursionError:
        refuse("nested too deep")
    except ValueError as error:
        refuse(f"holds a value that cannot be: {error}")


def _refuse_syntax(text: str, message: str) -> NoReturn:
    found = _AT.search(message)
    if found is None:
        lines = text.split("\n")
        refuse(message.removesuffix(" (at end of document)"), Place(len(lines), len(lines[-1]) + 1))
    refuse(message[: found.start()], Place(int(found[1]), int(found[2])))


def _blanked(text: str) -> str:
    """Give the text with strings and comments replaced, length for length, so that offsets stay what they are."""

    def blank(match: re.Match[str]) -> str:
        filler = " " if match[0].startswith("#") else "\x01"
        return "\n".join(filler * len(line) for line in match[0].split("\n"))

    return _OPAQUE.sub(blank, text.replace("\x01", "\x02"))


def _measure(blank: str, budget: Budget) -> None:
    """Refuse what would cost the parser too much: each dot and each comma may be a value that it builds."""
    lines = Lines(blank)
    depth = budget.depth
    if max(blank.count("."), blank.count(","), blank.count("[")) > 2 * budget.nodes:
        refuse("holds too many values: split it into several namespaces")
    long_key = _LONG_KEY.search(blank)
    if long_key is not None:
        refuse(f"nested more than {depth} levels deep", lines.place(long_key.start()))
    level = 0
    for match in re.finditer(r"[\[\]{}]", blank):
        level = level + 1 if match[0] in "[{" else max(0, level - 1)
        if level > depth:
            refuse(f"nested more than {depth} levels deep", lines.place(match.start()))


def _marks(text: str, blank: str) -> Mark:
    """Find where keys stand. Values inside arrays and inline tables are known by the key that holds them."""
    root = Mark(Place(1, 1), {})
    lines = Lines(text)
    table: Mark = root
    level = seen = 0
    for match in _LINE.finditer(blank):
        level += _opened(blank[seen : match.start()])
        seen = match.start()
        if level:
            continue  # a line inside an array
        kind = cast("str", match.lastgroup)
        place = lines.place(match.start(kind))
        path = _parts(text, match.start(kind), match.end(kind))
        if kind == "key":
            _enter(table, path, place)
        else:
            table = _enter(root, path, place, each=kind == "each")
    return root


def _opened(blank: str) -> int:
    return sum(blank.count(mark) for mark in "[{") - sum(blank.count(mark) for mark in "]}")


def _parts(text: str, start: int, end: int) -> list[str]:
    """Read a dotted key, which the parser has found to be one."""
    if not any(quote in text[start:end] for quote in "\"'"):
        return [part.strip(" \t") for part in text[start:end].split(".")]
    header = tomllib.loads(f"{text[start:end]} = 0")
    path: list[str] = []
    node: Any = header
    while isinstance(node, dict):
        key, node = next(iter(cast("dict[str, Any]", node).items()))
        path.append(key)
    return path


def _enter(mark: Mark, path: list[str], place: Place, *, each: bool = False) -> Mark:
    """Step down a path, making what is not known yet; through an array of tables it leads to the last one."""
    for index, key in enumerate(path):
        inside = cast("dict[str, Mark]", mark.inside)
        last = index == len(path) - 1
        found = inside.get(key)
        if found is None:
            found = inside[key] = Mark(place, [] if each and last else {})
        if isinstance(found.inside, list):
            if each and last:
                found.inside.append(Mark(place, {}))
            found = found.inside[-1]
        mark = found
    return mark


class _Plain:
    """Turns what the parser made into JSON values, within the budget."""

    def __init__(self, budget: Budget, root: Mark) -> None:
        self._budget = budget
        self._root = root

    def value(self, raw: Any, path: tuple[str | int, ...], mark: Mark) -> Any:
        if isinstance(raw, dict):
            self._spend(Weight(), path, mark, deeper=1)
            return {
                key: self.value(inner, (*path, key), _step(mark, key))
                for key, inner in cast("dict[str, Any]", raw).items()
            }
        if isinstance(raw, list):
            self._spend(Weight(), path, mark, deeper=1)
            return [
                self.value(inner, (*path, index), _step(mark, index))
                for index, inner in enumerate(cast("list[Any]", raw))
            ]
        return self._leaf(raw, path, mark)

    def _leaf(self, raw: Any, path: tuple[str | int, ...], mark: Mark) -> Any:
        self._spend(Weight(1, len(raw) if isinstance(raw, str) else 8), path, mark)
        if isinstance(raw, datetime.date | datetime.time):
            return raw.isoformat()
        if isinstance(raw, float) and (raw != raw or raw in {float("inf"), float("-inf")}):  # noqa: PLR0124
            refuse("infinity and 'not a number' are not taken: JSON has no such numbers", mark.place)
        if isinstance(raw, int) and not SMALLEST_INTEGER <= raw <= LARGEST_INTEGER:
            refuse("this integer does not fit into 64 bits: write it as text, in quotes", mark.place)
        return raw

    def _spend(self, weight: Weight, path: tuple[str | int, ...], mark: Mark, deeper: int = 0) -> None:
        self._budget.spend(weight, len(path) + deeper, mark.place)


def _step(mark: Mark, step: str | int) -> Mark:
    return mark.step(step) or Mark(mark.place)


class NotInTomlError(errors.InvalidRequestError):
    """A tree holds something that TOML has no way to write."""

    code = "config.not_in_toml"


_BARE = re.compile(r"[A-Za-z0-9_-]+")


def emit(tree: Any) -> str:
    """Write a tree as TOML: a table's values before its tables, each in the order of its keys.

    Raises:
        NotInTomlError: it holds a null, or is not a mapping.
    """
    if not isinstance(tree, dict):
        raise NotInTomlError("TOML holds a table at the top, and this is none: choose YAML or JSON")
    lines: list[str] = []
    _table(cast("dict[str, Any]", tree), (), lines)
    return "".join(f"{line}\n" for line in lines)


def _table(table: dict[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    below = {key: value for key, value in table.items() if _is_table(value)}
    values = {key: value for key, value in table.items() if key not in below}
    if path and (values or not below):
        lines += [""] if lines else []
        lines.append(f"[{'.'.join(map(_key, path))}]")
    lines += [f"{_key(key)} = {_inline(value, (*path, key))}" for key, value in values.items()]
    for key, value in below.items():
        _table(value, (*path, key), lines)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and bool(cast("dict[str, Any]", value))


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _inline(value: Any, path: tuple[str, ...]) -> str:
    if value is None:
        raise NotInTomlError(f"{'.'.join(path)} is null, which TOML cannot write: choose YAML or JSON")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        inner = cast("dict[str, Any]", value)
        return "{" + ", ".join(f"{_key(key)} = {_inline(item, (*path, key))}" for key, item in inner.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item, path) for item in cast("list[Any]", value)) + "]"
    return repr(value)
