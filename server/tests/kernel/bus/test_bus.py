"""The bus: order, isolation, bounds, the end."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

import pytest

from qiantang_server.kernel import bus as bus_module
from qiantang_server.kernel.bus import Bus


@dataclass(frozen=True)
class Published:
    number: int


@dataclass(frozen=True)
class Special(Published):
    pass


@dataclass(frozen=True)
class Other:
    number: int


async def test_every_listener_of_the_type_hears_in_order() -> None:
    first, second, others = list[int](), list[int](), list[int]()

    async def slow(fact: Published) -> None:
        await asyncio.sleep(0.001 if fact.number % 3 else 0)
        first.append(fact.number)

    async def quick(fact: Published) -> None:
        second.append(fact.number)

    async def other(fact: Other) -> None:
        others.append(fact.number)

    async with Bus() as bus:
        bus.subscribe(Published, slow)
        bus.subscribe(Published, quick)
        bus.subscribe(Other, other)
        for number in range(50):
            bus.publish(Published(number))
        bus.publish(Other(7))
        bus.publish(Special(99))
        bus.publish("nobody listens to text")
    assert first == second == list(range(50))
    assert others == [7]


async def test_publishing_runs_nothing_before_it_returns() -> None:
    heard: list[int] = []

    async def hear(fact: Published) -> None:
        heard.append(fact.number)

    async with Bus() as bus:
        bus.subscribe(Published, hear)
        bus.publish(Published(1))
        assert heard == []
    assert heard == [1]


async def test_a_listener_that_fails_hurts_nobody_and_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[int] = []

    async def bad(fact: Published) -> None:
        raise ValueError(f"no {fact.number}")

    async def good(fact: Published) -> None:
        heard.append(fact.number)

    async with Bus() as bus:
        bus.subscribe(Published, bad)
        bus.subscribe(Published, good)
        for number in range(1000):
            bus.publish(Published(number))
    assert heard == list(range(1000))
    failures = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert 1 <= len(failures) <= 5
    assert "test_bus" not in failures[0].message
    assert failures[0].message == "a listener failed on a fact"
    assert sum(getattr(record, "repeated", 1) for record in failures) == 1000, "none is lost from the count"


async def test_a_listener_that_hangs_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "HANDLER_SECONDS", 0.05)
    heard: list[int] = []

    async def hear(fact: Published) -> None:
        if fact.number == 0:
            await asyncio.sleep(3600)
        heard.append(fact.number)

    async with Bus() as bus:
        bus.subscribe(Published, hear)
        bus.publish(Published(0))
        bus.publish(Published(1))
    assert heard == [1]


async def test_a_slow_listener_loses_the_oldest_and_costs_bounded_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bus_module, "QUEUE", 10)
    go, heard = asyncio.Event(), list[int]()

    async def hear(fact: Published) -> None:
        await go.wait()
        heard.append(fact.number)

    async with Bus() as bus:
        bus.subscribe(Published, hear)
        for number in range(100):
            bus.publish(Published(number))
        go.set()
    assert heard == list(range(90, 100))
    assert 1 <= sum("too slow" in record.message for record in caplog.records) <= 10


async def test_the_close_waits_for_what_was_told_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bus_module, "DRAIN_SECONDS", 0.1)
    heard: list[int] = []

    async def stuck(_: Published) -> None:
        await asyncio.sleep(3600)

    async def fine(fact: Published) -> None:
        await asyncio.sleep(0.01)
        heard.append(fact.number)

    async with asyncio.timeout(10):
        async with Bus() as bus:
            bus.subscribe(Published, stuck)
            bus.subscribe(Published, fine)
            bus.publish(Published(1))
            bus.publish(Published(2))
    assert heard == [1, 2]
    assert "left untold" in caplog.text
    bus.publish(Published(3))
    await asyncio.sleep(0.02)
    assert heard == [1, 2], "facts after the close are dropped"


async def test_a_listener_may_publish() -> None:
    heard: list[int] = []

    async with Bus() as bus:

        async def first(fact: Published) -> None:
            bus.publish(Other(fact.number + 1))

        async def second(fact: Other) -> None:
            heard.append(fact.number)

        bus.subscribe(Published, first)
        bus.subscribe(Other, second)
        bus.publish(Published(1))
        await asyncio.sleep(0.05)
    assert heard == [2]
