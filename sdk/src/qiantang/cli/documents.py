"""Documents: resources written in YAML files, one `kind/scope/name/body` per document, read with care."""

from __future__ import annotations

import sys
from collections.abc import Generator, Hashable
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
import yaml

from qiantang.kernel import errors, wire

MAX_FILE_BYTES = 16 << 20
MAX_NODES = 500_000

_KIND = r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$"


class Document(wire.Command, frozen=True):
    """One resource. `kind` is capability.kind; `scope` is tenant/environment/center/application, or left out."""

    kind: Annotated[str, msgspec.Meta(pattern=_KIND)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    body: Any
    scope: str = ""

    @property
    def capability(self) -> str:
        """The room it belongs to."""
        return self.kind.partition(".")[0]

    @property
    def noun(self) -> str:
        """What it is called in its room."""
        return self.kind.partition(".")[2]


class Loader(yaml.SafeLoader):
    """Reads plain YAML; a key that stands twice in a mapping is an error, not a silent loss."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # as its parent
        """Refuse keys that stand twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def read(place: str) -> list[Document]:
    """Read the documents of a file, of every *.yaml and *.yml below a folder, or of stdin ("-").

    Raises:
        InvalidRequestError: a file is not YAML or not such documents; every problem has file, line and column.
        NotFoundError: there is no such file.
    """
    found: list[Document] = []
    problems: list[errors.Problem] = []
    for name, data in _sources(place):
        try:
            found += _documents(name, data)
        except errors.InvalidRequestError as error:
            problems += error.problems
    if problems:
        raise errors.InvalidRequestError("nothing was applied", problems=problems)
    return found


def _sources(place: str) -> Generator[tuple[str, bytes]]:
    if place == "-":
        yield "stdin", sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        return
    path = Path(place)
    files = sorted(one for one in path.rglob("*") if one.suffix in {".yaml", ".yml"}) if path.is_dir() else [path]
    for file in files:
        try:
            with file.open("rb") as opened:
                yield str(file), opened.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise errors.NotFoundError(f"{file} cannot be read: {error.strerror}") from error


def _documents(name: str, data: bytes) -> Generator[Document]:
    if len(data) > MAX_FILE_BYTES:
        raise _problem(name, f"larger than {MAX_FILE_BYTES} bytes")
    loader = Loader(data)
    try:
        while loader.check_node():
            node = loader.get_node()
            line = node.start_mark.line + 1 if node else 0
            value = cast("Any", loader.construct_document(node))  # pyright: ignore[reportUnknownMemberType]
            if value is not None:
                yield _document(name, line, value)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise _problem(name, error.problem or "not YAML", *place) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise _problem(name, f"not YAML: {error}") from error
    except RecursionError as error:
        raise _problem(name, "nested too deep") from error
    finally:
        loader.dispose()  # type: ignore[no-untyped-call]


def _document(name: str, line: int, value: Any) -> Document:
    _require_bounded(name, line, value)
    try:
        return wire.convert(value, Document)
    except errors.InvalidRequestError as error:
        raise _problem(name, f"not a resource with kind, name and body: {error.detail}", line, 1) from error


def _require_bounded(name: str, line: int, value: Any) -> None:
    """Count what the value unfolds to: a few aliases can stand for billions of nodes."""
    waiting, count = [value], 0
    while waiting:
        node = waiting.pop()
        count += 1
        if count > MAX_NODES:
            raise _problem(name, f"unfolds to more than {MAX_NODES} values", line, 1)
        if isinstance(node, dict):
            waiting += cast("dict[Any, Any]", node).values()
        elif isinstance(node, list):
            waiting += cast("list[Any]", node)


def _problem(name: str, message: str, line: int = 0, column: int = 0) -> errors.InvalidRequestError:
    return errors.InvalidRequestError("not readable", problems=[errors.Problem(message, name, line, column)])
