"""Schemas: JSON Schema (Draft 2020-12 and draft-07) of a namespace, run so that neither it nor the data can do harm.

A schema is written by a user and is no more trusted than the data. References lead only inside the schema
itself: nothing is ever fetched or opened. Patterns are matched in linear time (see `patterns`). Every
keyword that runs pays for what it looks at, and a check that costs too much is given up, so that neither
nested alternatives nor recursive references blow up. The messages are made from the schema alone: they
never hold a value of the data, which may be a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, cast

import jsonschema
import jsonschema_specifications
import referencing
from jsonschema import exceptions, validators
from referencing.jsonschema import DRAFT7, DRAFT202012

from qiantang.kernel.errors import Problem
from qiantang_server.config.rules import documents, formats, patterns
from qiantang_server.config.rules.limits import NamespaceLimits
from qiantang_server.config.rules.schema_syntax import examine

Path = tuple[str | int, ...]

_DIALECTS: Final = {
    "https://json-schema.org/draft/2020-12/schema": "2020-12",
    "http://json-schema.org/draft-07/schema": "draft-07",
}


class _TooCostlyError(Exception):
    """The check has used up its steps, or goes too deep."""


MAX_DEPTH: Final = 200
"""Keywords inside keywords: three for each level of the deepest document. Each takes up to four frames of the 1,000 there are."""


@dataclass(slots=True)
class _Steps:
    """What a check may still spend, and the patterns that it has paid for."""

    left: int
    depth: int = 0
    patterns: dict[str, patterns.Pattern] = field(default_factory=dict[str, patterns.Pattern])

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise _TooCostlyError

    def enter(self) -> None:
        """Go one keyword deeper. The stack must not run out: inside the library's native parts that is no exception."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _TooCostlyError

    def finds(self, pattern: str, text: str) -> bool:
        ready = self.patterns.get(pattern)
        if ready is None:
            ready = self.patterns[pattern] = patterns.compiled(pattern)
            self.spend(ready.size)
        return ready.search(text, self.spend)


_steps: ContextVar[_Steps] = ContextVar("steps")


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(1 + _size(inner) for inner in cast("dict[str, Any]", value).values())
    if isinstance(value, list):
        return 1 + sum(_size(inner) for inner in cast("list[Any]", value))
    return 1 + (len(value) // 64 if isinstance(value, str) else 0)


def _breadth(value: Any) -> int:
    if isinstance(value, str):
        return len(value) // 64
    return len(cast("list[Any]", value)) // 4 if isinstance(value, list | dict) else 0


_Keyword = Callable[[Any, Any, Any, Any], Any]
_COMPARING = {"enum", "const"}


def _paid(keyword: str, original: _Keyword) -> _Keyword:
    """Make a keyword pay: for running, for what it compares, and for each error, which writes out the value."""

    def run(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        steps = _steps.get()
        steps.spend(1 + _breadth(instance) + (_size(value) if keyword in _COMPARING else _breadth(value)))
        steps.enter()
        try:
            for error in original(validator, value, instance, schema) or ():
                if not isinstance(error.validator, str):  # new here, not handed up from below
                    steps.spend(_size(instance))
                yield error
        finally:
            steps.depth -= 1

    return run


def _pattern(_validator: Any, value: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    if isinstance(instance, str) and not _steps.get().finds(value, instance):
        yield jsonschema.ValidationError("")


def _pattern_properties(validator: Any, value: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    if not isinstance(instance, dict):
        return
    steps = _steps.get()
    for text, schema in value.items():
        for key, inner in cast("dict[str, Any]", instance).items():
            if steps.finds(text, key):
                yield from validator.descend(inner, schema, path=key, schema_path=text)


def _additional_properties(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not isinstance(instance, dict):
        return
    steps = _steps.get()
    known = schema.get("properties", {})
    matching = schema.get("patternProperties", {})
    for key, inner in cast("dict[str, Any]", instance).items():
        if key in known or any(steps.finds(text, key) for text in matching):
            continue
        if value is False:
            yield jsonschema.ValidationError("", path=[key])
        else:
            yield from validator.descend(inner, value, path=key)


def _required(_validator: Any, value: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    if isinstance(instance, dict):
        for name in value:
            if name not in instance:
                yield jsonschema.ValidationError(name)


def _unique_items(_validator: Any, value: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    """Compare by a canonical form, in linear time; the library's own way takes the square of it for mixed lists."""
    if value and isinstance(instance, list):
        items = cast("list[Any]", instance)
        _steps.get().spend(_size(items))
        if len({_canonical(item) for item in items}) < len(items):
            yield jsonschema.ValidationError("")


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return ("object", frozenset((key, _canonical(inner)) for key, inner in pairs))
    if isinstance(value, list):
        return ("array", tuple(_canonical(inner) for inner in cast("list[Any]", value)))
    return ("boolean", value) if isinstance(value, bool) else value


def _format(_validator: Any, value: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    if not formats.conforms(value, instance):
        yield jsonschema.ValidationError("")


_OWN: dict[str, _Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "required": _required,
    "uniqueItems": _unique_items,
    "format": _format,
}


def _guarded(library: Any) -> Any:
    """Give the library's validator of a dialect with every keyword guarded."""
    keywords = {
        keyword: _paid(keyword, _OWN.get(keyword) or original)
        for keyword, original in cast("dict[str, _Keyword]", library.VALIDATORS).items()
    }
    return cast("Any", validators).extend(library, keywords)


_VALIDATORS: Final[dict[str, Any]] = {
    "2020-12": _guarded(jsonschema.Draft202012Validator),
    "draft-07": _guarded(jsonschema.Draft7Validator),
}
_SPECIFICATIONS: Final[dict[str, Any]] = {"2020-12": DRAFT202012, "draft-07": DRAFT7}


def _without_dialect(contents: Any) -> Any:
    # Where a schema names its dialect, the library would go on with its own validator instead of the guarded one.
    return {key: value for key, value in contents.items() if key != "$schema"}


def _metaschemas() -> Any:
    """Give the schemas of schemas, in a registry that finds nothing else."""
    library: Any = jsonschema_specifications.REGISTRY
    registry: Any = cast("Any", referencing).Registry()
    for uri in library:
        if uri.startswith("https://json-schema.org/draft/2020-12/"):
            contents = _without_dialect(library.contents(uri))
            registry = registry.with_resource(uri, DRAFT202012.create_resource(contents))
    return registry.crawl()


_REGISTRY: Final = _metaschemas()


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema that was found to be one, ready to check data."""

    dialect: str
    contents: Any

    def problems(
        self, data: Any, limits: NamespaceLimits, mark: documents.Mark | None, secrets: frozenset[Path]
    ) -> list[Problem]:
        """List where data does not fit, each with its place; at and below `secrets` nothing of the data is told."""
        validator = _VALIDATORS[self.dialect](self.contents, registry=_REGISTRY)
        found, given_up = _run(validator, data, limits)
        return [*dict.fromkeys(_told(error, mark, secrets) for error in found), *given_up]


_TOO_COSTLY: Final = Problem(
    message="checking against this schema takes too many steps: make the schema simpler, or what it checks smaller",
    path="schema",
)


def _run(validator: Any, data: Any, limits: NamespaceLimits) -> tuple[list[Any], list[Problem]]:
    """Give the errors found, and why the check was given up where it was."""
    found: list[Any] = []
    token = _steps.set(_Steps(limits.schema_steps))
    try:
        for error in validator.iter_errors(data):
            found.append(cast("Any", exceptions).best_match(iter([error])))
            if len(found) >= limits.problems:
                break
    except (_TooCostlyError, RecursionError):
        return found, [_TOO_COSTLY]
    except patterns.PatternError as error:
        return found, [Problem(message=f"a pattern of this schema cannot be used: {error.detail}", path="schema")]
    finally:
        _steps.reset(token)
    return found, []


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a schema gave: the schema, or what is wrong with it."""

    schema: Schema | None
    problems: tuple[Problem, ...] = field(default=())


@lru_cache(maxsize=32)
def read(text: str, limits: NamespaceLimits) -> Reading:
    """Read a schema and check that it is one. The places in its problems are those in its own text."""
    if len(text) > limits.schema_bytes or len(text.encode(errors="replace")) > limits.schema_bytes:
        return Reading(None, (Problem(f"the schema is larger than {limits.schema_bytes} bytes", "schema"),))
    try:
        document = documents.parse("json", text, limits)
    except (documents.DocumentError, documents.DocumentTooLargeError) as error:
        return Reading(None, tuple(_in_schema(problem.message, problem) for problem in error.problems))
    contents, mark = document.data, document.mark
    dialect = _dialect(contents)
    if not dialect:
        known = " and ".join(_DIALECTS)
        return Reading(None, (_at(mark, ("$schema",), f"this dialect is not known; {known} are"),))
    if isinstance(contents, dict):
        contents = _without_dialect(contents)
    wrong = [_at(mark, path, message) for path, message in examine(contents)]
    wrong = wrong or _against_metaschema(dialect, contents, mark, limits)
    return Reading(None, tuple(wrong)) if wrong else Reading(Schema(dialect, contents))


def _dialect(contents: Any) -> str:
    """Name the dialect, empty where it is not known; without a name it is the newest."""
    if not isinstance(contents, dict) or "$schema" not in contents:
        return "2020-12"
    return _DIALECTS.get(str(cast("dict[str, Any]", contents)["$schema"]).removesuffix("#"), "")


def _against_metaschema(
    dialect: str, contents: Any, mark: documents.Mark | None, limits: NamespaceLimits
) -> list[Problem]:
    kind = _VALIDATORS[dialect]
    found, given_up = _run(kind(_without_dialect(kind.META_SCHEMA), registry=_REGISTRY), contents, limits)
    wrong = [_at(mark, tuple(error.absolute_path), _message(error)) for error in found]
    return [*dict.fromkeys(wrong), *given_up]


def _at(mark: documents.Mark | None, path: Path, message: str) -> Problem:
    place = documents.locate(mark, path)
    where = "/".join(map(str, path))
    text = f"in the schema at {where!r}: {message}" if where else f"in the schema: {message}"
    return Problem(message=text, path="schema", line=place.line, column=place.column)


def _in_schema(message: str, problem: Problem) -> Problem:
    return Problem(f"in the schema: {message}", "schema", problem.line, problem.column)


def _told(error: Any, mark: documents.Mark | None, secrets: frozenset[Path]) -> Problem:
    path: Path = tuple(error.absolute_path)
    secret = next((path[:end] for end in range(len(path) + 1) if path[:end] in secrets), None)
    if secret is not None:
        path, message = secret, f"the secret does not fit {str(error.validator or 'the schema')!r} of the schema"
    else:
        message = _message(error)
    place = documents.locate(mark, path)
    return Problem(message, ".".join(map(str, path)), place.line, place.column)


_SAYINGS: Final[dict[str, str]] = {
    "type": "must be of type {value}",
    "enum": "must be one of {value}",
    "const": "must be {value}",
    "required": "{text} is missing",
    "additionalProperties": "this key is not one that the schema allows",
    "unevaluatedProperties": "has keys that the schema does not allow",
    "unevaluatedItems": "has more entries than the schema allows",
    "minimum": "must be at least {value}",
    "maximum": "must be at most {value}",
    "exclusiveMinimum": "must be more than {value}",
    "exclusiveMaximum": "must be less than {value}",
    "multipleOf": "must be a multiple of {value}",
    "minLength": "must have at least {value} characters",
    "maxLength": "must have at most {value} characters",
    "pattern": "must match the pattern {value}",
    "format": "must be written as {value}",
    "minItems": "must have at least {value} entries",
    "maxItems": "must have at most {value} entries",
    "uniqueItems": "must not have the same entry twice",
    "minProperties": "must have at least {value} keys",
    "maxProperties": "must have at most {value} keys",
    "anyOf": "fits none of the alternatives",
    "oneOf": "must fit exactly one of the alternatives",
    "not": "must not fit the schema under 'not'",
    "contains": "must have an entry that fits the schema under 'contains'",
}


def _message(error: Any) -> str:
    """Say what is asked, in words of the schema alone."""
    keyword = error.validator
    if keyword is None:
        return "must not be here"
    saying = _SAYINGS.get(keyword, "does not fit {keyword!r} of the schema")
    if keyword == "anyOf" and error.context:
        each = dict.fromkeys(_message(inner) for inner in error.context if not inner.path)
        return "; or ".join(list(each)[:3]) or saying
    said = saying.format(value=_shown(error.validator_value), text=repr(error.message[:200]), keyword=keyword)
    return f"a key {said}" if "propertyNames" in error.absolute_schema_path else said


def _shown(value: Any) -> str:
    """Write what a keyword asks: a list by its entries, text without quotes, and never at length."""
    if isinstance(value, list):
        text = ", ".join(_shown(entry) for entry in cast("list[Any]", value)[:20])
    else:
        text = value if isinstance(value, str) and value else documents.compact(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
