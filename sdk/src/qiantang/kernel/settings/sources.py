"""Sources: lay the sources over each other, check every value, and name everything that is wrong at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, cast

import msgspec

from qiantang.kernel import errors
from qiantang.kernel.settings import tomltext, values
from qiantang.kernel.settings.section import FILE_SUFFIX, PREFIX, Field, fields

S = TypeVar("S", bound=msgspec.Struct)

IGNORED = ("cli", "test")
"""Sections that others read from the same file and environment: the command line's and the tests'."""

MAX_FILE_BYTES = 1 << 20
MAX_SECRET_BYTES = 1 << 16


class Source(msgspec.Struct, frozen=True):
    """Where a value came from."""

    kind: Literal["default", "file", "environment", "flag"] = "default"
    place: str = ""

    def __str__(self) -> str:
        """Read as "environment QIANTANG_STORAGE_URL"."""
        return f"{self.kind} {self.place}".rstrip()


DEFAULT = Source()


class Flag(NamedTuple):
    """A flag's value (None: not given) with the option as the user typed it."""

    value: Any
    option: str


class Loaded:
    """Checked settings of every section, each value with its source. Its repr shows no value."""

    def __init__(
        self, sections: Mapping[str, msgspec.Struct], found: list[Field], sources: Mapping[str, Source]
    ) -> None:
        self.sections = sections
        self.fields = found
        self.sources = sources

    def section(self, name: str, model: type[S]) -> S:
        """Give a section, as the model it was registered with."""
        struct = self.sections[name]
        if not isinstance(struct, model):
            raise TypeError(f"the section {name} is a {type(struct).__name__}, not a {model.__name__}")
        return struct

    def __repr__(self) -> str:
        return f"Loaded({', '.join(self.sections)})"


class _Given(NamedTuple):
    """What one source says of one setting; `secret_file`: the value is the path of a file that holds the secret."""

    field: Field
    raw: Any
    source: Source
    secret_file: bool = False


def load(
    sections: Mapping[str, type[msgspec.Struct]],
    *,
    file: Path | None = None,
    environment: Mapping[str, str],
    flags: Mapping[str, Any] | None = None,
    ignore_sections: Collection[str] = IGNORED,
) -> Loaded:
    """Read the settings of `sections`; reads the file and the secret files it is pointed at, and nothing else.

    `flags` maps "section.key" to a value or a `Flag`. A secret is also taken from a file: `<key>_file` in the TOML
    file and in flags, `QIANTANG_<SECTION>_<KEY>_FILE` in the environment. Sections in `ignore_sections` belong to
    others and are passed over.

    Raises:
        MisconfiguredError: unknown names (with the nearest known one), values that do not keep their rule, missing
            values, an unreadable file: every problem found, not just the first.
        TypeError: a section is badly declared.
    """
    found = fields(sections)
    problems: list[errors.Problem] = []
    given: dict[str, _Given] = {}
    for source in (
        _from_file(file, found, sections, ignore_sections, problems) if file else iter(()),
        _from_environment(environment, found, ignore_sections, problems),
        _from_flags(flags or {}, found, problems),
    ):
        given.update(_once(source, problems))
    read: dict[str, dict[str, Any]] = {name: {} for name in sections}
    for field in found:
        _take(field, given.get(field.name), read[field.section], problems)
    structs = {} if problems else _build(sections, read, problems)
    if problems:
        count = "a setting is wrong" if len(problems) == 1 else f"{len(problems)} settings are wrong"
        raise errors.MisconfiguredError(count, problems=problems)
    return Loaded(structs, found, {name: item.source for name, item in given.items()})


def _once(source: Iterator[_Given], problems: list[errors.Problem]) -> dict[str, _Given]:
    taken: dict[str, _Given] = {}
    for item in source:
        if item.field.name in taken:
            other = taken[item.field.name].source
            problems.append(errors.Problem(f"set twice, by {other} and by {item.source}: keep one", item.field.name))
        taken[item.field.name] = item
    return taken


def _take(field: Field, item: _Given | None, into: dict[str, Any], problems: list[errors.Problem]) -> None:
    if item is None:
        if field.required:
            problems.append(errors.Problem(f"must be set: {field.meaning} (environment {field.variable})", field.name))
        return
    try:
        raw = _read_secret(item) if item.secret_file else item.raw
    except (OSError, ValueError) as error:
        problems.append(errors.Problem(f"its file cannot be read ({item.source}): {error}", field.name))
        return
    try:
        into[field.key] = field.read(raw)
    except (ValueError, TypeError, msgspec.MsgspecError):
        what = "the value" if field.secret else repr(values.show(raw))[:200]
        problems.append(errors.Problem(f"{what} from {item.source}: must be {field.rule}", field.name))


def _read_secret(item: _Given) -> str:
    path = Path(str(item.raw)).expanduser()
    with path.open("rb") as file:
        data = file.read(MAX_SECRET_BYTES + 1)
    if len(data) > MAX_SECRET_BYTES:
        raise ValueError(f"{path} is larger than {MAX_SECRET_BYTES} bytes")
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None  # the cause holds the secret's bytes


def _build(
    sections: Mapping[str, type[msgspec.Struct]],
    read: Mapping[str, Mapping[str, Any]],
    problems: list[errors.Problem],
) -> dict[str, msgspec.Struct]:
    built: dict[str, msgspec.Struct] = {}
    for name, model in sections.items():
        try:
            built[name] = model(**read[name])
        except (ValueError, TypeError) as error:  # a rule over several fields, in the struct's __post_init__
            problems.append(errors.Problem(str(error), name))
    return built


def _from_file(
    file: Path,
    found: list[Field],
    sections: Collection[str],
    ignored: Collection[str],
    problems: list[errors.Problem],
) -> Iterator[_Given]:
    text, document = _document(file)
    known = _by_key(found)
    lines = tomltext.key_lines(text)
    for section, table in document.items():
        place = _place((section,), lines)
        if section in ignored and section not in sections:
            continue
        if section not in sections:
            hint = _nearest(section, sections)
            problems.append(errors.Problem(f"not a section of {file}{hint}", section, *place))
        elif not isinstance(table, dict):
            problems.append(errors.Problem(f"a section: write [{section}] in {file}", section, *place))
        else:
            for key, raw in cast("dict[str, Any]", table).items():
                name, place = f"{section}.{key}", _place((section, key), lines)
                if name in known:
                    field, secret_file = known[name]
                    where = f"{file}:{place[0]}" if place[0] else str(file)
                    yield _Given(field, raw, Source("file", where), secret_file)
                else:
                    problems.append(errors.Problem(f"not a setting ({file}){_nearest(name, known)}", name, *place))


def _place(key: tuple[str, ...], lines: Mapping[tuple[str, ...], int]) -> tuple[int, int]:
    line = lines.get(key, 0)
    return (line, 1) if line else (0, 0)


def _document(file: Path) -> tuple[str, dict[str, Any]]:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise errors.MisconfiguredError(f"the settings file {file} cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise errors.MisconfiguredError(f"the settings file {file} is larger than {MAX_FILE_BYTES} bytes")
    import tomllib  # noqa: PLC0415  # only who has a settings file pays for it

    try:
        text = data.decode("utf-8-sig")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise errors.MisconfiguredError(f"the settings file {file} is not UTF-8 text") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        message = str(error) or "nested too deep"
        place = re.search(r"\(at line (\d+), column (\d+)\)$", message)
        line, column = (int(place[1]), int(place[2])) if place else (0, 0)
        wrong = errors.Problem(message[: place.start()].strip() if place else message, "", line, column)
        raise errors.MisconfiguredError(f"the settings file {file} is not TOML", problems=[wrong]) from None


def _from_environment(
    environment: Mapping[str, str],
    found: list[Field],
    ignored: Collection[str],
    problems: list[errors.Problem],
) -> Iterator[_Given]:
    known = {field.variable: (field, False) for field in found}
    known |= {f"{field.variable}_FILE": (field, True) for field in found if field.secret}
    others = tuple(f"{PREFIX}{section}_".upper() for section in ignored)
    for variable, raw in environment.items():
        if variable in known:
            field, secret_file = known[variable]
            yield _Given(field, raw, Source("environment", variable), secret_file)
        elif variable.startswith(PREFIX) and not f"{variable}_".startswith(others):
            problems.append(errors.Problem(f"not a setting{_nearest(variable, known)}", variable))


def _from_flags(flags: Mapping[str, Any], found: list[Field], problems: list[errors.Problem]) -> Iterator[_Given]:
    known = _by_key(found)
    for name, value in flags.items():
        flag = value if isinstance(value, Flag) else Flag(value, name)
        if name not in known:
            problems.append(errors.Problem(f"not a setting (flag {flag.option}){_nearest(name, known)}", name))
        elif flag.value is not None:
            field, secret_file = known[name]
            yield _Given(field, flag.value, Source("flag", flag.option), secret_file)


def _by_key(found: list[Field]) -> dict[str, tuple[Field, bool]]:
    known = {f"{field.name}{FILE_SUFFIX}": (field, True) for field in found if field.secret}
    return known | {field.name: (field, False) for field in found}


def _nearest(name: str, known: Collection[str]) -> str:
    import difflib  # noqa: PLC0415  # only who misspelt a key pays for it

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
