"""The file that definitions travel in: what was written is read, what was edited by hand is not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.catalog.model import exchange
from qiantang.kernel import errors
from qiantang.rpc.model.definition import definition_of, digest_of
from sdk.tests.catalog.model.shop import FEED, ORDERS, Feed, Orders, document


def test_what_is_written_is_read() -> None:
    services = [ORDERS, document(dict[str, float], list[int] | None, name="shop.Stock", version="2.0.0")]
    data = exchange.written(services)
    assert exchange.read(data) == services
    assert json.loads(data)["format"] == "qiantang.services/1"
    fields = json.loads(data)["services"][0]["schemas"]["Line"]["properties"]
    assert list(fields) == ["article", "count", "kind", "note"], "as they were declared"


def test_the_digest_is_that_of_the_class() -> None:
    assert digest_of(ORDERS) == definition_of(Orders).digest
    again = msgspec.json.decode(msgspec.json.encode(ORDERS), type=type(ORDERS))
    assert digest_of(again) == ORDERS.digest


def test_a_service_that_streams_is_read_back_as_it_was_written() -> None:
    assert exchange.read(exchange.written([FEED])) == [FEED]
    assert definition_of(Feed).digest == FEED.digest


def edited(change: Any) -> bytes:
    body = json.loads(exchange.written([ORDERS]))
    change(body)
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a valid ServiceFile"),
        (b"[]", "not a valid ServiceFile"),
        (edited(lambda body: body.update(format="other")), "format"),
        (edited(lambda body: body.update(services=[])), "holds no service"),
        (edited(lambda body: body["services"].append(body["services"][0])), "defined twice: shop.Orders"),
        (edited(lambda body: body["services"][0]["methods"].pop()), "not the digest that it names"),
        (edited(lambda body: body["services"][0].update(name="no name")), "name"),
    ],
)
def test_what_is_no_such_file_is_refused_with_its_reason(data: bytes, words: str) -> None:
    with pytest.raises(errors.InvalidRequestError, match=words):
        exchange.read(data)


def test_a_file_has_a_largest_size() -> None:
    with pytest.raises(errors.TooLargeError):
        exchange.read(b" " * (exchange.MOST_BYTES + 1))
    with pytest.raises(errors.InvalidRequestError, match="twice"):
        exchange.written([ORDERS, ORDERS])


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_is_read_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(errors.InvalidRequestError):
        exchange.read(data)
