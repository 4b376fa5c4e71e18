"""Definition: a service as its Python type says it: methods, what they take and give, and what may be done with a call of them.

    @service("order.OrderService", version="1.4.0")
    class OrderService(Protocol):
        @method(timeout=0.8, idempotent=True)
        async def get(self, request: GetOrder) -> Order: ...

A method whose result is an `AsyncIterator[T]` streams its results, one item after the other; one whose last parameter is an
`AsyncIterator[T]` takes what the caller streams. Everything is read once, when the class is defined or first used; what cannot be
carried is refused there, by its name.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar, get_type_hints

import msgspec

from qiantang.kernel import errors, wire
from qiantang.registry.model import SERVICE, ServiceName
from qiantang.rpc.model.streams import GIVES, TAKES, WORDS, Word, require_carried, result_of, stream_of

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])
Priority = Literal["batch", "normal", "high", "critical"]
PRIORITIES: Final[tuple[Priority, ...]] = ("batch", "normal", "high", "critical")
DEFAULT_TIMEOUT: Final = 3.0
LONGEST_TIMEOUT: Final = 3600.0
_SERVICE: Final = "__qiantang_service__"
_METHOD: Final = "__qiantang_method__"
_NAME: Final = re.compile(SERVICE)
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}")


class MethodOptions(wire.Wire, frozen=True):
    """What may be done with a call of a method. `timeout` in seconds; of an `idempotent` method a call may be made again though
    it may have been processed; `hash_key` is the path of an argument whose value decides which node is asked.
    """

    timeout: Annotated[float, msgspec.Meta(gt=0, le=LONGEST_TIMEOUT)] = DEFAULT_TIMEOUT
    idempotent: bool = False
    hash_key: Annotated[str, msgspec.Meta(max_length=200)] = ""
    priority: Priority = "normal"


@dataclass(frozen=True, slots=True, eq=False)
class MethodDefinition:
    """A method. `arguments` is a struct with a field for each parameter that is no stream; `path` is how it is called:
    `service/method`. `streams` is made of `GIVES` and `TAKES`.

    Of a method that gives a stream, `result` and `read_result` are of one item. `item` is that of the stream which it takes, as the
    parameter `stream`.
    """

    service: str
    name: str
    path: str
    arguments: type[msgspec.Struct]
    result: Any
    options: MethodOptions
    read_arguments: Callable[[bytes | bytearray | memoryview], Any]
    read_json_arguments: Callable[[bytes | bytearray | memoryview], Any]
    read_result: Callable[[bytes | bytearray | memoryview], Any]
    streams: int = 0
    stream: str = ""
    item: Any = None
    read_item: Callable[[bytes | bytearray | memoryview], Any] = bytes


@dataclass(frozen=True, slots=True, eq=False)
class ServiceDefinition:
    """A service: its methods by name, and the digest of all that must fit between two ends."""

    name: str
    version: str
    group: str
    methods: Mapping[str, MethodDefinition]
    digest: str


class MethodDocument(wire.Wire, frozen=True):
    """A method as data: the JSON Schema of its arguments and result, with what they refer to in the service's `schemas`.

    Where the result streams, `result` is one item of it; `item` is one of what the caller streams.
    """

    name: str
    arguments: dict[str, Any]
    result: dict[str, Any]
    streams: Word = "none"
    item: dict[str, Any] | None = None
    options: MethodOptions = MethodOptions()
    description: str = ""


class ServiceDocument(wire.Wire, frozen=True):
    """A service as data: what is exported, imported, compared and shown."""

    name: ServiceName
    version: str
    group: str = "default"
    digest: str = ""
    methods: tuple[MethodDocument, ...] = ()
    schemas: dict[str, Any] = {}
    description: str = ""


@dataclass(frozen=True, slots=True)
class _Named:
    name: str
    version: str
    group: str


def service(name: str, *, version: str = "1.0.0", group: str = "default") -> Callable[[C], C]:
    """Have a class be a service. Its public functions are its methods.

    Raises:
        MisconfiguredError: the name or version is none, or a method cannot be called from outside; the detail says which and why.
    """
    if not _NAME.fullmatch(name):
        raise errors.MisconfiguredError(
            f"{name[:80]!r} is no name of a service: letters, digits, '.', '_' and '-', 128 at most"
        )
    if not _VERSION.fullmatch(version):
        raise errors.MisconfiguredError(f"{version[:80]!r} is no version of service {name}: write it as 1.4.0")

    def named(cls: C) -> C:
        setattr(cls, _SERVICE, _Named(name, version, group))
        return cls

    return named


def method(
    *, timeout: float = DEFAULT_TIMEOUT, idempotent: bool = False, hash_key: str = "", priority: Priority = "normal"
) -> Callable[[F], F]:
    """Say what may be done with calls of a method; see `MethodOptions`."""
    options = wire.convert(
        {"timeout": timeout, "idempotent": idempotent, "hash_key": hash_key, "priority": priority}, MethodOptions
    )

    def marked(function: F) -> F:
        setattr(function, _METHOD, options)
        return function

    return marked


_known: dict[type, ServiceDefinition] = {}


def definition_of(cls: type) -> ServiceDefinition:
    """Give the definition of a class that is a service.

    Raises:
        MisconfiguredError: it is none, or a method of it cannot be called from outside.
    """
    found = _known.get(cls)
    if found is None:
        found = _known[cls] = _define(cls)
    return found


def _define(cls: type) -> ServiceDefinition:
    named: _Named | None = getattr(cls, _SERVICE, None)
    if named is None:
        raise errors.MisconfiguredError(f"{cls.__qualname__} is no service: put @service(name) above it")
    found: dict[str, MethodDefinition] = {}
    for one in reversed(cls.__mro__):
        for name, function in vars(one).items():
            if not name.startswith("_") and inspect.isfunction(function) and one is not object:
                found[name] = _method(named.name, name, function)
    if not found:
        raise errors.MisconfiguredError(
            f"service {named.name} has no methods: {cls.__qualname__} has no public function"
        )
    blank = ServiceDefinition(named.name, named.version, named.group, found, "")
    return ServiceDefinition(named.name, named.version, named.group, found, digest_of(document_of(blank)))


def _method(service_name: str, name: str, function: Callable[..., Any]) -> MethodDefinition:
    place = f"{service_name}/{name}"
    hints = _hints(place, function)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    result, gives = result_of(place, function, hints["return"])
    stream, item = stream_of(place, parameters, hints)
    # only keyword-only parameters without a default can stand behind others that have one
    fields = sorted((_field(place, one, hints) for one in parameters), key=len)
    fields = [one for one in fields if one[0] != stream]
    arguments = msgspec.defstruct(f"{name}_arguments", fields, frozen=True, omit_defaults=True)
    return MethodDefinition(
        service=service_name,
        name=name,
        path=place,
        arguments=arguments,
        result=result,
        options=getattr(function, _METHOD, MethodOptions()),
        read_arguments=_decoder(arguments, f"the arguments of {place}"),
        read_json_arguments=msgspec.json.Decoder(arguments).decode,
        read_result=_decoder(result, f"the result of {place}"),
        streams=(GIVES if gives else 0) | (TAKES if stream else 0),
        stream=stream,
        item=item,
        read_item=_decoder(item, f"the items of {place}") if stream else bytes,
    )


def _hints(place: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception as error:
        raise errors.MisconfiguredError(f"the types of {place} cannot be found: {error}") from error
    if "return" not in hints:
        raise errors.MisconfiguredError(f"{place} does not say what it gives: write -> None where it gives nothing")
    for name, hint in hints.items():
        require_carried(place, name, hint)
    return hints


def _field(place: str, parameter: inspect.Parameter, hints: Mapping[str, Any]) -> Any:
    name = parameter.name
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise errors.MisconfiguredError(f"{place} takes {parameter}: parameters of a method have names")
    if name not in hints:
        raise errors.MisconfiguredError(f"the parameter {name} of {place} has no type")
    if parameter.default is parameter.empty:
        return (name, hints[name])
    return (name, hints[name], parameter.default)


def _decoder(kind: Any, what: str) -> Callable[[bytes | bytearray | memoryview], Any]:
    try:
        msgspec.json.schema(kind)  # a type that others cannot be told is not carried
        return msgspec.msgpack.Decoder(kind).decode
    except Exception as error:
        raise errors.MisconfiguredError(f"{what} cannot be carried: {error}") from error


def document_of(definition: ServiceDefinition, description: str = "") -> ServiceDocument:
    """Give a service as data."""
    kinds = [kind for one in definition.methods.values() for kind in (one.arguments, one.result, one.item)]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/schemas/{name}")
    methods = tuple(
        MethodDocument(
            name=one.name,
            arguments=_inlined(schemas[3 * place], components),
            result=schemas[3 * place + 1],
            streams=WORDS[one.streams],
            item=schemas[3 * place + 2] if one.stream else None,
            options=one.options,
        )
        for place, one in enumerate(definition.methods.values())
    )
    own = {f"{one.name}_arguments" for one in definition.methods.values()}
    shown = {name: schema for name, schema in components.items() if name not in own}
    return ServiceDocument(
        name=definition.name,
        version=definition.version,
        group=definition.group,
        digest=definition.digest,
        methods=methods,
        schemas=shown,
        description=description,
    )


def _inlined(schema: dict[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "")
    return dict(components[reference.rpartition("/")[2]]) if reference else schema


def digest_of(document: ServiceDocument) -> str:
    """Hash what must fit between two ends: names and types, whatever version and options they have.

    It is the one that `definition_of` gives of the class; a document that was edited by hand has another.
    """
    said = [_said(one) for one in sorted(document.methods, key=lambda one: one.name)]
    return hashlib.sha256(wire.encode([document.name, said, document.schemas])).hexdigest()[:32]


def _said(method: MethodDocument) -> tuple[Any, ...]:
    streams = () if method.streams == "none" else (method.streams, method.item)
    return (method.name, method.arguments, method.result, *streams)
