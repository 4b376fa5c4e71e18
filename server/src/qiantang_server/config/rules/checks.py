"""Checks: everything that is wrong with a namespace, found before it is published."""

from __future__ import annotations

from typing import Any

from qiantang.config import model
from qiantang.kernel import errors, wire
from qiantang.kernel.errors import Problem
from qiantang_server.config.rules import contents, schemas
from qiantang_server.config.rules.limits import DEFAULT, NamespaceLimits


def check(name: str, body: Any, limits: NamespaceLimits = DEFAULT) -> list[Problem]:
    """List every problem of a body (built-in JSON values, secrets opened) under the name of its namespace.

    No message holds the value of a secret, nor a key inside one.
    """
    try:
        namespace = wire.convert(body, model.Namespace)
    except errors.InvalidRequestError as error:
        return [Problem(message=error.detail)]
    return check_namespace(name, namespace, limits)


def check_namespace(name: str, namespace: model.Namespace, limits: NamespaceLimits = DEFAULT) -> list[Problem]:
    """List every problem of a namespace; see `check`."""
    found = [*_name(name), *_shape(namespace), *_reference(namespace)]
    read = contents.read(namespace, limits)
    found += read.problems
    if namespace.schema.strip():
        found += _schema(namespace, read, limits)
    return found[: limits.problems]


def _name(name: str) -> list[Problem]:
    try:
        model.check_name(name)
    except errors.InvalidRequestError as error:
        return [Problem(message=error.detail, path="name")]
    return []


def _shape(namespace: model.Namespace) -> list[Problem]:
    """What is not of the format stays empty: it would be stored, and delivered to nobody."""
    if namespace.format == "properties" and namespace.document != "":
        return [Problem("a namespace in properties format holds items and no document", "document")]
    if namespace.format != "properties" and namespace.items:
        return [Problem(f"a namespace in {namespace.format} format holds a document and no items", "items")]
    return []


def _reference(namespace: model.Namespace) -> list[Problem]:
    if not namespace.inherits:
        return []
    try:
        model.Reference.parse(namespace.inherits)
    except errors.InvalidRequestError as error:
        return [Problem(message=error.detail, path="inherits")]
    if namespace.public:
        return [Problem("a public namespace cannot itself inherit: whoever inherits it would miss a part", "inherits")]
    return []


def _schema(namespace: model.Namespace, read: contents.Contents, limits: NamespaceLimits) -> list[Problem]:
    """Check the schema itself, and the data against it where both could be read and no secret is missing."""
    if namespace.format == "text":
        return [Problem("a text has no schema: choose another format, or take the schema away", "schema")]
    reading = schemas.read(namespace.schema, limits)
    if reading.schema is None:
        return list(reading.problems)
    if read.problems or read.sealed:
        return []
    return reading.schema.problems(read.data, limits, read.mark, read.secrets)
