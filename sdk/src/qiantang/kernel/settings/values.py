"""Values: how a setting's text becomes a typed value, how a typed value reads, and the rule a value must keep."""

from __future__ import annotations

import hmac
import math
import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, cast

from msgspec import inspect

MASK = "******"

_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
    "us": timedelta(microseconds=1),
}
_DURATION_PART = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(ms|us|d|h|m|s)")
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+")
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_PASSWORD = re.compile(r"(?P<head>[a-z][a-z0-9+.-]*://[^/?#\s:@]*:)[^/?#\s]*@", re.IGNORECASE)
_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}
_LISTS = (inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType)


class Secret:
    """A text that never shows itself: not in a repr, not as text, not in a pickle. `reveal` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the text, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret()" if not self._value else f"Secret({MASK!r})"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


def parse_duration(text: str) -> timedelta:
    """Read "5s", "200ms", "10m", "1h30m"; "0" needs no unit.

    Raises:
        ValueError: not a duration, or too long to be one.
    """
    text = text.strip()
    if text == "0":
        return timedelta()
    if not _DURATION.fullmatch(text):
        raise ValueError("not a duration")
    try:
        return sum((_amount(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text)), timedelta())
    except OverflowError as error:
        raise ValueError("too long for a duration") from error


def _amount(number: str) -> int | float:
    return float(number) if "." in number else int(number)


def format_duration(value: timedelta) -> str:
    """Write a duration so that `parse_duration` reads the same again."""
    left = value
    parts: list[str] = []
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def read(raw: Any, kind: inspect.Type) -> Any:
    """Turn what a source gave (text, or a TOML value) into what msgspec checks against the type.

    Raises:
        ValueError: it cannot be read as that type.
    """
    kind = bare(kind)
    if isinstance(kind, inspect.UnionType):
        return _read_optional(raw, kind)
    if isinstance(kind, _LISTS):
        return [read(item, kind.item_type) for item in _items(raw)]
    if isinstance(kind, inspect.DictType):
        return {key: read(value, kind.value_type) for key, value in _pairs(raw)}
    if isinstance(kind, inspect.LiteralType):
        return _one_of(raw, kind.values)
    if isinstance(kind, inspect.EnumType):
        return _one_of(raw, (member.value for member in kind.cls))
    if isinstance(kind, inspect.CustomType):
        return _text(raw, _CUSTOM[kind.cls])
    return _SCALARS[type(kind)](raw)


def readable(kind: inspect.Type) -> bool:
    """Say whether `read` knows the type at all."""
    kind = bare(kind)
    if isinstance(kind, inspect.UnionType):
        others = [part for part in kind.types if not isinstance(part, inspect.NoneType)]
        return len(others) == 1 and len(kind.types) == 2 and readable(others[0])
    if isinstance(kind, _LISTS):
        return readable(kind.item_type)
    if isinstance(kind, inspect.DictType):
        return isinstance(bare(kind.key_type), inspect.StrType) and readable(kind.value_type)
    if isinstance(kind, inspect.CustomType):
        return kind.cls in _CUSTOM
    return isinstance(kind, inspect.LiteralType | inspect.EnumType) or type(kind) in _SCALARS


def is_secret(kind: inspect.Type) -> bool:
    """Say whether values of the type are secrets, or may be."""
    kind = bare(kind)
    if isinstance(kind, inspect.UnionType):
        return any(is_secret(part) for part in kind.types)
    return isinstance(kind, inspect.CustomType) and kind.cls is Secret


def bare(kind: inspect.Type) -> inspect.Type:
    """Give the type without its metadata."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    return kind


def show(value: Any) -> str:
    """Write a value as the environment would hold it, with secrets and passwords inside addresses masked."""
    if value is None:
        return ""
    if isinstance(value, Secret):
        return MASK if value else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Enum):
        return show(value.value)
    if isinstance(value, dict):
        return ",".join(f"{key}={show(item)}" for key, item in cast("dict[str, Any]", value).items())
    if isinstance(value, list | tuple | set | frozenset):
        shown = [show(item) for item in cast("Iterable[Any]", value)]
        return ",".join(sorted(shown) if isinstance(value, set | frozenset) else shown)
    return _PASSWORD.sub(rf"\g<head>{MASK}@", str(value))


def rule(kind: inspect.Type) -> str:
    """Say in words what values the type takes."""
    kind = bare(kind)
    if isinstance(kind, inspect.UnionType):
        some = next(part for part in kind.types if not isinstance(part, inspect.NoneType))
        return f"{rule(some)}, or empty"
    if isinstance(kind, _LISTS):
        return f"a list of: {rule(kind.item_type)}{_lengths(kind, 'items')}"
    if isinstance(kind, inspect.DictType):
        return f"names with values (a=1,b=2), each {rule(kind.value_type)}"
    if isinstance(kind, inspect.LiteralType):
        return f"one of {', '.join(map(str, kind.values))}"
    if isinstance(kind, inspect.EnumType):
        return f"one of {', '.join(str(member.value) for member in kind.cls)}"
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        return f"{_NOUNS[type(kind)]}{_bounds(kind)}"
    if isinstance(kind, inspect.StrType):
        pattern = f", matching {kind.pattern}" if kind.pattern else ""
        return f"text{_lengths(kind, 'characters')}{pattern}"
    return "a path" if isinstance(kind, inspect.CustomType) and kind.cls is Path else _NOUNS[type(kind)]


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    words = (("at least", kind.ge), ("above", kind.gt), ("at most", kind.le), ("below", kind.lt))
    return "".join(f", {word} {bound:g}" for word, bound in words if bound is not None)


def _lengths(kind: Any, what: str) -> str:
    words = (("at least", kind.min_length), ("at most", kind.max_length))
    return "".join(f", {word} {bound} {what}" for word, bound in words if bound is not None)


def _read_optional(raw: Any, kind: inspect.UnionType) -> Any:
    some = next(part for part in kind.types if not isinstance(part, inspect.NoneType))
    return None if raw is None or raw == "" else read(raw, some)


def _items(raw: Any) -> list[Any]:
    if isinstance(raw, str):
        return [part.strip() for part in raw.split(",") if part.strip()]
    if isinstance(raw, list | tuple | set | frozenset):
        return list(cast("Iterable[Any]", raw))
    raise ValueError("not a list")


def _pairs(raw: Any) -> list[tuple[str, Any]]:
    if isinstance(raw, dict):
        return list(cast("dict[str, Any]", raw).items())
    pairs = [part.partition("=") for part in _items(raw)]
    if not all(key.strip() and equals for key, equals, _ in pairs):
        raise ValueError("not name=value pairs")
    return [(key.strip(), value.strip()) for key, _, value in pairs]


def _one_of(raw: Any, choices: Iterable[Any]) -> Any:
    for choice in choices:
        if str(choice) == str(raw.value if isinstance(raw, Enum) else raw):
            return choice
    raise ValueError("not one of them")


def _bool(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    word = raw.strip().lower() if isinstance(raw, str) else ""
    if word not in _TRUE | _FALSE:
        raise ValueError("neither true nor false")
    return word in _TRUE


def _int(raw: Any) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and _INTEGER.fullmatch(raw.strip()):
        return int(raw)
    raise ValueError("not a whole number")


def _float(raw: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError("not a number")  # noqa: TRY004  # one kind of error for every misread value
    number = float(raw)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def _duration(raw: Any) -> timedelta:
    if isinstance(raw, timedelta):
        return raw
    return parse_duration(_text(raw, str))


def _str(raw: Any) -> str:
    return _text(raw, str)


def _text(raw: Any, make: Callable[[Any], Any]) -> Any:
    if isinstance(raw, Path | Secret):
        raw = str(raw) if isinstance(raw, Path) else raw.reveal()
    if not isinstance(raw, str):
        raise ValueError("not text")  # noqa: TRY004
    return make(raw)


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError("not a path")
    return Path(text).expanduser()


_CUSTOM: dict[type, Callable[[str], Any]] = {Path: _path, Secret: Secret}
_SCALARS: dict[type[inspect.Type], Callable[[Any], Any]] = {
    inspect.BoolType: _bool,
    inspect.IntType: _int,
    inspect.FloatType: _float,
    inspect.StrType: _str,
    inspect.TimeDeltaType: _duration,
}
_NOUNS: dict[type[inspect.Type], str] = {
    inspect.BoolType: "true or false",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.TimeDeltaType: "a duration such as 200ms, 5s, 10m or 1h30m",
    inspect.CustomType: "text (secret)",
}
