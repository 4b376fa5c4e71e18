"""Wire: the base of what crosses a process border, and the one codec (JSON by msgspec)."""

from __future__ import annotations

import contextlib
import threading
from typing import Any, Final, TypeVar

import msgspec

from qiantang.kernel import errors

T = TypeVar("T")


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Something the platform says: unknown fields are passed over, so that older readers understand newer writers."""


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something a caller asks for: an unknown field is an error, so that a typing mistake is never ignored."""


_encoder = msgspec.json.Encoder(order="deterministic")


def encode(value: Any) -> bytes:
    """Encode as canonical JSON: keys sorted, no spaces; equal values give equal bytes."""
    return _encoder.encode(value)


_learned: set[Any] = set()
_learning = threading.RLock()
MOST_LEARNED: Final = 10_000


def learn(model: Any) -> None:
    """Have msgspec learn a type before it reads the first value of it, by one thread at a time.

    msgspec 0.22 looks into a struct at its first use, and ends the process (SIGSEGV) where two threads do that at once. Raises
    what `msgspec.json.Decoder` raises for a type that can never be read.
    """
    try:
        if model in _learned:
            return
    except TypeError:  # it has no hash, and is learned each time
        pass
    with _learning:
        msgspec.json.Decoder(model)
        if len(_learned) >= MOST_LEARNED:  # types that are made while running
            _learned.clear()
        with contextlib.suppress(TypeError):
            _learned.add(model)


def decode(data: bytes | str, model: type[T]) -> T:
    """Decode and check against `model`.

    Raises:
        InvalidRequestError: the data is not JSON or not of that shape; the detail names the place.
    """
    learn(model)
    try:
        return msgspec.json.decode(data, type=model)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise errors.InvalidRequestError(f"not a valid {model_name(model)}: {error}") from error


def convert(value: Any, model: type[T], *, strict: bool = True) -> T:
    """Check built-in values (dict, list, str, …) against `model`; `strict=False` also reads "8080" as a number.

    Raises:
        InvalidRequestError: the value is not of that shape; the detail names the place.
    """
    learn(model)
    try:
        return msgspec.convert(value, type=model, strict=strict)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise errors.InvalidRequestError(f"not a valid {model_name(model)}: {error}") from error


def builtins(value: Any) -> Any:
    """Turn wire models into built-in values, as JSON would hold them."""
    return msgspec.to_builtins(value)


def model_name(model: Any) -> str:
    """Name a model as a person would."""
    return str(getattr(model, "__name__", model))


def schema(model: Any) -> dict[str, Any]:
    """Give the JSON Schema of a model."""
    return msgspec.json.schema(model)
