"""A service for tests, and others made of types."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal, Protocol

import msgspec

from qiantang.rpc.model.definition import ServiceDocument, definition_of, document_of, method, service


class Kind(enum.Enum):
    TEA = "tea"
    SALT = "salt"


class Line(msgspec.Struct):
    article: str
    count: int = 1
    kind: Kind = Kind.TEA
    note: str | None = None


class Order(msgspec.Struct):
    lines: list[Line]
    labels: dict[str, str] = {}
    stamp: bytes = b""
    parent: Order | None = None


@service("shop.Orders", version="1.4.0")
class Orders(Protocol):
    """Orders of the shop."""

    @method(timeout=0.8, idempotent=True)
    async def price(self, order: Order, currency: Literal["cny", "eur"] = "cny") -> float:
        """Give what an order costs."""
        ...

    async def place(self, order: Order) -> str: ...

    async def forget(self, number: Annotated[str, msgspec.Meta(max_length=40)]) -> None: ...


@service("shop.Feed", version="1.0.0")
class Feed(Protocol):
    """Streams, of each shape."""

    def orders(self, since: int) -> AsyncIterator[Order]: ...

    async def load(self, lines: AsyncIterator[Line]) -> int: ...

    def prices(self, articles: AsyncIterator[str]) -> AsyncIterator[float]: ...


ORDERS = document_of(definition_of(Orders))
FEED = document_of(definition_of(Feed))


def document(
    takes: Any = None, gives: Any = None, *, version: str = "1.0.0", name: str = "t.Service", **options: Any
) -> ServiceDocument:
    """Make a service with one method `call` that takes a struct of these fields and gives a type."""

    async def call(self: Any, body: Any) -> Any: ...

    call.__annotations__ = {"body": takes or int, "return": gives if gives is not None else type(None)}
    made = service(name, version=version)(type("Made", (), {"call": method(**options)(call)}))
    return document_of(definition_of(made))
