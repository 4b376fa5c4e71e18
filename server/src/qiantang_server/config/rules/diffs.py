"""Diffs: what changed between two bodies of a namespace, by key and, for documents, by line. Secrets show as masks alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from qiantang.config import model
from qiantang.config.model import tree
from qiantang.kernel import resource, secret, wire
from qiantang_server.config.rules import contents, edits
from qiantang_server.config.rules.limits import DEFAULT, NamespaceLimits

MAX_LINES: Final = 20_000
_FIELDS: Final = ("format", "public", "inherits", "description")

Aspect = Literal["value", "type", "comment", "setting", "schema", "document"]


class KeyChange(wire.Wire, frozen=True, omit_defaults=True):
    """One change: of a key's value, type or comment, of a setting of the namespace itself, of its schema or document.

    `secret` says that `before` and `after` are masks. A secret document, and one that cannot be read,
    changes as a whole.
    """

    key: str
    aspect: Aspect
    action: Literal["added", "removed", "changed"]
    before: Any = None
    after: Any = None
    secret: bool = False


class NamespaceDifference(wire.Wire, frozen=True, omit_defaults=True):
    """What separates two bodies: changes by key, and for documents the unified diff of their text."""

    changes: list[KeyChange]
    text: str = ""


def compare(before: Any, after: Any, limits: NamespaceLimits = DEFAULT) -> NamespaceDifference:
    """Compare two bodies, either of which may be None where there is none.

    Secrets may come in any form; two that are equal in all that is given of them are equal.
    """
    old, new = (None if side is None else wire.convert(side, model.Namespace) for side in (before, after))
    changes = [*_settings(old, new), *_items(old, new), *_documents(old, new, limits)]
    return NamespaceDifference(changes=changes, text=_text(old, new))


_SUFFIXES: Final[dict[Aspect, str]] = {"type": "#type", "comment": "#comment"}


def differences(before: Any, after: Any) -> list[resource.Change]:
    """Give the changes in the form that every kind of resource has: `key`, `key#comment`, `#public`."""
    return [
        resource.Change(path=_path(change), before=change.before, after=change.after)
        for change in compare(before, after).changes
    ]


def _path(change: KeyChange) -> str:
    if change.aspect == "setting":
        return f"#{change.key}"
    if change.aspect in {"schema", "document"}:
        return f"#{change.aspect}"
    return change.key + _SUFFIXES.get(change.aspect, "")


def _change(key: str, aspect: Aspect, before: Any, after: Any, *, hidden: bool = False) -> KeyChange:
    action = "added" if before is None else "removed" if after is None else "changed"
    return KeyChange(key=key, aspect=aspect, action=action, before=before, after=after, secret=hidden)


def _settings(old: model.Namespace | None, new: model.Namespace | None) -> Iterator[KeyChange]:
    for name in _FIELDS:
        before, after = (None if side is None else getattr(side, name) or None for side in (old, new))
        if before != after:
            yield _change(name, "setting", before, after)
    before, after = (None if side is None else side.schema or None for side in (old, new))
    if before != after:
        yield _change("", "schema", before, after)


def _items(old: model.Namespace | None, new: model.Namespace | None) -> Iterator[KeyChange]:
    before = old.items if old else {}
    after = new.items if new else {}
    for key in sorted({*before, *after}):
        yield from _item(key, before.get(key), after.get(key))


def _item(key: str, old: model.Item | None, new: model.Item | None) -> Iterator[KeyChange]:
    before, after = (side.value if side else None for side in (old, new))
    if before != after:
        hidden = any(isinstance(side, secret.Secret) for side in (before, after))
        yield _change(key, "value", _shown(before), _shown(after), hidden=hidden)
    if old and new and old.type != new.type:
        yield _change(key, "type", old.type, new.type)
    notes = (side.comment or None if side else None for side in (old, new))
    note_before, note_after = notes
    if note_before != note_after:
        yield _change(key, "comment", note_before, note_after)


def _shown(value: str | secret.Secret | None) -> Any:
    """Give a value as it may be read: of a secret the mask alone."""
    return {secret.FIELD: {"mask": value.secret.mask}} if isinstance(value, secret.Secret) else value


def _document_of(side: model.Namespace | None) -> str | secret.Secret | None:
    return None if side is None or side.format == "properties" else side.document


def _documents(
    old: model.Namespace | None, new: model.Namespace | None, limits: NamespaceLimits
) -> Iterator[KeyChange]:
    before, after = _document_of(old), _document_of(new)
    if before == after:
        return
    trees = [_tree(side, limits) for side in (old, new)]
    hidden = any(isinstance(side, secret.Secret) for side in (before, after))
    if hidden or None in trees:
        yield _change("", "document", _shown(before), _shown(after), hidden=hidden)
        return
    changed = tree.changed(*trees)
    if not changed:  # a document that differs in its writing alone: comments, order, quotes
        yield _change("", "document", before, after)
    for key, change in sorted(changed.items()):
        was, is_now = (None if side is tree.MISSING else side for side in change)
        action = "added" if change.before is tree.MISSING else "removed" if change.after is tree.MISSING else "changed"
        yield KeyChange(key=key, aspect="value", action=action, before=was, after=is_now)


def _tree(side: model.Namespace | None, limits: NamespaceLimits) -> Any:
    """Give the tree of a document, an empty one where there is none, and None where it has none or cannot be read."""
    if side is None or side.format == "properties":
        return {}
    if side.format == "text" or not isinstance(side.document, str):
        return None
    read = contents.read(side, limits)
    return None if read.problems else read.data


def _text(old: model.Namespace | None, new: model.Namespace | None) -> str:
    sides = [_document_of(side) for side in (old, new)]
    if sides[0] == sides[1] or any(isinstance(side, secret.Secret) for side in sides):
        return ""
    before, after = (str(side or "").split("\n") if side else [] for side in sides)
    if max(len(before), len(after)) > MAX_LINES:
        return f"(more than {MAX_LINES} lines: see the changes by key)"
    return edits.unified(before, after)
