"""Rows: settings as people read them, in a table or as a file to start from."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from qiantang.kernel.settings import tomltext, values
from qiantang.kernel.settings.section import Field, fields
from qiantang.kernel.settings.sources import DEFAULT, Loaded


class Row(msgspec.Struct, frozen=True):
    """One setting as text. Secrets are masked, and so are passwords inside addresses."""

    name: str
    value: str
    default: str
    source: str
    meaning: str


def describe(loaded: Loaded) -> list[Row]:
    """List every setting with its value, default, source and meaning."""
    return [
        Row(
            name=field.name,
            value=values.show(getattr(loaded.sections[field.section], field.key)),
            default=values.show(field.default()),
            source=str(loaded.sources.get(field.name, DEFAULT)),
            meaning=field.meaning,
        )
        for field in loaded.fields
    ]


def print_defaults(sections: Mapping[str, type[msgspec.Struct]]) -> str:
    """Write a TOML file that names every setting with its meaning, rule and default.

    The settings are commented out, so that a file made from it holds only what somebody chose and keeps following the
    defaults of later versions.
    """
    lines: list[str] = []
    section = ""
    for field in fields(sections):
        if field.section != section:
            section = field.section
            lines += ["", f"[{section}]"]
        lines += ["", f"# {_line(field.meaning)}", f"# {field.rule}; environment {field.variable}"]
        lines.append(_assignment(field))
    return "\n".join(lines[1:]) + "\n"


def _assignment(field: Field) -> str:
    if field.secret:
        return f'#{field.key}_file = "/path/of/a/file/that/holds/it"'
    default = field.default()
    if default is None:
        return f"#{field.key} ="
    return f"#{field.key} = {tomltext.value(default)}"


def _line(text: str) -> str:
    return " ".join(text.split())
