"""YAML 1.2 core schema to JSON values, built from the parser's events so that nothing hostile is ever constructed.

What a plain scalar means follows YAML 1.2, where `yes`, `no`, `on` and `off` are text. Two readings are
stricter than it: a date is text, and so is a number with a leading zero (`0755`), because readers disagree
on both. Keys are text as written, so `8080:` is the key "8080". The merge key `<<` of YAML 1.1 is taken,
since much configuration is written with it: a mapping's own keys win, and of several mappings the earlier
one. Tags other than the core ones are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

import yaml
from yaml.reader import ReaderError

from qiantang_server.config.rules.documents.reading import (
    NOWHERE,
    Budget,
    Mark,
    Place,
    Weight,
    finite,
    integer,
    refuse,
)

_TAG = "tag:yaml.org,2002:"
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*+)\Z")
_BASED = re.compile(r"0(?:o[0-7]++|x[0-9a-fA-F]++)\Z")
_REAL = re.compile(r"[-+]?(?:\.[0-9]++|(?:0|[1-9][0-9]*+)(?:\.[0-9]*+)?)(?:[eE][-+]?[0-9]++)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_BASES = {"o": 8, "x": 16}

Built = tuple[Any, Mark, Weight]


def parse(text: str, budget: Budget) -> tuple[Any, Mark]:
    """Read one document; an empty one is an empty mapping.

    Raises:
        DocumentError: it is not YAML, not representable as JSON, or over the budget; with line and column.
    """
    builder = _Builder(budget)
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        what = " ".join(part for part in (error.problem, error.context) if part)
        refuse(what or "not YAML", _place(error.problem_mark or error.context_mark))
    except ReaderError as error:
        refuse("a character that YAML does not allow", _offset_place(text, error))
    return builder.result()


def _events(text: str) -> Iterator[Any]:
    library: Any = yaml
    yield from library.parse(text, Loader=yaml.CSafeLoader)


def _place(mark: Any) -> Place:
    return Place() if mark is None else Place(mark.line + 1, mark.column + 1)


def _offset_place(text: str, error: Any) -> Place:
    """The reader counts bytes of UTF-8, not characters."""
    before = text.encode()[: error.position].decode(errors="ignore")
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"))


class _Frame:
    """A mapping or sequence that is being read."""

    __slots__ = ("anchor", "inside", "key", "merged", "place", "values", "weight")

    def __init__(self, event: Any, values: Any) -> None:
        self.anchor: str | None = event.anchor
        self.place = _place(event.start_mark)
        self.values = values
        self.inside: Any = {} if isinstance(values, dict) else []
        self.key: str | None = None
        self.merged: list[dict[str, Any]] = []
        self.weight = Weight()

    def built(self) -> Built:
        values: Any = self.values
        if self.merged:
            values = dict[str, Any]()
            for mapping in reversed(self.merged):
                values.update(mapping)
            values.update(self.values)
        return values, Mark(self.place, self.inside), self.weight


_MERGE = "<<"


class _Merge(str):
    """The merge key, told apart from the same text in quotes."""

    __slots__ = ()


class _Builder:
    """Takes events one by one and pays for each before anything is made of it."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Built] = {}
        self._done: tuple[Any, Mark] | None = None

    def result(self) -> tuple[Any, Mark]:
        return self._done if self._done is not None else ({}, Mark(Place(1, 1), {}))

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            frame = self._stack.pop()
            self._put(frame.built(), frame.place, frame.anchor)
        elif isinstance(event, yaml.DocumentStartEvent) and self._done is not None:
            refuse("a second document begins here: a namespace holds one", _place(event.start_mark))

    def _start(self, event: Any) -> None:
        place = _place(event.start_mark)
        mapping = isinstance(event, yaml.MappingStartEvent)
        _check_tag(event.tag, {"map"} if mapping else {"seq"}, place)
        if self._wants_key():
            refuse("a mapping or list cannot be a key: write text", place)
        self._budget.spend(Weight(), len(self._stack) + 1, place)
        self._stack.append(_Frame(event, {} if mapping else []))

    def _scalar(self, event: Any) -> None:
        place = _place(event.start_mark)
        weight = Weight(1, len(event.value))
        self._budget.spend(weight, len(self._stack), place)
        if self._wants_key():
            self._key(event, place)
            return
        value = _resolved(event, place)
        self._put((value, Mark(place), weight), place, event.anchor)

    def _key(self, event: Any, place: Place) -> None:
        frame = self._stack[-1]
        _check_tag(event.tag, {"str", "int", "float", "bool", "null"}, place)
        merging = event.value == _MERGE and not event.style and event.tag is None
        if not merging and event.value in frame.values:
            refuse(f"the key {event.value[:80]!r} is there twice", place)
        frame.key = _Merge(_MERGE) if merging else event.value
        frame.weight = _sum(frame.weight, Weight(0, len(event.value)))
        if event.anchor is not None:
            self._anchors[event.anchor] = (event.value, Mark(place), Weight(1, len(event.value)))

    def _alias(self, event: Any) -> None:
        place = _place(event.start_mark)
        built = self._anchors.get(event.anchor)
        if built is None:
            refuse(f"the alias *{event.anchor[:80]} names no anchor that is complete before it", place)
        if self._wants_key():
            refuse("an alias cannot be a key: write the text", place)
        self._budget.spend(built[2], len(self._stack), place)
        self._put(built, place, None)

    def _wants_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].values, dict) and self._stack[-1].key is None

    def _put(self, built: Built, place: Place, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = built
        if not self._stack:
            value, mark, _ = built
            self._done = (value, mark)
            return
        value, mark, weight = built
        frame = self._stack[-1]
        frame.weight = _sum(frame.weight, weight)
        key = frame.key
        if key is None:
            frame.values.append(value)
            frame.inside.append(Mark(place, mark.inside))
            return
        frame.key = None
        if isinstance(key, _Merge):
            frame.merged += _merged(value, place)
            return
        frame.values[key] = value
        frame.inside[key] = Mark(place, mark.inside)


def _sum(whole: Weight, part: Weight) -> Weight:
    return Weight(whole.nodes + part.nodes, whole.characters + part.characters, max(whole.height, part.height + 1))


def _merged(value: Any, place: Place) -> list[dict[str, Any]]:
    mappings = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not all(isinstance(mapping, dict) for mapping in mappings):
        refuse("'<<' takes a mapping, or a list of mappings", place)
    return mappings


def _check_tag(tag: str | None, allowed: set[str], place: Place) -> None:
    if tag is not None and tag != "!" and tag.removeprefix(_TAG) not in allowed:
        refuse(f"the tag {tag[:80]!r} is not taken here: only those of plain data are", place)


def _resolved(event: Any, place: Place) -> Any:
    """Give the value of a scalar: quoted is text, plain is what it looks like, a core tag must fit what it says."""
    text: str = event.value
    tag: str | None = event.tag
    _check_tag(tag, {"str", "int", "float", "bool", "null"}, place)
    wanted = None if tag is None else tag.removeprefix(_TAG)
    if wanted in {"!", "str"} or (tag is None and event.style):
        return text
    value = plain(text, place)
    if wanted is not None and not _fits(value, wanted):
        refuse(f"{text[:80]!r} is not of the type that its tag says ({wanted})", place)
    return float(value) if wanted == "float" else value


def _fits(value: Any, wanted: str) -> bool:
    kinds: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}
    return isinstance(value, kinds[wanted]) and (wanted == "bool" or not isinstance(value, bool))


def plain(text: str, place: Place = NOWHERE) -> Any:
    """Give what a plain scalar means.

    Raises:
        DocumentError: a number that JSON cannot hold.
    """
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _DECIMAL.match(text):
        return integer(text, 10, place)
    if _BASED.match(text):
        return integer(text[2:], _BASES[text[1]], place)
    if _REAL.match(text):
        return finite(text, place)
    if _NOT_FINITE.match(text):
        refuse("infinity and 'not a number' are not taken: JSON has no such numbers", place)
    return text


class _Dumper(yaml.CSafeDumper):
    """Writes values so that readers of YAML 1.1 and of 1.2 both read them back as they were."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write shared values out in full."""
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    return dumper.represent_scalar(f"{_TAG}str", text, style=_style(text))


def _style(text: str) -> str | None:
    if "\n" in text and text.isprintable() is False and _BLOCK.fullmatch(text):
        return "|"
    return '"' if _looks_special(text) else None


_BLOCK = re.compile(r"(?:[!-~]|[!-~][ -~]*[!-~])(?:\n+(?:[!-~]|[!-~][ -~]*[!-~]))*\n?")


def _looks_special(text: str) -> bool:
    """Say whether some reader would take the plain text for something else; what 1.1 takes is known to the dumper."""
    if not text.isprintable() or text == _MERGE:
        return True
    plainly = (_DECIMAL, _BASED, _REAL, _NOT_FINITE)
    return text in _NULL or text in _BOOLEAN or any(pattern.match(text) for pattern in plainly)


_Dumper.add_representer(str, _represent_text)


def emit(tree: Any) -> str:
    """Write a tree as block YAML, in the order of its keys."""
    if tree == {}:
        return ""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=100)
