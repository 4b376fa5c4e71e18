"""Section: what a settings struct declares, read once: its fields, their types, defaults, bounds and meanings."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import msgspec
from msgspec import inspect

from qiantang.kernel.settings import values

PREFIX = "QIANTANG_"
FILE_SUFFIX = "_file"

_SECTION_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One setting. `ge` and `le` are a duration's bounds, declared as `Meta(extra={"ge": …, "le": …})`."""

    section: str
    key: str
    annotation: Any
    kind: Any
    meaning: str
    required: bool
    secret: bool
    ge: timedelta | None = None
    le: timedelta | None = None
    factory: Any = None

    @property
    def name(self) -> str:
        """Section and key: how people call it."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"{PREFIX}{self.section}_{self.key}".upper()

    @property
    def rule(self) -> str:
        """Say in words what it takes."""
        words = [values.rule(self.kind)]
        if self.ge is not None:
            words.append(f"at least {values.format_duration(self.ge)}")
        if self.le is not None:
            words.append(f"at most {values.format_duration(self.le)}")
        return ", ".join(words)

    def default(self) -> Any:
        """Give a fresh default; None where there is none."""
        return None if self.required else self.factory()

    def read(self, raw: Any) -> Any:
        """Turn what a source gave into the checked value.

        Raises:
            ValueError: it does not keep the rule.
        """
        value = msgspec.convert(values.read(raw, self.kind), self.annotation, builtin_types=(timedelta,), strict=True)
        if isinstance(value, timedelta) and not (
            (self.ge is None or value >= self.ge) and (self.le is None or value <= self.le)
        ):
            raise ValueError("out of bounds")
        return value


def fields(sections: Mapping[str, type[msgspec.Struct]]) -> list[Field]:
    """List every setting of the sections, in order.

    Raises:
        TypeError: a section is badly declared: its name, a type that no source can hold, a missing meaning, or two
            settings that one environment variable would set.
    """
    found = [field for name, model in sections.items() for field in _fields(name, model)]
    variables: dict[str, Field] = {}
    for field in found:
        for variable in (field.variable, *([f"{field.variable}_FILE"] if field.secret else [])):
            other = variables.setdefault(variable, field)
            if other is not field:
                raise TypeError(f"{other.name} and {field.name} are both set by {variable}: rename one")
    return found


def _fields(section: str, model: type[msgspec.Struct]) -> list[Field]:
    if not _SECTION_NAME.fullmatch(section):
        raise TypeError(f"{section!r} is not a section name: a-z, 0-9 and single underscores")
    described = inspect.type_info(model)
    if not isinstance(described, inspect.StructType):
        raise TypeError(f"the section {section} is not a struct")
    hints = typing.get_type_hints(model, include_extras=True)
    return [_field(section, field, hints[field.name]) for field in described.fields]


def _field(section: str, field: inspect.Field, annotation: Any) -> Field:
    meta = field.type if isinstance(field.type, inspect.Metadata) else inspect.Metadata(type=field.type)
    meaning = str(cast("dict[str, Any]", meta.extra_json_schema or {}).get("description", ""))  # pyright: ignore[reportUnknownMemberType]
    if not meaning:
        raise TypeError(f"the setting {section}.{field.name} says no meaning: Meta(description=…)")
    if not values.readable(field.type):
        raise TypeError(f"the setting {section}.{field.name} has a type that no source can hold")
    bounds = cast("dict[str, Any]", meta.extra or {})  # pyright: ignore[reportUnknownMemberType]
    return Field(
        section=section,
        key=field.name,
        annotation=annotation,
        kind=field.type,
        meaning=meaning,
        required=field.required,
        secret=values.is_secret(field.type),
        ge=bounds.get("ge"),
        le=bounds.get("le"),
        factory=_factory(field),
    )


def _factory(field: inspect.Field) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory
    default = field.default
    return lambda: default
