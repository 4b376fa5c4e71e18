"""Which callbacks are taken, how they are called, and what an event shows."""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest import mock

import pytest

from qiantang.config import MISSING
from qiantang.config.client import event
from qiantang.config.testing import FakeConfig


class Called:
    def __call__(self, event: object) -> None: ...


class CalledLater:
    async def __call__(self) -> None: ...


async def later(one: object) -> None: ...


def generator(one: object) -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("callback", "count"),
    [
        (lambda: None, 0), (lambda one: None, 1), (lambda one, two: None, 2), (lambda *all: None, 1),
        (lambda one=1: None, 0), (lambda one, two=2: None, 1), (lambda *, key=1: None, 0), (lambda **rest: None, 0),
        (Called(), 1), (CalledLater(), 0), (later, 1), (functools.partial(lambda one, two: None, 1), 1),
        (print, 1), (threading.Event().set, 0), (queue.SimpleQueue[Any]().put, 1), (mock.Mock(), 1), ([].append, 1),
    ],
)  # fmt: skip
def test_the_signature_decides_at_registration(callback: Any, count: int) -> None:
    assert event.parameters(callback) == count


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (lambda one, two, three: None, "needs 3 arguments"),
        (lambda *, key: None, "keyword argument"),
        (generator, "generator"),
        (async_generator, "generator"),
        ("text", "cannot be called"),
    ],
)
def test_what_cannot_be_called_is_refused_at_registration(callback: Any, message: str) -> None:
    config = FakeConfig()
    with pytest.raises(TypeError, match=message):
        config.on_change("*", callback)
    assert not config.hears


def test_coroutine_functions_are_known_in_every_form() -> None:
    assert event.is_coroutine_function(later)
    assert event.is_coroutine_function(functools.partial(later, 1))
    assert event.is_coroutine_function(CalledLater())
    assert event.is_coroutine_function(mock.AsyncMock())
    assert not event.is_coroutine_function(Called())
    assert not event.is_coroutine_function(print)


def test_names_say_where_to_look() -> None:
    assert event.callback_name(later).endswith("test_event.later")
    assert event.callback_name(functools.partial(later, 1)).endswith("test_event.later")
    assert event.callback_name(Called()).endswith("test_event.Called")
    assert event.callback_name(print) == "builtins.print"


def test_an_event_tells_what_changed_under_the_pattern() -> None:
    config = FakeConfig({"db": {"url": "a", "gone": 1, "same": [1]}, "other": 1})
    heard: list[event.Event] = []
    config.on_change("db.*", heard.append)
    config.set({"db.url": "b", "db.new": True, "other": 2})
    (first,) = heard
    assert {key: (first[key].before, first[key].after) for key in first} == {
        "db.url": ("a", "b"),
        "db.new": (MISSING, True),
    }
    assert (first.revision, first.previous.revision, len(first), "db.url" in first, "other" in first) == (
        2,
        1,
        2,
        True,
        False,
    )
    assert (first.previous.get("db.url"), first.snapshot.get("db.url"), first.namespace) == ("a", "b", "application")
    config.remove("db.gone")
    assert heard[1]["db.gone"].after is MISSING
    config.set({"other": 3})
    assert len(heard) == 2


def test_a_type_that_changes_is_a_change() -> None:
    config = FakeConfig({"flag": 1})
    heard: list[event.Event] = []
    config.on_change("flag", heard.append)
    config.set({"flag": True})
    config.set({"flag": 1.0})
    assert [one["flag"].after for one in heard] == [True, 1.0]


def test_secrets_are_masked_in_events_whatever_they_are() -> None:
    config = FakeConfig({"a": "hunter22", "b": 1234, "c": 1}, secrets=["a", "b"])
    heard: list[event.Event] = []
    config.on_change("*", heard.append)
    config.set({"a": "hunter33", "b": 4321, "c": 2})
    assert heard[0]["a"].after == "hunter33"
    assert heard[0]["b"].after == 4321
    assert not [text for text in ("hunter22", "hunter33", "1234", "4321") if text in repr(heard[0])]
    assert "c: 1 -> 2" in repr(heard[0])


def test_a_long_event_shows_a_bounded_part_of_itself() -> None:
    config = FakeConfig()
    heard: list[event.Event] = []
    config.on_change("*", heard.append)
    config.set({f"key{number}": number for number in range(100)})
    assert "and 80 more" in repr(heard[0])


def test_a_text_namespace_is_one_value() -> None:
    config = FakeConfig()
    heard: list[event.Event] = []
    config.on_change("*", heard.append, namespace="other")
    config.set({"a": 1}, namespace="other")
    assert heard[0]["a"].before is MISSING
