"""Body: edits of a namespace's body as plain values, so that masks of secrets travel back untouched. Pure."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

import yaml

from qiantang.config.model import tree
from qiantang.kernel import errors, secret

Body = dict[str, Any]


def empty(form: str = "properties") -> Body:
    """Give the body of a new namespace."""
    return {"format": form}


def items(body: Body) -> dict[str, dict[str, Any]]:
    """Give the settings of a namespace in properties format.

    Raises:
        ConflictError: it is in another format.
    """
    if body.get("format") != "properties":
        raise errors.ConflictError(
            f"the namespace is one document in {body.get('format')}: write it as a whole with --file"
        )
    return dict(body.get("items", {}))


def assign(
    body: Body, values: Mapping[str, str], *, kind: str = "", comment: str | None = None, hide: bool = False
) -> Body:
    """Give the body with these values; type and comment of a setting stay unless given, and so does being a secret."""
    changed = items(body)
    for key, text in values.items():
        before = changed.get(key, {})
        hidden = hide or secret.is_secret(before.get("value"))
        item: dict[str, Any] = {**before, "value": {secret.FIELD: {"value": text}} if hidden else text}
        if kind:
            item["type"] = kind
        if comment is not None:
            item["comment"] = comment
        changed[key] = item
    return {**body, "items": changed}


def remove(body: Body, keys: list[str]) -> Body:
    """Give the body without these settings.

    Raises:
        NotFoundError: one of them is not there.
    """
    left = items(body)
    for key in keys:
        if left.pop(key, None) is None:
            raise errors.NotFoundError(f"there is no setting {key!r} in the namespace")
    return {**body, "items": left}


def with_document(body: Body, form: str, text: str, *, hide: bool = False) -> Body:
    """Give the body with this document in place of what it held."""
    kept = {key: value for key, value in body.items() if key not in {"items", "document", "format"}}
    return {**kept, "format": form, "document": {secret.FIELD: {"value": text}} if hide else text}


def value_at(body: Body, key: str) -> Any:
    """Give one value: a setting by its key, or what a dotted key means in a document.

    Raises:
        NotFoundError: nothing is there.
    """
    if body.get("format") == "properties":
        found: Any = items(body).get(key, {}).get("value", tree.MISSING)
    else:
        found = tree.get(parsed(body), key)
    if found is tree.MISSING:
        raise errors.NotFoundError(f"there is no setting {key!r} in the namespace")
    return found


def parsed(body: Body) -> Any:
    """Read the document of a body.

    Raises:
        ConflictError: it is a secret as a whole, or holds no tree.
    """
    text = body.get("document", "")
    readers = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}
    form = str(body.get("format"))
    if not isinstance(text, str) or form not in readers:
        raise errors.ConflictError(f"keys cannot be looked up in it: it is {'secret' if form in readers else form}")
    try:
        return readers[form](text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise errors.InvalidRequestError(f"the document is not {form}: {error}") from error
