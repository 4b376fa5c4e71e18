"""Proto: definitions as `.proto` text (proto3), for programs in other languages that have a generator for it.

Fields are numbered in the order of their declaration, so that further ones at the end keep the numbers. A type that `.proto` has no
form for is refused by its name, never bent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from qiantang.catalog.model.compatibility.shapes import Schema, Shape, alternatives, mapping, values
from qiantang.kernel import errors
from qiantang.rpc.model.definition import MethodDocument, ServiceDocument

_SCALARS: Final = {
    "integer": "int64",
    "number": "double",
    "boolean": "bool",
    "string": "string",
    "string:base64": "bytes",
}
_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
DEEPEST: Final = 40


class NoProtoFormError(errors.InvalidRequestError):
    """A type of a service that `.proto` cannot say; the detail names it and where it stands."""

    code = "catalog.no_proto_form"


def proto_of(service: ServiceDocument) -> str:
    """Write a service as a `.proto` file.

    Raises:
        NoProtoFormError: a type of it has no form there.
    """
    return _Writing(service).text()


class _Writing:
    def __init__(self, service: ServiceDocument) -> None:
        self._service = service
        self._package, _, self._name = service.name.rpartition(".")
        self._messages: dict[str, list[str]] = {}

    def text(self) -> str:
        for part in (*filter(None, self._package.split(".")), self._name):
            _identifier(part, f"the service {self._service.name}")
        calls = [self._call(one) for one in self._service.methods]
        head = ['syntax = "proto3";', *([f"package {self._package};"] if self._package else [])]
        service = [f"service {self._name} {{", *calls, "}"]
        note = f"// {self._service.name} {self._service.version}, digest {self._service.digest}"
        return "\n\n".join(["\n".join(one) for one in ([note, *head], service, *self._messages.values())]) + "\n"

    def _call(self, method: MethodDocument) -> str:
        _identifier(method.name, f"the method {method.name}")
        stem = "".join(part[:1].upper() + part[1:] for part in method.name.split("_"))
        taken, given = f"{stem}Request", f"{stem}Response"
        for name in (taken, given):
            if name in self._service.schemas:
                raise NoProtoFormError(f"{name} is a type of {self._service.name}, and what {method.name} would need")
        takes, gives = method.streams in ("argument", "both"), method.streams in ("result", "both")
        self._message(taken, self._taken(method) if takes else method.arguments, f"{method.name}.arguments")
        result = alternatives(method.result, self._service.schemas)
        is_nothing = [one.sort for one in result] == ["null"]
        properties = {} if is_nothing else {"result": method.result}
        self._message(given, {"properties": properties, "required": ["result"]}, f"{method.name}.result")
        return f"  rpc {method.name}({'stream ' * takes}{taken}) returns ({'stream ' * gives}{given});"

    def _taken(self, method: MethodDocument) -> Schema:
        """Give what each message of a caller's stream holds: one item."""
        if method.arguments.get("properties"):
            raise NoProtoFormError(f"{method.name} takes arguments beside its stream: .proto has no form for that")
        return {"properties": {"item": method.item}, "required": ["item"]}

    def _message(self, name: str, schema: Schema, place: str, depth: int = 0) -> None:
        if name in self._messages:
            return
        if depth > DEEPEST:
            raise NoProtoFormError(f"{place} is nested too deep")
        lines = self._messages[name] = [f"message {_identifier(name, place)} {{"]
        for number, (field, inner) in enumerate(mapping(schema.get("properties")).items(), 1):
            form = self._form(inner, f"{place}.{field}", depth + 1)
            lines.append(f"  {form} {_identifier(field, f'{place}.{field}')} = {number};")
        lines.append("}")

    def _form(self, schema: Any, place: str, depth: int) -> str:
        """Give how a field is declared."""
        shapes = alternatives(schema, self._service.schemas)
        others = [one for one in shapes if one.sort != "null"]
        if len(others) != 1:
            raise NoProtoFormError(f"{place} is a choice of {_listed(shapes)}: .proto has no form for that")
        one = others[0]
        is_optional = len(shapes) > 1
        if one.sort in {"items", "mapping"}:
            if is_optional:
                raise NoProtoFormError(f"{place} is {one} or null: .proto does not tell an empty one from none")
            return self._several(one, place, depth)
        return f"{'optional ' if is_optional else ''}{self._single(one, place, depth)}"

    def _several(self, one: Shape, place: str, depth: int) -> str:
        key = "items" if one.sort == "items" else "additionalProperties"
        inner = alternatives(one.schema.get(key, {}), self._service.schemas)
        if len(inner) != 1 or inner[0].sort in {"items", "mapping"}:
            raise NoProtoFormError(f"{place} holds {_listed(inner)}: .proto has no form for {one} of that")
        form = self._single(inner[0], place, depth)
        return f"repeated {form}" if one.sort == "items" else f"map<string, {form}>"

    def _single(self, one: Shape, place: str, depth: int) -> str:
        if one.sort in _SCALARS:
            return _SCALARS[one.sort]
        if one.sort.startswith("string:"):
            return "string"
        if one.sort == "fields" and one.name:
            self._message(one.name, one.schema, one.name, depth)
            return one.name
        if one.sort == "enum" and all(text.startswith('"') for text in values(one.schema)):
            return self._enum(one, place)
        raise NoProtoFormError(f"{place} is {one}: .proto has no form for that")

    def _enum(self, one: Shape, place: str) -> str:
        name = one.name or _camel(place)
        if not one.name and name in self._service.schemas:
            raise NoProtoFormError(f"{name} is a type of {self._service.name}, and what {place} would need")
        if name not in self._messages:
            prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()
            said = [str(value) for value in one.schema.get("enum", [one.schema.get("const")])]
            words = [f"{prefix}_{_identifier(value, f'the value {value!r} of {place}').upper()}" for value in said]
            if len(set(words)) != len(words):
                raise NoProtoFormError(f"values of {place} differ in the case of their letters only")
            lines = [f"  {word} = {number};" for number, word in enumerate([f"{prefix}_UNSPECIFIED", *words])]
            self._messages[name] = [f"enum {_identifier(name, place)} {{", *lines, "}"]
        return name


def _identifier(text: str, place: str) -> str:
    if not _IDENTIFIER.fullmatch(text):
        raise NoProtoFormError(f"{place}: {text[:80]!r} is no name in .proto")
    return text


def _camel(place: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", place))


def _listed(shapes: Sequence[Shape]) -> str:
    return " or ".join(str(one) for one in shapes) or "nothing"


def protos_of(services: Sequence[ServiceDocument]) -> Mapping[str, str]:
    """Write several services, each a file of its own, by the names of the files.

    Raises:
        NoProtoFormError: a type of one has no form there.
    """
    return {f"{one.name}.proto": proto_of(one) for one in services}
