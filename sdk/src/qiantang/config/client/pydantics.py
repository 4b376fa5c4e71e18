"""Pydantic models, where an application uses them: looked at only once it has imported pydantic itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

from qiantang.config.client import secrecy
from qiantang.config.model import tree

M = TypeVar("M")


class Refused(Exception):  # noqa: N818  # never leaves the room: it becomes a MismatchError
    """What pydantic says of the first value that does not fit; the value itself is not in it."""

    def __init__(self, path: str, reason: str, *, missing: bool) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason
        self.missing = missing


def is_model(kind: Any) -> bool:
    """Say whether a type is a pydantic model or a pydantic dataclass."""
    return isinstance(kind, type) and "pydantic" in sys.modules and hasattr(kind, "__pydantic_validator__")


def fields(model: type) -> list[tuple[str, tuple[str, ...], Any]] | None:
    """List a pydantic model's fields: name, the keys that may hold it, annotation; None where it is none."""
    if not is_model(model):
        return None
    described: dict[str, Any] = getattr(model, "__pydantic_fields__", {})
    return [(name, tuple(_keys(name, field)), field.annotation) for name, field in described.items()]


def _keys(name: str, field: Any) -> Iterator[str]:
    yield name
    for alias in (field.validation_alias, field.alias):
        if isinstance(alias, str):
            yield alias


def converter(model: type[M]) -> Callable[[Any], M] | None:
    """Give what makes a pydantic model of a tree of settings, or None where it is none.

    Its function raises Refused for what does not fit.
    """
    if not is_model(model):
        return None
    pydantic: Any = sys.modules["pydantic"]
    adapter: Any = pydantic.TypeAdapter(model)

    def convert(raw: Any) -> M:
        try:
            made = adapter.validate_python(tree.thaw(raw))
        except pydantic.ValidationError as error:
            raise _refused(error) from None
        _hide(made, raw)
        return cast("M", made)

    return convert


def _refused(error: Any) -> Refused:
    first: dict[str, Any] = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = ".".join(str(step) for step in first["loc"])
    return Refused(path, str(first["msg"]), missing=first["type"] == "missing")


def _hide(made: Any, raw: Any) -> None:
    """Mark the secret texts in an instance: pydantic copies text, and the mark with it is lost."""
    kind = cast("type[Any]", type(made))
    held: dict[str, Any] = getattr(made, "__dict__", {})
    if not (is_model(kind) and tree.is_node(raw)):
        return
    for name, keys, _ in fields(kind) or []:
        given = next((raw[key] for key in keys if key in raw), None)
        value = held.get(name)
        if isinstance(given, secrecy.SecretText) and type(value) is str:
            held[name] = secrecy.SecretText(value)
        else:
            _hide(value, given)
