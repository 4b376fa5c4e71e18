"""Wire: the base of what crosses a process border, and the one codec (JSON by msgspec)."""

from __future__ import annotations

from typing import Any, TypeVar

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


def decode(data: bytes | str, model: type[T]) -> T:
    """Decode and check against `model`.

    Raises:
        InvalidRequestError: the data is not JSON or not of that shape; the detail names the place.
    """
    try:
        return msgspec.json.decode(data, type=model)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise errors.InvalidRequestError(f"not a valid {model_name(model)}: {error}") from error


def convert(value: Any, model: type[T], *, strict: bool = True) -> T:
    """Check built-in values (dict, list, str, …) against `model`; `strict=False` also reads "8080" as a number.

    Raises:
        InvalidRequestError: the value is not of that shape; the detail names the place.
    """
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
