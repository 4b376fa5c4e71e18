"""Values: what no row of any of the databases can hold is refused before it is sent, in the same words on all three."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from qiantang.kernel import errors

_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1


def require_holdable(
    _connection: Any, _cursor: Any, _statement: str, parameters: Any, _context: Any, executemany: bool
) -> None:
    """Pass where every parameter of a statement can be held (SQLAlchemy's event `before_cursor_execute`).

    Left to the databases, a NUL is an error on one and kept on two, and a number beyond 64 bits is another error on each.

    Raises:
        InvalidRequestError: a text holds a NUL or half a surrogate pair, or a number is beyond 64 bits.
    """
    for row in parameters if executemany else (parameters,):
        _require_row(row.values() if isinstance(row, Mapping) else row)  # pyright: ignore[reportUnknownArgumentType]


def _require_row(values: Iterable[Any]) -> None:
    for value in values:
        if isinstance(value, str):
            if "\0" in value or not _has_whole_characters(value):
                raise errors.InvalidRequestError("a text holds a character that no row can hold: NUL or half a pair")
        elif isinstance(value, int) and not _LOWEST <= value <= _HIGHEST:
            raise errors.InvalidRequestError("a number is beyond 64 bits, which is more than any row can hold")


def _has_whole_characters(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
