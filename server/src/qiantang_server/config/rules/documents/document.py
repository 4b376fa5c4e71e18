"""Document: one text in one format, read with its size looked at first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qiantang.config import model
from qiantang.config.model import tree
from qiantang_server.config.rules.documents import (
    json_syntax,
    properties_syntax,
    toml_syntax,
    yaml_syntax,
)
from qiantang_server.config.rules.documents.properties_syntax import Property
from qiantang_server.config.rules.documents.reading import (
    Budget,
    DocumentTooLargeError,
    Mark,
    Place,
    refuse,
)
from qiantang_server.config.rules.limits import NamespaceLimits


@dataclass(frozen=True, slots=True, repr=False)
class Document:
    """What a text holds: `data` is made of JSON values; `mark` knows where each stands, None in text format."""

    format: model.Format
    data: Any
    mark: Mark | None = None

    def __repr__(self) -> str:
        """Never show the data: it may be a secret."""
        return f"Document({self.format!r})"


_PARSERS = {"yaml": yaml_syntax.parse, "json": json_syntax.parse, "toml": toml_syntax.parse}


def parse(kind: model.Format, text: str, limits: NamespaceLimits) -> Document:
    """Read a text.

    Raises:
        DocumentTooLargeError: over `namespace_bytes`; it was not read.
        DocumentError: wrong, nested too deep, or expanding beyond the limits; with line and column.
    """
    check_size(text, limits)
    if kind == "text":
        return Document(kind, text)
    if kind == "properties":
        return _properties(text, limits)
    data, mark = _PARSERS[kind](text, Budget.of(limits))
    return Document(kind, data, mark)


def check_size(text: str, limits: NamespaceLimits) -> None:
    """Refuse a text by its size alone.

    Raises:
        DocumentTooLargeError: over `namespace_bytes`.
        DocumentError: it is not Unicode text.
    """
    size = len(text)
    if size <= limits.namespace_bytes and not text.isascii():
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            before = text[: error.start]
            place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
            refuse("half of a surrogate pair, which is no character", place)
    if size > limits.namespace_bytes:
        raise DocumentTooLargeError(
            f"the document has {size} bytes and a namespace may have {limits.namespace_bytes}: "
            "split it into several namespaces"
        )


def _properties(text: str, limits: NamespaceLimits) -> Document:
    found = properties_syntax.parse(text, Budget.of(limits))
    marks = {each.key: Mark(each.place) for each in found}
    data = tree.nest({each.key: each.value for each in found})
    return Document("properties", data, Mark(Place(1, 1), marks))


def emit(kind: model.Format, data: Any) -> str:
    """Write a tree in a format; in properties, what is not text is written as JSON.

    Raises:
        NotInTomlError: the tree holds something that TOML cannot write.
    """
    if kind == "text":
        return str(data)
    if kind == "properties":
        flat = tree.flatten(data).items()
        return properties_syntax.emit(Property(key, property_text(value)) for key, value in flat)
    writers = {"yaml": yaml_syntax.emit, "json": json_syntax.emit, "toml": toml_syntax.emit}
    return writers[kind](data)


def property_text(value: Any) -> str:
    """Give the text of a value in properties: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json_syntax.compact(value)
