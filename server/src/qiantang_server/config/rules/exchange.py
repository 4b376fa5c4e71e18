"""Exchange: one namespace as text that people keep in files, out and in again.

A secret leaves only when it is revealed; otherwise a placeholder stands for it. An import never takes the
placeholder for a value: it means "what is there already", and where nothing is, it is an error. Nor does an
import turn a secret into plain text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from qiantang.config import model
from qiantang.config.model import tree
from qiantang.kernel import errors, secret
from qiantang.kernel.errors import Problem
from qiantang_server.config.rules import contents, documents
from qiantang_server.config.rules.documents import properties_syntax
from qiantang_server.config.rules.limits import DEFAULT, NamespaceLimits

PLACEHOLDER: Final = "${secret: not exported}"
KEPT: Final = secret.Secret(secret=secret.SecretValue())
"""Stands in an imported body for a secret that stays what it is."""


class NotTextError(errors.InvalidRequestError):
    """A namespace cannot be written in the format that was asked for."""

    code = "config.format_unfit"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A namespace that comes in: its body with KEPT where a secret was not exported, and what is wrong with it."""

    name: str
    body: model.Namespace
    problems: tuple[Problem, ...] = ()


def export_text(body: model.Namespace, kind: model.Format, *, reveal: bool) -> str:
    """Write a namespace in a format; its own keeps comments and order, another holds the same settings.

    Raises:
        SealedError: a secret is to be revealed and is not open.
        NotTextError: a text is asked for as settings, or settings as a text.
        NotInTomlError: TOML cannot write a null.
        DocumentError: the document cannot be read, so it cannot be written in another format.
    """
    if body.format == "properties":
        return _export_items(body, kind, reveal=reveal)
    text = _out(body.document, "document", reveal=reveal)
    if kind == body.format or text == PLACEHOLDER:
        return text
    if "text" in {kind, body.format}:
        raise NotTextError(f"a namespace in {body.format} format cannot be written as {kind}")
    return documents.emit(kind, documents.parse(body.format, text, DEFAULT).data)


def _out(value: str | secret.Secret, path: str, *, reveal: bool) -> str:
    if isinstance(value, str):
        return value
    if not reveal:
        return PLACEHOLDER
    if value.secret.value is None:
        raise contents.SealedError(f"the secret {path!r} is not open, so it cannot be exported in plain text")
    return value.secret.value


def _export_items(body: model.Namespace, kind: model.Format, *, reveal: bool) -> str:
    if kind == "properties":
        return properties_syntax.emit(
            properties_syntax.Property(key, _out(item.value, key, reveal=reveal), item.comment)
            for key, item in body.items.items()
        )
    if kind == "text":
        raise NotTextError("a namespace in properties format cannot be written as text")
    hidden = {key: _hide(item, key, reveal=reveal) for key, item in body.items.items()}
    read = contents.read(msgspec.structs.replace(body, items=hidden), DEFAULT)
    if read.problems:
        raise NotTextError(f"the namespace cannot be written as {kind}", problems=list(read.problems))
    return documents.emit(kind, read.data)


def _hide(item: model.Item, key: str, *, reveal: bool) -> model.Item:
    if isinstance(item.value, secret.Secret) and not reveal:
        return model.Item(value=PLACEHOLDER)
    return msgspec.structs.replace(item, value=_out(item.value, key, reveal=reveal))


def import_text(
    name: str,
    text: str,
    kind: model.Format,
    existing: model.Namespace | None,
    limits: NamespaceLimits = DEFAULT,
) -> Incoming:
    """Read a text as what becomes of a namespace. It keeps its format and settings where it exists already."""
    target = existing or model.Namespace(format=kind)
    if target.format == "properties":
        return _import_items(name, text, kind, target, limits)
    if text.strip() == PLACEHOLDER:
        return Incoming(name, msgspec.structs.replace(target, document=KEPT))
    try:
        document = text if kind == target.format else _converted(text, kind, target.format, limits)
    except errors.InvalidRequestError as error:
        return Incoming(name, target, tuple(error.problems or [Problem(error.detail)]))
    return Incoming(name, msgspec.structs.replace(target, document=document))


def placeholders(body: model.Namespace) -> list[Problem]:
    """List where a body holds the placeholder inside a value: it would be published as it stands."""
    message = f"holds {PLACEHOLDER!r}, which stands for a secret that was not exported: write the secret itself"
    values = {"document": body.document, **{key: item.value for key, item in body.items.items()}}
    return [Problem(message, path) for path, value in values.items() if _holds(value)]


def _holds(value: str | secret.Secret) -> bool:
    return PLACEHOLDER in (contents.opened(value) or "")


def _converted(text: str, kind: model.Format, target: model.Format, limits: NamespaceLimits) -> str:
    if "text" in {kind, target}:
        raise NotTextError(f"the namespace is in {target} format, and {kind} cannot be taken as that")
    return documents.emit(target, documents.parse(kind, text, limits).data)


def _import_items(
    name: str, text: str, kind: model.Format, target: model.Namespace, limits: NamespaceLimits
) -> Incoming:
    try:
        items = dict(_incoming_items(text, kind, target, limits))
    except errors.InvalidRequestError as error:
        return Incoming(name, target, tuple(error.problems or [Problem(error.detail)]))
    return Incoming(name, msgspec.structs.replace(target, items=items))


def _incoming_items(
    text: str, kind: model.Format, target: model.Namespace, limits: NamespaceLimits
) -> Iterator[tuple[str, model.Item]]:
    if kind == "properties":
        documents.check_size(text, limits)
        for each in properties_syntax.parse(text, documents.Budget.of(limits)):
            before = target.items.get(each.key)
            yield (
                each.key,
                model.Item(value=_taken(each.value), type=before.type if before else "string", comment=each.comment),
            )
        return
    if kind == "text":
        raise NotTextError("the namespace is in properties format, and a text cannot be taken as that")
    data = documents.parse(kind, text, limits).data
    if not isinstance(data, dict):
        raise NotTextError("the namespace holds keys with values, and the document is not a mapping")
    seen: set[str] = set()
    for path, value in tree.leaves(data):
        key = ".".join(path)
        if key in seen:
            raise NotTextError(f"the key {key[:80]!r} is there twice, nested and with dots in it")
        seen.add(key)
        before = target.items.get(key)
        text_of, type_of = _typed(value)
        yield key, model.Item(value=_taken(text_of), type=type_of, comment=before.comment if before else "")


def _taken(value: str) -> str | secret.Secret:
    return KEPT if value == PLACEHOLDER else value


def _typed(value: Any) -> tuple[str, model.ItemType]:
    """Give the text and the type by which a value of a tree becomes an item."""
    if isinstance(value, str):
        return value, "string"
    if isinstance(value, bool):
        return documents.compact(value), "boolean"
    return documents.compact(value), "number" if isinstance(value, int | float) else "json"
