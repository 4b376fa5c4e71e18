"""Streams in definitions: which results and parameters are streams, and of what; those that are not quite are refused by name."""

from __future__ import annotations

import collections.abc
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, get_args, get_origin

from qiantang.kernel import errors

GIVES: Final = 1
"""Of a method's `streams`: its result is a stream."""
TAKES: Final = 2
"""Of a method's `streams`: its last parameter is a stream."""
Word = Literal["none", "result", "argument", "both"]
WORDS: Final[tuple[Word, ...]] = ("none", "result", "argument", "both")
_ITERATORS: Final = {collections.abc.AsyncIterator, collections.abc.AsyncGenerator}
_NEARLY: Final = {
    collections.abc.AsyncIterable,
    collections.abc.Iterable,
    collections.abc.Iterator,
    collections.abc.Generator,
}
_NO_STREAM: Final = object()


def require_carried(place: str, name: str, hint: Any) -> None:
    """Refuse what only looks like a stream.

    Raises:
        MisconfiguredError: it does.
    """
    if (get_origin(hint) or hint) in _NEARLY:
        what = "gives" if name == "return" else f"takes, as {name},"
        raise errors.MisconfiguredError(f"{place} {what} {hint}: a stream is an AsyncIterator of its items")


def result_of(place: str, function: Callable[..., Any], hint: Any) -> tuple[Any, bool]:
    """Give the type of the result, or of its items, and whether it is a stream.

    Raises:
        MisconfiguredError: it is one that cannot be carried.
    """
    item = _item(place, hint)
    if item is _NO_STREAM:
        return hint, False
    if inspect.iscoroutinefunction(function):
        raise errors.MisconfiguredError(f"{place} gives a stream: write def in place of async def, it is not awaited")
    return item, True


def stream_of(place: str, parameters: list[inspect.Parameter], hints: Mapping[str, Any]) -> tuple[str, Any]:
    """Give the name of the parameter that is a stream, and the type of its items; nothing where there is none.

    Raises:
        MisconfiguredError: it is one that cannot be carried.
    """
    found = [(one, item) for one in parameters if (item := _item(place, hints.get(one.name))) is not _NO_STREAM]
    if not found:
        return "", None
    (parameter, item), *more = found
    if more or parameter is not parameters[-1]:
        raise errors.MisconfiguredError(
            f"{place} takes a stream as {parameter.name}: it must be the last, and the only one"
        )
    if parameter.default is not parameter.empty:
        raise errors.MisconfiguredError(f"the stream {parameter.name} of {place} has a default: a stream has none")
    return parameter.name, item


def _item(place: str, hint: Any) -> Any:
    """Give the type of what a stream is of."""
    if (get_origin(hint) or hint) not in _ITERATORS:
        return _NO_STREAM
    of = get_args(hint)
    if not of:
        raise errors.MisconfiguredError(f"{place} has a stream and does not say of what: write AsyncIterator[Row]")
    return of[0]
