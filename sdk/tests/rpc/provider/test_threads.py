"""Threads: plain functions answer in them, so many at a time; who waits too long or was given up is not begun."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import msgspec
import pytest

from qiantang.kernel import errors as kernel_errors
from qiantang.registry.model import Node, Provided
from qiantang.registry.testing import until
from qiantang.rpc import errors
from qiantang.rpc.client.calling import Caller
from qiantang.rpc.client.introducing import by_name
from qiantang.rpc.governance.shedding import WAITS, Load
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import method, service
from qiantang.rpc.provider.host import NotBegunError
from qiantang.rpc.provider.serving import Provider, ProviderSettings
from qiantang.rpc.provider.threads import Threads


class Gate:
    """Work that holds a thread until it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.began: list[Any] = []

    def work(self, what: Any) -> Any:
        self.began.append(what)
        self.open.wait(60)
        if isinstance(what, BaseException):
            raise what
        return what


@pytest.fixture
def gate() -> Any:
    made = Gate()
    yield made
    made.open.set()


def within(seconds: float) -> None:
    current.set(msgspec.structs.replace(current.get(), deadline=time.monotonic() + seconds))


async def test_more_than_may_wait_are_refused_and_were_not_processed(gate: Gate) -> None:
    threads = Threads("n1", 2, 3)
    answers = [threads.run(gate.work, (number,)) for number in range(5)]
    with pytest.raises(NotBegunError, match="3 calls wait for a thread of n1") as refused:
        threads.run(gate.work, (5,))
    assert isinstance(refused.value.error, errors.OverloadedError)
    gate.open.set()
    assert await asyncio.gather(*answers) == [0, 1, 2, 3, 4]
    await until(lambda: not threads._inside)
    assert await threads.run(gate.work, (6,)) == 6
    threads.close()


async def test_what_was_given_up_counts_until_a_thread_saw_it_and_is_not_begun(gate: Gate) -> None:
    threads = Threads("n1", 1, 2)
    first = threads.run(gate.work, (0,))
    waiting = [asyncio.ensure_future(threads.run(gate.work, (number,))) for number in (1, 2)]
    for one in waiting:
        one.cancel()
    with pytest.raises(NotBegunError):
        threads.run(gate.work, (3,))
    gate.open.set()
    assert await first == 0
    await until(lambda: not threads._inside)
    assert gate.began == [0]
    threads.close()


async def test_a_call_whose_time_is_over_is_not_begun(gate: Gate) -> None:
    threads = Threads("n1", 1, 2)
    within(30)
    first = threads.run(gate.work, (0,))
    await until(lambda: gate.began)
    within(0.01)
    late = threads.run(gate.work, (1,))
    await asyncio.sleep(0.05)
    gate.open.set()
    assert await first == 0
    with pytest.raises(errors.DeadlineError, match="waited for a thread of n1 until its time was over"):
        await late
    assert gate.began == [0]
    threads.close()


@pytest.mark.parametrize("raised", [StopIteration(1), SystemExit(3), KeyboardInterrupt()])
async def test_what_would_end_a_worker_ends_a_call(gate: Gate, raised: BaseException) -> None:
    threads = Threads("n1", 1, 1)
    gate.open.set()
    with pytest.raises(RuntimeError, match=type(raised).__name__):
        await threads.run(gate.work, (raised,))
    with pytest.raises(kernel_errors.GoneError):
        await threads.run(gate.work, (kernel_errors.GoneError("gone"),))
    threads.close()
    with pytest.raises(NotBegunError):
        threads.run(gate.work, (1,))
    assert (threads._inside, len(threads._waiting)) == (0, 0)


async def test_how_long_calls_waited_is_told_and_how_long_the_first_waits_now(gate: Gate) -> None:
    threads, load = Threads("n1", 1, 4 * WAITS), Load()
    within(0.5)
    answers = [asyncio.ensure_future(threads.run(gate.work, (number,))) for number in range(2 * WAITS)]
    await until(lambda: gate.began)
    await asyncio.sleep(0.3)
    for _ in range(WAITS + 1):
        threads.tell(load)
    assert 0.5 < load.queue < 10, "the first waits while no thread is free"
    load = Load()
    gate.open.set()
    await asyncio.gather(*answers, return_exceptions=True)
    threads.tell(load)
    assert 0.5 < load.queue < 10
    for _ in range(100):
        threads.tell(load)
        load.observe(0.0, 0.0)
    assert load.queue < 0.1, "nobody waits any more"
    threads.close()


@service("test.Kiln")
class Kiln(Protocol):
    """What is called here."""

    @method(timeout=20.0)
    async def fire(self, seconds: float) -> str: ...


class Fires:
    """Answers in threads."""

    def __init__(self) -> None:
        self.began = 0

    def fire(self, seconds: float) -> str:
        self.began += 1
        time.sleep(seconds)
        return "fired"


@asynccontextmanager
async def kiln(**settings: int) -> AsyncGenerator[tuple[Provider, Caller, Fires]]:
    fires = Fires()
    provider = Provider("n1", ProviderSettings(**settings)).add(Kiln, fires)
    address = await provider.listen("127.0.0.1")
    node = Node(name="n1", addresses={"csf1": address}, services={"test.Kiln": Provided()})
    async with provider, Caller(by_name("acme/prod/bank/till"), [node]) as caller:
        caller.governor.rule({"r": b'{"retry": {"attempts": 1}, "adaptive": {"mode": "off"}}'})
        yield provider, caller, fires


async def test_callers_hear_that_a_provider_has_no_thread_to_spare() -> None:
    async with kiln(threads=2, thread_queue=2) as (_, caller, fires):
        fire = caller.client(Kiln).fire
        found = await asyncio.gather(*(fire(0.3) for _ in range(8)), return_exceptions=True)
        assert sorted(map(str, found))[-4:] == ["fired"] * 4
        refused = [one for one in found if isinstance(one, errors.OverloadedError)]
        assert len(refused) == 4
        assert not any(errors.was_processed(one) for one in refused)
        assert fires.began == 4


async def test_a_provider_whose_threads_are_held_up_sheds_by_how_long_calls_wait() -> None:
    async with kiln(threads=1) as (provider, caller, _):
        rule = b'{"shedding": {"queue": 0.001, "lag": 1000, "cpu": 1, "cooling": 60}}'
        assert provider.guard.rule({"s": rule}).applied == ("s",)
        fire = caller.client(Kiln).fire
        waiting = [asyncio.create_task(fire(0.05)) for _ in range(80)]
        async with asyncio.timeout(60):
            while not provider.guard.load.queue > 0.001:
                await asyncio.sleep(0.02)
        with pytest.raises(errors.OverloadedError, match="the provider is overloaded"):
            await asyncio.gather(*(fire(0.0) for _ in range(200)))
        await asyncio.gather(*waiting)
