"""Texts: what the search finds of a namespace. A secret is found by its key, never by its value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from qiantang.config import model
from qiantang.config.model import tree
from qiantang.kernel import secret, wire
from qiantang_server.config.rules import contents, documents
from qiantang_server.config.rules.limits import DEFAULT, NamespaceLimits

MAX_TEXT: Final = 2000
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]+")


def texts(body: Any, limits: NamespaceLimits = DEFAULT) -> Iterator[tuple[str, str]]:
    """Give (dotted key, text) pairs of a body, one for each setting; for a text one for each line, by its number.

    A text is the value and the comment, without control characters and at most MAX_TEXT long. The
    description goes under the empty key. What cannot be read is passed over: a draft may be searched that
    is not yet right.
    """
    namespace = wire.convert(body, model.Namespace)
    if namespace.description:
        yield "", _clean(namespace.description)
    if namespace.format == "properties":
        for key, item in namespace.items.items():
            value = "" if isinstance(item.value, secret.Secret) else item.value
            yield key, _clean("\n".join(part for part in (value, item.comment) if part))
    elif isinstance(namespace.document, str):
        yield from _of_document(namespace.format, namespace, limits)


def _of_document(kind: model.Format, namespace: model.Namespace, limits: NamespaceLimits) -> Iterator[tuple[str, str]]:
    read = contents.read(namespace, limits)
    if read.problems:
        return
    if kind == "text":
        lines = enumerate(str(read.data).split("\n"), start=1)
        yield from ((str(number), _clean(line)) for number, line in lines if line.strip())
        return
    for path, value in tree.leaves(read.data):
        yield ".".join(path), _clean(value if isinstance(value, str) else documents.compact(value))


def _clean(text: str) -> str:
    return _CONTROL.sub(" ", text[: MAX_TEXT * 2])[:MAX_TEXT]
