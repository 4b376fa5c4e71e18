"""Blocking calls: the same calls from threads, over sockets that nobody else uses meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

import pytest

from qiantang.kernel import errors
from qiantang.registry.model import Node, Provided
from qiantang.rpc import errors as rpc_errors
from qiantang.rpc.client.blocking import BlockingCaller
from qiantang.rpc.client.introducing import by_name
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import method, service
from qiantang.rpc.provider.serving import Provider, ProviderSettings


@service("test.Desk")
class Desk(Protocol):
    """What is called here."""

    def double(self, number: int) -> int: ...

    def large(self, size: int) -> bytes: ...

    def fail(self) -> None: ...

    @method(timeout=0.3)
    def sleep(self) -> None: ...

    def caller(self) -> str: ...


class AtDesk:
    """Answers."""

    async def double(self, number: int) -> int:
        return 2 * number

    async def large(self, size: int) -> bytes:
        return b"x" * size

    async def fail(self) -> None:
        raise errors.ForbiddenError("not for you")

    async def sleep(self) -> None:
        await asyncio.sleep(60)

    async def caller(self) -> str:
        return current.get().caller


class House:
    """A provider on a loop of its own thread, which can be restarted on its port."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.provider, self.address = self.run(self._start(0))

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _start(self, port: int) -> tuple[Provider, str]:
        provider = Provider("n1", ProviderSettings(max_frame=1 << 20)).add(Desk, AtDesk())
        return provider, await provider.listen("127.0.0.1", port)

    def restart(self) -> None:
        self.run(self.provider.close())
        self.provider, _ = self.run(self._start(int(self.address.rpartition(":")[2])))

    def end(self) -> None:
        self.run(self.provider.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def desk() -> Generator[tuple[Desk, House]]:
    house = House()
    node = Node(name="n1", addresses={"csf1": house.address}, services={"test.Desk": Provided()})
    try:
        with BlockingCaller(by_name("acme/prod/bank/till"), [node]) as caller:
            yield caller.client(Desk), house
    finally:
        house.end()


def test_threads_share_a_caller_and_connections_are_used_again() -> None:
    with desk() as (client, house):
        assert client.caller() == "acme/prod/bank/till"
        assert [client.double(number) for number in range(20)] == [2 * number for number in range(20)]
        assert house.provider.connections == 1
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(client.double, range(400))) == [2 * number for number in range(400)]
        assert house.provider.connections <= 9


def test_errors_are_raised_again_and_cost_no_connection() -> None:
    with desk() as (client, house):
        for _ in range(3):
            with pytest.raises(errors.ForbiddenError, match="not for you"):
                client.fail()
        with pytest.raises(rpc_errors.TooLargeError):
            client.large(9 << 20)
        assert client.large(500_000) == b"x" * 500_000
        assert house.provider.connections == 1


def test_a_call_without_an_answer_ends_in_time_and_its_answer_reaches_nobody_else() -> None:
    with desk() as (client, house):
        began = time.monotonic()
        with pytest.raises(rpc_errors.DeadlineError):
            client.sleep()
        assert time.monotonic() - began >= 0.29
        assert client.double(4) == 8
        ends = time.monotonic() + 30
        while house.provider.running and time.monotonic() < ends:
            time.sleep(0.01)
        assert house.provider.running == 0


def test_a_node_that_was_restarted_is_called_again_without_an_error() -> None:
    with desk() as (client, house):
        assert client.double(1) == 2
        for _ in range(3):
            house.restart()
            assert client.double(2) == 4


def test_a_node_that_is_not_there_is_said_so() -> None:
    node = Node(name="gone", addresses={"csf1": "127.0.0.1:1"}, services={"test.Desk": Provided()})
    with (
        BlockingCaller(by_name("acme/prod/bank/till"), [node]) as caller,
        pytest.raises(rpc_errors.NodeAwayError, match=r"127\.0\.0\.1:1 could not be connected to"),
    ):
        caller.client(Desk).double(1)
