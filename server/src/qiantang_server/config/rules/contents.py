"""Contents: what the body of a namespace holds once it is read. The one reading that checks, delivery and search share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, cast

from qiantang.config import model
from qiantang.config.model import tree
from qiantang.kernel import errors, secret
from qiantang.kernel.errors import Problem
from qiantang_server.config.rules import documents
from qiantang_server.config.rules.limits import DEPTH, KEY_LENGTH, NamespaceLimits

Path = tuple[str | int, ...]

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?\Z")
_BOOLEANS: Final = {"true": True, "false": False}
WHOLE: Final[Path] = ()


class SealedError(errors.ConflictError):
    """A secret is asked for whose value is not open here."""

    code = "config.secret_sealed"


@dataclass(frozen=True, slots=True, repr=False)
class Contents:
    """A body as a tree of settings (or a text), with what is wrong with it.

    `secrets` are the paths of secrets in `data`, whose values never come into `problems`. `sealed` are
    those whose value is not known here, and which `data` therefore lacks.
    """

    data: Any
    mark: documents.Mark | None
    secrets: frozenset[Path]
    sealed: tuple[str, ...]
    problems: tuple[Problem, ...]

    def __repr__(self) -> str:
        """Never show the data: secrets are in it."""
        return f"Contents(secrets={len(self.secrets)}, problems={len(self.problems)})"


def opened(value: str | secret.Secret) -> str | None:
    """Give the text of a value, opened if it is a secret; None where it is not open."""
    return value if isinstance(value, str) else value.secret.value


def read(body: model.Namespace, limits: NamespaceLimits) -> Contents:
    """Read a body. Sizes are looked at before anything is parsed; an over-large body is not read at all."""
    too_large = sizes(body, limits)
    if too_large:
        return Contents(None, None, frozenset(), (), tuple(too_large[: limits.problems]))
    return _items(body, limits) if body.format == "properties" else _document(body, limits)


def sizes(body: model.Namespace, limits: NamespaceLimits) -> list[Problem]:
    """List which limits of size the body is over."""
    if len(body.items) > limits.keys:
        message = f"has {len(body.items)} keys and a namespace may have {limits.keys}: split it into several"
        return [Problem(message=message, path="items")]
    found: list[Problem] = []
    whole = _size(opened(body.document) or "", limits.namespace_bytes)
    for key, item in body.items.items():
        size = _size(opened(item.value) or "", limits.item_bytes)
        whole += size + _size(key, limits.namespace_bytes) + _size(item.comment, limits.namespace_bytes)
        if size > limits.item_bytes:
            message = f"the value has {size} bytes and one may have {limits.item_bytes}"
            found.append(Problem(message=message, path=_shown(key)))
    if whole > limits.namespace_bytes:
        message = f"has {whole} bytes and a namespace may have {limits.namespace_bytes}: split it into several"
        found.insert(0, Problem(message=message, path="items" if body.items else "document"))
    return found


def _size(text: str, limit: int) -> int:
    """Count the bytes of a text; where its characters alone are over the limit, those will do."""
    return len(text) if len(text) > limit or text.isascii() else len(text.encode(errors="surrogatepass"))


def _shown(key: str) -> str:
    """Give a key fit for a message."""
    text = key if key.isprintable() else ascii(key)
    return text if len(text) <= 80 else f"{text[:80]}…"


def key_problem(key: str) -> str:
    """Say what is wrong with a key, or nothing."""
    if len(key) > KEY_LENGTH:
        return f"this key has {len(key)} characters and one may have {KEY_LENGTH}"
    if not key.isprintable():
        return "this key holds a character that cannot be printed"
    if key != key.strip() or not key:
        return "a key is not empty and neither begins nor ends with a space"
    parts = key.split(".")
    if "" in parts:
        return "the parts of a key between its dots must not be empty"
    if len(parts) > DEPTH:
        return f"this key has more than {DEPTH} parts"
    return ""


def _items(body: model.Namespace, limits: NamespaceLimits) -> Contents:
    values: dict[str, Any] = {}
    secrets: set[Path] = set()
    sealed: list[str] = []
    problems: list[Problem] = []
    for key, item in body.items.items():
        is_secret = isinstance(item.value, secret.Secret)
        text = opened(item.value)
        wrong = key_problem(key)
        if wrong:
            problems.append(Problem(message=wrong, path=_shown(key)))
        elif text is None:
            sealed.append(key)
        else:
            if is_secret:
                secrets.add(tuple(key.split(".")))
            value, found = _value(key, text, item.type, limits)
            values[key] = value
            problems += [_masked(problem, item.type, key) for problem in found] if is_secret else found
    conflicts = tree.conflicts(body.items)
    if conflicts:
        problems += conflicts
        return Contents(None, None, frozenset(secrets), tuple(sealed), tuple(problems[: limits.problems]))
    return Contents(tree.nest(values), None, frozenset(secrets), tuple(sealed), tuple(problems[: limits.problems]))


def _masked(problem: Problem, kind: str, path: str) -> Problem:
    return Problem(f"the secret cannot be read as {kind}", path, problem.line, problem.column)


def _value(key: str, text: str, kind: model.ItemType, limits: NamespaceLimits) -> tuple[Any, list[Problem]]:
    """Read the text of an item by its type."""
    if kind == "string":
        return text, _text_problems(key, text)
    if kind == "boolean":
        wrong = [] if text in _BOOLEANS else [Problem("must be true or false", key)]
        return _BOOLEANS.get(text), wrong
    if kind == "number" and not _NUMBER.match(text):
        return None, [Problem("must be a number as JSON writes it, such as 8080 or -0.5", key)]
    try:
        return documents.parse("json", text, limits).data, []
    except documents.DocumentError as error:
        return None, [Problem(each.message, key, each.line, each.column) for each in error.problems]


def _text_problems(key: str, text: str) -> list[Problem]:
    try:
        text.encode()
    except UnicodeEncodeError:
        return [Problem("half of a surrogate pair, which is no character", key)]
    return []


def _document(body: model.Namespace, limits: NamespaceLimits) -> Contents:
    is_secret = isinstance(body.document, secret.Secret)
    secrets = frozenset({WHOLE}) if is_secret else frozenset[Path]()
    text = opened(body.document)
    if text is None:
        return Contents(None, None, secrets, ("",), ())
    try:
        document = documents.parse(body.format, text, limits)
    except documents.DocumentError as error:
        found = error.problems
        problems = [_masked(each, body.format, "document") for each in found] if is_secret else found
        return Contents(None, None, secrets, (), tuple(problems))
    problems = [] if is_secret else _keys(document, limits)
    return Contents(document.data, document.mark, secrets, (), tuple(problems[: limits.problems]))


def _keys(document: documents.Document, limits: NamespaceLimits) -> list[Problem]:
    """Check the keys of a document: how many settings, how long each key, nothing that cannot be printed."""
    if document.format == "text":
        return []
    count = sum(1 for _ in tree.leaves(document.data))
    if count > limits.keys:
        message = f"has {count} settings and a namespace may have {limits.keys}: split it into several"
        return [Problem(message, "document")]
    return list(_wrong_keys(document.data, document.mark, ()))


def _wrong_keys(node: Any, mark: documents.Mark | None, path: Path) -> list[Problem]:
    found: list[Problem] = []
    if isinstance(node, list):
        for index, inner in enumerate(cast("list[Any]", node)):
            found += _wrong_keys(inner, mark, (*path, index))
    elif isinstance(node, dict):
        for key, inner in cast("dict[str, Any]", node).items():
            here = (*path, key)
            if len(key) > KEY_LENGTH or not key.isprintable():
                place = documents.locate(mark, here)
                message = f"a key has at most {KEY_LENGTH} characters, all of which can be printed"
                found.append(Problem(message, ".".join(_shown(str(step)) for step in here), *place))
            found += _wrong_keys(inner, mark, here)
    return found
