"""Handlers: how they may look, and what is said where they cannot be called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from qiantang.messaging.client.handlers import Item, examine
from qiantang.messaging.errors import HandlerMismatchError
from qiantang.messaging.model import Context


class Order(msgspec.Struct):
    number: int


async def typed(body: Order) -> None: ...
def with_context(body: dict[str, int], context: Context) -> None: ...
def untyped(body) -> None: ...  # type: ignore[no-untyped-def]
def with_default(body: int, context: Context | None = None, more: int = 1) -> None: ...


class Called:
    async def __call__(self, body: Order, context: Context) -> None: ...


def batch_of_bodies(bodies: list[Order]) -> None: ...
async def batch_of_items(items: Sequence[Item[Order]]) -> None: ...
def batch_of_anything(items) -> None: ...  # type: ignore[no-untyped-def]


def test_one_message() -> None:
    found = examine(typed)
    assert (found.kind, found.takes_context, found.is_async, found.batch) == (Order, False, True, 0)
    found = examine(with_context)
    assert (found.kind, found.takes_context, found.is_async) == (dict[str, int], True, False)
    assert examine(untyped).kind is Any
    assert examine(with_default).takes_context
    found = examine(Called())
    assert (found.kind, found.takes_context, found.is_async, found.name) == (Order, True, True, "Called")


def test_batches() -> None:
    found = examine(batch_of_bodies, batch=10)
    assert (found.kind, found.takes_context, found.batch) == (Order, False, 10)
    found = examine(batch_of_items, batch=10)
    assert (found.kind, found.takes_context, found.is_async) == (Order, True, True)
    found = examine(batch_of_anything, batch=10)
    assert (found.kind, found.takes_context) == (Any, False)


def _none() -> None: ...
def _three(body: int, context: Context, more: int) -> None: ...
def _keyword(body: int, *, needed: int) -> None: ...
def _unknown(body: "Nobody") -> None: ...  # type: ignore[name-defined] # noqa: F821, UP037


@pytest.mark.parametrize("call", [_none, _three, _keyword, _unknown, 7])
def test_what_cannot_be_called_is_said_when_it_is_given(call: Any) -> None:
    with pytest.raises(HandlerMismatchError):
        examine(call)


def test_a_batch_handler_takes_a_list() -> None:
    with pytest.raises(HandlerMismatchError, match="must be a list"):
        examine(typed, batch=10)
    with pytest.raises(HandlerMismatchError, match="is called with a list"):
        examine(with_context, batch=10)
