"""Conversion: published settings turned into an application's own model, leniently, with errors that name the key.

Settings are often text: "8080" is read as a number where the model wants one, "5s" as a duration, "yes" as true,
"a, b" as a list. What does not fit is told with its key and the kinds, never with a secret's value.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import re
import types
import typing
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec

from qiantang.config.client import pydantics
from qiantang.config.model import tree
from qiantang.kernel import errors, settings, wire

M = TypeVar("M")

Reader = Callable[[Any], Any]

_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}
_PLACE = re.compile(r"^(?P<reason>.*?)(?: - at `(?P<place>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[([^\]]*)\]")
_MISSING_FIELD = re.compile(r"^Object missing required field `([^`]+)`$")
_FREE_OF_VALUES = ("Expected ", "Object missing ", "Input should be a valid ", "Field required")
_SEQUENCES: dict[Any, Callable[[Iterable[Any]], Any]] = {
    list: list,
    tuple: list,
    set: list,
    frozenset: list,
    collections.abc.Sequence: list,
    collections.abc.Collection: list,
    collections.abc.Set: list,
    collections.abc.MutableSequence: list,
}
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


class Misfit(Exception):  # noqa: N818  # never leaves the room: it becomes a MismatchError
    """A value that does not fit the model. `path` is relative to what was converted."""

    def __init__(self, path: str, reason: str, *, missing: bool = False) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason
        self.missing = missing

    @property
    def free_of_values(self) -> bool:
        """Whether the reason tells kinds only, and so may be shown of a secret."""
        return self.reason.startswith(_FREE_OF_VALUES)


class Shape(Generic[M]):
    """A model, compiled once: its field names and how published settings become an instance of it.

    Raises, when made:
        MisconfiguredError: it is no struct, dataclass or pydantic model, or holds a type that cannot be read.
    """

    def __init__(self, model: type[M]) -> None:
        self.model = model
        fields = _fields(model)
        if fields is None:
            raise errors.MisconfiguredError(
                f"{model!r} cannot be bound: give a msgspec.Struct, a dataclass or a pydantic model"
            )
        self.name = model.__qualname__
        self.fields = tuple(field.name for field in fields)
        try:
            self._read = _Readers().of(model)
            self._convert: Callable[[Any], M] = pydantics.converter(model) or _converter(model)
        except (TypeError, NameError) as error:
            raise errors.MisconfiguredError(f"{self.name} cannot be bound: {error}") from error

    def convert(self, data: Any) -> M:
        """Make an instance of a (frozen) tree of settings.

        Raises:
            Misfit: a value does not fit, or one that is required is missing.
        """
        raw = self._read(data) if self._read is not None else data
        try:
            return self._convert(raw)
        except pydantics.Refused as error:
            raise Misfit(error.path, error.reason, missing=error.missing) from None
        except (msgspec.ValidationError, RecursionError) as error:
            raise _misfit(str(error)) from None
        except Exception as error:  # whatever a model's own code raises
            raise Misfit("", f"{type(error).__name__}: {error}") from None


class _Field(NamedTuple):
    """A field of a model, and the keys that may hold it in the published settings."""

    name: str
    keys: tuple[str, ...]
    annotation: Any


def _fields(model: Any) -> list[_Field] | None:
    """List a model's fields; None where the type is no model."""
    if not isinstance(model, type):
        return None
    model = cast("type[Any]", model)
    described = pydantics.fields(model)
    if described is not None:
        return [_Field(name, keys, annotation) for name, keys, annotation in described]
    if issubclass(model, msgspec.Struct):
        return [_Field(field.name, (field.encode_name,), field.type) for field in msgspec.structs.fields(model)]
    if dataclasses.is_dataclass(model):
        hints = typing.get_type_hints(model, include_extras=True)
        return [_Field(field.name, (field.name,), hints[field.name]) for field in dataclasses.fields(model)]
    return None


class _Readers:
    """Makes the readers of a model: what msgspec or pydantic would not read from text by themselves.

    A reader is None where nothing has to be done; models may refer to themselves.
    """

    def __init__(self) -> None:
        self._known: dict[Any, Reader] = {}

    def of(self, annotation: Any) -> Reader | None:
        """Give the reader of a type."""
        annotation = _bare(annotation)
        origin = typing.get_origin(annotation)
        if origin in (typing.Union, types.UnionType):
            return self._of_union(typing.get_args(annotation))
        if annotation in _SCALARS:
            return _SCALARS[annotation]
        kind = origin or annotation
        if kind in _SEQUENCES:
            return self._of_sequence(kind, typing.get_args(annotation))
        if kind in _MAPPINGS:
            return self._of_mapping(typing.get_args(annotation))
        return self._of_model(annotation)

    def _of_union(self, members: tuple[Any, ...]) -> Reader | None:
        some = [member for member in members if member is not type(None)]
        if len(some) != 1:
            return None
        read = self.of(some[0])
        empty_is_none = len(members) == 2 and _bare(some[0]) is not str

        def read_optional(raw: Any) -> Any:
            if raw is None or (empty_is_none and isinstance(raw, str) and not raw.strip()):
                return None
            return raw if read is None else read(raw)

        return read_optional

    def _of_sequence(self, kind: Any, arguments: tuple[Any, ...]) -> Reader:
        fixed = kind is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis)
        readers = [self.of(argument) for argument in arguments if argument is not Ellipsis]

        def read_sequence(raw: Any) -> Any:
            items = _items(raw)
            if items is None or not readers:
                return raw if items is None else items
            if fixed:
                return [_apply(read, item) for read, item in zip(readers, items, strict=False)] + items[len(readers) :]
            return [_apply(readers[0], item) for item in items]

        return read_sequence

    def _of_mapping(self, arguments: tuple[Any, ...]) -> Reader | None:
        read = self.of(arguments[1]) if len(arguments) == 2 else None
        if read is None:
            return None
        return lambda raw: {key: read(value) for key, value in raw.items()} if tree.is_node(raw) else raw

    def _of_model(self, model: Any) -> Reader | None:
        try:
            if model in self._known:
                return self._known[model]
        except TypeError:  # not hashable: no model
            return None
        fields = _fields(model)
        if fields is None:
            return None
        readers: dict[str, Reader] = {}

        def read_model(raw: Any) -> Any:
            if not tree.is_node(raw):
                return raw
            return {key: _apply(readers.get(key), value) for key, value in raw.items()}

        self._known[model] = read_model
        for field in fields:
            read = self.of(field.annotation)
            if read is not None:
                readers.update(dict.fromkeys(field.keys, read))
        return read_model


def _apply(read: Reader | None, raw: Any) -> Any:
    return raw if read is None else read(raw)


def _bare(annotation: Any) -> Any:
    """Take Annotated and NewType off."""
    while True:
        if typing.get_origin(annotation) in (typing.Annotated, typing.Required, typing.NotRequired):
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        else:
            return annotation


def _items(raw: Any) -> list[Any] | None:
    if isinstance(raw, str):
        kind = type(raw)  # the items of a secret text are secret as well
        return [kind(part.strip()) for part in raw.split(",") if part.strip()]
    if isinstance(raw, list | tuple):
        return list(cast("Iterable[Any]", raw))
    return None


def _read_bool(raw: Any) -> Any:
    word = raw.strip().lower() if isinstance(raw, str) else ""
    return True if word in _TRUE else False if word in _FALSE else raw


def _read_number(raw: Any) -> Any:
    return raw.strip() if isinstance(raw, str) and raw != raw.strip() else raw


def _read_duration(raw: Any) -> Any:
    if not isinstance(raw, str):
        return raw
    try:
        return settings.parse_duration(raw)
    except ValueError:
        return raw  # perhaps in the ISO form, which the model's library reads


_SCALARS: dict[Any, Reader] = {
    bool: _read_bool,
    int: _read_number,
    float: _read_number,
    timedelta: _read_duration,
}


def _converter(model: type[M]) -> Callable[[Any], M]:
    wire.learn(model)  # refuses here what it could never read

    def convert(raw: Any) -> M:
        return msgspec.convert(raw, model, strict=False, builtin_types=(timedelta,), dec_hook=_hook)

    return convert


def _hook(kind: Any, raw: Any) -> Any:
    """Read what msgspec does not know by itself.

    Raises:
        TypeError: nobody knows how to read that.
    """
    if kind is settings.Secret and isinstance(raw, str):
        return settings.Secret(str(raw))
    if kind is Path and isinstance(raw, str):
        return Path(raw)
    convert = pydantics.converter(kind)
    if convert is not None:
        return convert(raw)
    raise TypeError(f"Expected `{getattr(kind, '__name__', kind)}`, got `{type(raw).__name__}`")


def _misfit(message: str) -> Misfit:
    found = _PLACE.match(message)
    reason, place = (found["reason"], found["place"] or "") if found else (message, "")
    steps = [name or index for name, index in _STEP.findall(place.removeprefix("$"))]
    path = ".".join("*" if step == "..." else step for step in steps)
    absent = _MISSING_FIELD.match(reason)
    if absent is not None:
        path = f"{path}.{absent[1]}" if path else absent[1]
    return Misfit(path, reason, missing=absent is not None)


def to_kind_of(sample: Any, text: str) -> Any:
    """Read text as the kind of value that `sample` is: a bool, a number or a duration; anything else stays text.

    Raises:
        ValueError: it is none.
    """
    if isinstance(sample, bool):
        word = text.strip().lower()
        if word not in _TRUE | _FALSE:
            raise ValueError("neither true nor false")
        return word in _TRUE
    if isinstance(sample, int | float):
        return type(sample)(text)
    if isinstance(sample, timedelta):
        return settings.parse_duration(text)
    return text
