"""Definitions as `.proto` text; what has no form there is refused by its name."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from typing import Any, Literal

import msgspec
import pytest

from qiantang.catalog.model.proto import NoProtoFormError, proto_of, protos_of
from qiantang.rpc.model.definition import definition_of, document_of, service
from sdk.tests.catalog.model.shop import FEED, ORDERS, Line, document

WANTED = f"""\
// shop.Orders 1.4.0, digest {ORDERS.digest}
syntax = "proto3";
package shop;

service Orders {{
  rpc price(PriceRequest) returns (PriceResponse);
  rpc place(PlaceRequest) returns (PlaceResponse);
  rpc forget(ForgetRequest) returns (ForgetResponse);
}}

message PriceRequest {{
  Order order = 1;
  PriceArgumentsCurrency currency = 2;
}}

message Order {{
  repeated Line lines = 1;
  map<string, string> labels = 2;
  bytes stamp = 3;
  optional Order parent = 4;
}}

message Line {{
  string article = 1;
  int64 count = 2;
  Kind kind = 3;
  optional string note = 4;
}}

enum Kind {{
  KIND_UNSPECIFIED = 0;
  KIND_SALT = 1;
  KIND_TEA = 2;
}}
"""


def test_a_service_is_written_with_all_that_it_refers_to() -> None:
    text = proto_of(ORDERS)
    assert text.startswith(WANTED), text
    assert "message PriceResponse {\n  double result = 1;\n}" in text
    assert "message ForgetRequest {\n  string number = 1;\n}" in text
    assert "message ForgetResponse {\n}" in text
    assert list(protos_of([ORDERS])) == ["shop.Orders.proto"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (int | str, "call.arguments.body is a choice of integer or string"),
        (Any, "call.arguments.body is anything"),
        (list[list[int]], "call.arguments.body holds a list"),
        (list[int | None], "call.arguments.body holds integer or null"),
        (dict[str, list[int]], "call.arguments.body holds a list"),
        (list[int] | None, "call.arguments.body is a list or null"),
        (tuple[int, str], "call.arguments.body is a tuple"),
        (Literal[1, 2], "call.arguments.body is one of 1, 2"),
        (Literal["a b"], "'a b'"),
        (Literal["a", "A"], "the case of their letters only"),
        (None, "call.arguments.body"),
        (msgspec.defstruct("CallRequest", [("a", int)]), "CallRequest is a type"),
        (msgspec.defstruct("Odd", [("a", list[tuple[int]])]), "Odd.a is a tuple"),
    ],
)
def test_what_has_no_form_is_named(kind: Any, words: str) -> None:
    with pytest.raises(NoProtoFormError) as caught:
        proto_of(document(type(None) if kind is None else kind))
    assert words in caught.value.detail


def test_streams_are_streams() -> None:
    text = proto_of(FEED)
    assert "  rpc orders(OrdersRequest) returns (stream OrdersResponse);" in text
    assert "  rpc load(stream LoadRequest) returns (LoadResponse);" in text
    assert "  rpc prices(stream PricesRequest) returns (stream PricesResponse);" in text
    assert "message OrdersRequest {\n  int64 since = 1;\n}" in text
    assert "message OrdersResponse {\n  Order result = 1;\n}" in text
    assert "message LoadRequest {\n  Line item = 1;\n}" in text
    assert "message PricesRequest {\n  string item = 1;\n}" in text


def test_a_stream_with_arguments_beside_it_has_no_form() -> None:
    async def call(self: Any, body: int, items: Any) -> int: ...

    call.__annotations__ = {"body": int, "items": AsyncIterator[int], "return": int}
    made = document_of(definition_of(service("t.Both")(type("Made", (), {"call": call}))))
    with pytest.raises(NoProtoFormError, match="call takes arguments beside its stream"):
        proto_of(made)


def test_names_are_those_of_proto_or_refused() -> None:
    with pytest.raises(NoProtoFormError, match="the service my-shop"):
        proto_of(document(int, name="my-shop.Orders"))
    text = proto_of(document(datetime.date, Line, name="Alone"))
    assert "package" not in text
    assert "string body = 1;" in text
    assert "Line result = 1;" in text
