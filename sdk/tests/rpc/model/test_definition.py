"""Definitions: what is read off a type, and what is refused by its name."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

import msgspec
import pytest

from qiantang.kernel.errors import InvalidRequestError, MisconfiguredError
from qiantang.rpc.model.definition import MethodOptions, definition_of, document_of, method, service
from qiantang.rpc.model.openapi import LINES, openapi_of
from qiantang.rpc.model.streams import GIVES, TAKES


class Line(msgspec.Struct):
    article: str
    count: int = 1


@dataclass
class Place:
    street: str


class Hints(TypedDict):
    fast: bool


@service("order.Orders", version="1.4.0")
class Orders(Protocol):
    """Takes orders."""

    @method(timeout=0.8, idempotent=True, hash_key="user", priority="critical")
    async def get(self, user: str, number: int) -> Line | None: ...

    async def put(
        self, lines: list[Line], place: Place, hints: Hints | None = None, *, express: bool = False
    ) -> int: ...

    def ping(self) -> None: ...


def test_methods_their_arguments_and_options_are_read() -> None:
    found = definition_of(Orders)
    assert (found.name, found.version, found.group) == ("order.Orders", "1.4.0", "default")
    assert list(found.methods) == ["get", "put", "ping"]
    assert found.methods["get"].options == MethodOptions(
        timeout=0.8, idempotent=True, hash_key="user", priority="critical"
    )
    assert found.methods["put"].arguments.__struct_fields__ == ("lines", "place", "hints", "express")
    assert found.methods["put"].options == MethodOptions()
    assert definition_of(Orders) is found


def test_arguments_and_results_of_every_kind_come_back_as_they_were() -> None:
    put = definition_of(Orders).methods["put"]
    given = put.arguments([Line("tea", 2)], Place("West Lake 1"), {"fast": True})
    assert put.read_arguments(msgspec.msgpack.encode(given)) == given
    got = definition_of(Orders).methods["get"]
    assert got.read_result(msgspec.msgpack.encode(Line("tea"))) == Line("tea")
    assert got.read_result(msgspec.msgpack.encode(None)) is None


def test_an_argument_that_somebody_does_not_know_is_passed_over_and_one_with_a_default_may_be_missing() -> None:
    put = definition_of(Orders).methods["put"]
    said = {"lines": [], "place": {"street": "x"}, "new": 1}
    assert put.read_arguments(msgspec.msgpack.encode(said)) == put.arguments([], Place("x"))
    with pytest.raises(msgspec.ValidationError):
        put.read_arguments(msgspec.msgpack.encode({"lines": []}))


def test_the_digest_changes_with_types_and_not_with_versions_or_options() -> None:
    def defined(version: str, timeout: float, kind: Any) -> str:
        class Some(Protocol):
            @method(timeout=timeout)
            async def get(self, one: kind) -> int: ...

        Some.get.__annotations__ = {"one": kind, "return": int}
        return definition_of(service("a.Some", version=version)(Some)).digest

    assert defined("1.0.0", 1, int) == defined("2.0.0", 2, int)
    assert defined("1.0.0", 1, int) != defined("1.0.0", 1, str)


def test_the_document_holds_the_schemas() -> None:
    document = document_of(definition_of(Orders), "Takes orders.")
    put = next(one for one in document.methods if one.name == "put")
    assert put.arguments["required"] == ["lines", "place"]
    assert put.arguments["properties"]["lines"]["items"] == {"$ref": "#/schemas/Line"}
    assert {"Line", "Place", "Hints"} <= set(document.schemas)
    assert not [name for name in document.schemas if name.endswith("_arguments")]
    assert document.digest == definition_of(Orders).digest


def refusal(function: Any) -> str:
    kind = type("Some", (), {"get": function})
    with pytest.raises(MisconfiguredError) as caught:
        definition_of(service("a.Some")(kind))
    return caught.value.detail


def test_what_cannot_be_called_from_outside_is_refused_by_its_name() -> None:
    async def untyped(self: Any, one) -> int: ...  # type: ignore[no-untyped-def]

    async def silent(self: Any, one: int): ...  # type: ignore[no-untyped-def]

    async def many(self: Any, *ones: int) -> int: ...

    async def strange(self: Any, one: complex) -> int: ...

    assert "the parameter one of a.Some/get has no type" in refusal(untyped)
    assert "a.Some/get does not say what it gives" in refusal(silent)
    assert "parameters of a method have names" in refusal(many)
    assert "the arguments of a.Some/get cannot be carried" in refusal(strange)


@service("order.Lines")
class Lines(Protocol):
    """Streams lines."""

    def rows(self, article: str, *, most: int = 10) -> AsyncIterator[Line]: ...

    async def put(self, place: Place, lines: AsyncIterator[Line]) -> int: ...

    def both(self, lines: AsyncIterator[Line]) -> AsyncGenerator[str, None]: ...

    async def made(self) -> AsyncIterator[Line]:
        yield Line("tea")


def test_streams_are_read_and_stand_in_the_document_and_its_digest() -> None:
    methods = definition_of(Lines).methods
    assert [one.streams for one in methods.values()] == [GIVES, TAKES, GIVES | TAKES, GIVES]
    assert [one.stream for one in methods.values()] == ["", "lines", "lines", ""]
    assert methods["rows"].read_result(msgspec.msgpack.encode(Line("tea"))) == Line("tea")
    assert methods["put"].read_item(msgspec.msgpack.encode(Line("tea"))) == Line("tea")
    assert methods["put"].arguments.__struct_fields__ == ("place",)
    document = document_of(definition_of(Lines))
    assert [one.streams for one in document.methods] == ["result", "argument", "both", "result"]
    line = {"$ref": "#/schemas/Line"}
    assert [one.item for one in document.methods] == [None, line, line, None]
    assert document.methods[0].result == line

    @service("order.Lines")
    class Otherwise(Protocol):
        async def put(self, place: Place, lines: AsyncIterator[str]) -> int: ...

    @service("order.Lines")
    class Whole(Protocol):
        async def put(self, place: Place) -> int: ...

    @service("order.Lines")
    class Streamed(Protocol):
        async def put(self, place: Place, lines: AsyncIterator[Line]) -> int: ...

    assert len({definition_of(one).digest for one in (Otherwise, Whole, Streamed)}) == 3


def test_openapi_has_lines_for_streams_and_no_way_to_send_one() -> None:
    paths = openapi_of([document_of(definition_of(Lines))], "x")["paths"]
    assert list(paths) == ["/order.Lines/rows", "/order.Lines/made"]
    content = paths["/order.Lines/rows"]["post"]["responses"]["200"]["content"]
    assert content == {LINES: {"schema": {"$ref": "#/components/schemas/order.Lines.Line"}}}


AT_ONCE: Any = ()


def test_results_that_are_no_streams_that_can_be_carried_are_refused_by_their_name() -> None:
    async def awaited(self: Any) -> AsyncIterator[int]: ...

    def bare(self: Any) -> AsyncIterator: ...  # type: ignore[type-arg]

    def plain(self: Any) -> Iterator[int]: ...

    def nested(self: Any) -> AsyncIterator[AsyncIterator[int]]: ...

    assert "a.Some/get gives a stream: write def in place of async def" in refusal(awaited)
    assert "a.Some/get has a stream and does not say of what" in refusal(bare)
    assert "a stream is an AsyncIterator of its items" in refusal(plain)
    assert "the result of a.Some/get cannot be carried" in refusal(nested)


def test_parameters_that_are_no_streams_that_can_be_carried_are_refused_by_their_name() -> None:
    async def first(self: Any, items: AsyncIterator[int], more: int) -> int: ...

    async def two(self: Any, items: AsyncIterator[int], more: AsyncIterator[int]) -> int: ...

    async def optional(self: Any, items: AsyncIterator[int] = AT_ONCE) -> int: ...

    async def several(self: Any, *items: AsyncIterator[int]) -> int: ...

    async def strange(self: Any, items: AsyncIterator[complex]) -> int: ...

    async def inside(self: Any, items: list[AsyncIterator[int]]) -> int: ...

    assert "a.Some/get takes a stream as items: it must be the last, and the only one" in refusal(first)
    assert "a.Some/get takes a stream as items: it must be the last, and the only one" in refusal(two)
    assert "the stream items of a.Some/get has a default" in refusal(optional)
    assert "parameters of a method have names" in refusal(several)
    assert "the items of a.Some/get cannot be carried" in refusal(strange)
    assert "the arguments of a.Some/get cannot be carried" in refusal(inside)


def test_a_class_without_a_name_or_without_methods_is_no_service() -> None:
    class Plain: ...

    with pytest.raises(MisconfiguredError, match="is no service"):
        definition_of(Plain)
    with pytest.raises(MisconfiguredError, match="has no methods"):
        definition_of(service("a.Plain")(Plain))
    with pytest.raises(MisconfiguredError, match="no name of a service"):
        service("a b")
    with pytest.raises(MisconfiguredError, match="no version"):
        service("a.B", version="")
    with pytest.raises(InvalidRequestError):
        method(timeout=0)
