"""A fake of the coordination for tests, and the conformance suite that every adapter must pass, the fake too.

Subclass `CoordinationConformance` in a test module (pytest with pytest-asyncio in auto mode) and give it the fixture
`open_one`: a function that opens one more, independent coordination over the same servers, and closes it at the end of
the test. Each test takes names of its own, so servers may be shared between tests.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Self, TypeVar

import msgspec

from qiantang.kernel import errors
from qiantang.kernel.resource import Position
from qiantang_server.kernel.coordination.board import Board, Roster
from qiantang_server.kernel.coordination.port import (
    Condition,
    Coordination,
    Lease,
    check_key,
    check_lease,
    check_server,
)

OpenOne = Callable[[], Awaitable[Coordination]]
T = TypeVar("T")

LONG = timedelta(seconds=30)
SHORT = timedelta(milliseconds=400)
DEADLINE = 20.0
"""Seconds that a test waits for what must come; generous, since machines are busy."""


class FakeGround:
    """What fakes of one test agree on: the servers' side. `away` is what every call raises while it is set.

    Its clock is the loop's, so it runs in virtual time where the loop does.
    """

    def __init__(self) -> None:
        self.away: Exception | None = None
        self.leases: dict[str, tuple[str, int, float]] = {}
        self.board = Board()
        self.roster = Roster()
        self.positions: dict[str, Position] = {}
        self.servers: dict[str, str] = {}

    def now(self) -> float:
        """Give the clock, in seconds."""
        if self.away is not None:
            raise self.away
        return asyncio.get_running_loop().time()


class FakeCoordination:
    """One server's view of a ground."""

    def __init__(self, ground: FakeGround) -> None:
        self.ground = ground
        self._board, self._roster = Board(), Roster()
        self._tasks: list[asyncio.Task[None]] = []
        self._nodes: set[str] = set()

    @property
    def condition(self) -> Condition:
        away = self.ground.away
        return Condition(ready=away is None, reason="" if away is None else str(away))

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._follow_servers())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._board.close()
        self._roster.close()
        for node in self._nodes:
            self.ground.servers.pop(node, None)
        self.ground.roster.post(self.ground.servers.values())

    async def acquire(self, name: str, holder: str, ttl: timedelta) -> Lease | None:
        millis, now = check_lease(name, holder, ttl), self.ground.now()
        held_by, epoch, expires = self.ground.leases.get(name, ("", 0, 0.0))
        if held_by not in {"", holder} and now < expires:
            return None
        self.ground.leases[name] = (holder, epoch + 1, now + millis / 1000)
        return Lease(name=name, holder=holder, epoch=epoch + 1, expires=int((now + millis / 1000) * 1000))

    async def renew(self, lease: Lease, ttl: timedelta) -> Lease | None:
        millis, now = check_lease(lease.name, lease.holder, ttl), self.ground.now()
        held_by, epoch, expires = self.ground.leases.get(lease.name, ("", 0, 0.0))
        if (held_by, epoch) != (lease.holder, lease.epoch) or now >= expires:
            return None
        self.ground.leases[lease.name] = (held_by, epoch, now + millis / 1000)
        return msgspec.structs.replace(lease, expires=int((now + millis / 1000) * 1000))

    async def release(self, lease: Lease) -> None:
        self.ground.now()
        held_by, epoch, _ = self.ground.leases.get(lease.name, ("", 0, 0.0))
        if (held_by, epoch) == (lease.holder, lease.epoch):
            self.ground.leases[lease.name] = ("", epoch, 0.0)

    async def announce(self, key: str, position: Position) -> bool:
        check_key(key)
        self.ground.now()
        return self.ground.board.post(key, position) and self.ground.positions.update({key: position}) is None

    async def read(self, key: str) -> Position | None:
        check_key(key)
        self.ground.now()
        return self.ground.positions.get(key)

    def watch(self) -> AsyncIterator[tuple[str, Position]]:
        return self._board.watch()

    async def enlist(self, node: str, address: str) -> None:
        check_server(node, address)
        self._nodes.add(node)
        self.ground.servers[node] = address
        self.ground.roster.post(self.ground.servers.values())

    def servers(self) -> AsyncIterator[list[str]]:
        return self._roster.watch()

    async def _follow(self) -> None:
        async for key, position in self.ground.board.watch():
            self._board.post(key, position)

    async def _follow_servers(self) -> None:
        async for addresses in self.ground.roster.watch():
            self._roster.post(addresses)


def fresh_name() -> str:
    """Give a lease's name that no other test uses."""
    return f"test.{uuid.uuid4().hex}"


def fresh_key() -> str:
    """Give a key that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}/dev/center/app:config"


async def until(watch: AsyncIterator[T], wanted: Callable[[T], bool]) -> T:
    """Read a watch until it gives what is wanted.

    Raises:
        TimeoutError: it does not come.
    """
    async with asyncio.timeout(DEADLINE):
        async for value in watch:
            if wanted(value):
                return value
    raise AssertionError("the watch ended")


async def until_true(check: Callable[[], bool]) -> None:
    """Wait until a check holds.

    Raises:
        TimeoutError: it does not.
    """
    async with asyncio.timeout(DEADLINE):
        while not check():  # noqa: ASYNC110  # whatever it looks at sets no event
            await asyncio.sleep(0.02)


async def refuses(doing: Awaitable[object]) -> None:
    """Check that a call is refused as invalid."""
    try:
        await doing
    except errors.InvalidRequestError:
        return
    raise AssertionError("it was accepted")


class CoordinationConformance:
    """The tests. None of them looks at how an adapter does it."""

    async def test_a_lease_is_held_by_one(self, open_one: OpenOne) -> None:
        here, there, name = await open_one(), await open_one(), fresh_name()
        lease = await here.acquire(name, "a", LONG)
        assert lease is not None
        assert (lease.name, lease.holder) == (name, "a")
        assert lease.epoch >= 1
        assert await there.acquire(name, "b", LONG) is None
        assert await there.acquire(fresh_name(), "b", LONG) is not None

    async def test_a_released_lease_passes_on_with_a_greater_epoch(self, open_one: OpenOne) -> None:
        here, there, name = await open_one(), await open_one(), fresh_name()
        first = await here.acquire(name, "a", LONG)
        assert first is not None
        await here.release(first)
        second = await there.acquire(name, "b", LONG)
        assert second is not None
        assert second.epoch > first.epoch

    async def test_release_is_idempotent_and_frees_nobody_else(self, open_one: OpenOne) -> None:
        here, there, name = await open_one(), await open_one(), fresh_name()
        first = await here.acquire(name, "a", LONG)
        assert first is not None
        await here.release(first)
        await here.release(first)
        second = await there.acquire(name, "b", LONG)
        assert second is not None
        await here.release(first)
        assert await here.acquire(name, "a", LONG) is None
        assert await there.renew(second, LONG) is not None
        await here.release(Lease(name=fresh_name(), holder="a", epoch=1, expires=0))

    async def test_an_expired_lease_passes_on(self, open_one: OpenOne) -> None:
        here, there, name = await open_one(), await open_one(), fresh_name()
        first = await here.acquire(name, "a", SHORT)
        assert first is not None
        await asyncio.sleep(SHORT.total_seconds() * 1.5)
        second = await there.acquire(name, "b", LONG)
        assert second is not None
        assert second.epoch > first.epoch
        assert await here.renew(first, LONG) is None
        assert await there.renew(second, LONG) is not None

    async def test_an_expired_lease_is_not_renewed_even_when_nobody_took_it(self, open_one: OpenOne) -> None:
        here, name = await open_one(), fresh_name()
        first = await here.acquire(name, "a", SHORT)
        assert first is not None
        await asyncio.sleep(SHORT.total_seconds() * 1.5)
        assert await here.renew(first, LONG) is None
        again = await here.acquire(name, "b", LONG)
        assert again is not None
        assert again.epoch > first.epoch

    async def test_a_renewed_lease_outlives_its_first_ttl(self, open_one: OpenOne) -> None:
        here, there, name = await open_one(), await open_one(), fresh_name()
        lease = await here.acquire(name, "a", timedelta(seconds=2))
        assert lease is not None
        renewed = await here.renew(lease, LONG)
        assert renewed is not None
        assert renewed.epoch == lease.epoch
        assert renewed.expires > lease.expires
        await asyncio.sleep(2.2)
        assert await there.acquire(name, "b", LONG) is None
        assert await here.renew(renewed, LONG) is not None

    async def test_a_released_lease_is_not_renewed(self, open_one: OpenOne) -> None:
        here, name = await open_one(), fresh_name()
        lease = await here.acquire(name, "a", LONG)
        assert lease is not None
        await here.release(lease)
        assert await here.renew(lease, LONG) is None

    async def test_a_holder_that_asks_again_supersedes_itself(self, open_one: OpenOne) -> None:
        here, there, name = await open_one(), await open_one(), fresh_name()
        first = await here.acquire(name, "a", LONG)
        again = await here.acquire(name, "a", LONG)
        assert first is not None
        assert again is not None
        assert again.epoch > first.epoch
        assert await here.renew(first, LONG) is None
        await here.release(first)
        assert await there.acquire(name, "b", LONG) is None

    async def test_many_contenders_never_share_an_epoch_nor_the_lease(self, open_one: OpenOne) -> None:
        sides = [await open_one() for _ in range(3)]
        name, leases, inside = fresh_name(), list[Lease](), set[str]()

        async def contend(number: int) -> None:
            side, holder = sides[number % len(sides)], f"holder-{number}"
            for _ in range(6):
                lease = await side.acquire(name, holder, LONG)
                if lease is None:
                    await asyncio.sleep(0.005)
                    continue
                assert not inside, f"{holder} got the lease that {inside} holds"
                inside.add(holder)
                leases.append(lease)
                await asyncio.sleep(0.002)
                inside.discard(holder)
                await side.release(lease)

        async with asyncio.timeout(DEADLINE * 2):
            await asyncio.gather(*(contend(number) for number in range(12)))
        epochs = [lease.epoch for lease in leases]
        assert len(leases) >= 2
        assert epochs == sorted(set(epochs))

    async def test_first_takers_of_a_new_name_race(self, open_one: OpenOne) -> None:
        sides = [await open_one() for _ in range(3)]
        for _ in range(3):
            name = fresh_name()
            taken = await asyncio.gather(*(side.acquire(name, f"h{n}", LONG) for n, side in enumerate(sides)))
            assert sum(lease is not None for lease in taken) == 1

    async def test_what_is_no_lease_is_refused(self, open_one: OpenOne) -> None:
        here = await open_one()
        await refuses(here.acquire("../etc", "a", LONG))
        await refuses(here.acquire("no/slash", "a", LONG))
        await refuses(here.acquire("fine", "", LONG))
        await refuses(here.acquire("fine", "h" * 129, LONG))
        await refuses(here.acquire("fine", "a", timedelta(0)))
        await refuses(here.acquire("fine", "a", timedelta(days=2)))

    async def test_only_a_newer_position_is_set(self, open_one: OpenOne) -> None:
        here, there, key = await open_one(), await open_one(), fresh_key()
        assert await there.read(key) is None
        for position, newer in (
            (Position(epoch=1, revision=5), True),
            (Position(epoch=1, revision=5), False),
            (Position(epoch=1, revision=4), False),
            (Position(epoch=1, revision=10), True),
            (Position(epoch=2, revision=1), True),
            (Position(epoch=1, revision=99), False),
        ):
            assert await here.announce(key, position) is newer
        assert await there.read(key) == Position(epoch=2, revision=1)

    async def test_racing_announcements_leave_the_newest(self, open_one: OpenOne) -> None:
        sides = [await open_one() for _ in range(3)]
        key = fresh_key()
        async with asyncio.timeout(DEADLINE):
            news = await asyncio.gather(
                *(sides[n % 3].announce(key, Position(epoch=1, revision=n)) for n in (3, 1, 8, 5, 2, 9, 4, 7, 6))
            )
        assert any(news)
        assert await sides[0].read(key) == Position(epoch=1, revision=9)

    async def test_a_watch_gives_what_is_there_and_then_each_newest(self, open_one: OpenOne) -> None:
        here, there, before, after = await open_one(), await open_one(), fresh_key(), fresh_key()
        await here.announce(before, Position(epoch=1, revision=1))
        watch = there.watch()
        assert await until(watch, lambda change: change[0] == before) == (before, Position(epoch=1, revision=1))
        await here.announce(after, Position(epoch=1, revision=1))
        await until(watch, lambda change: change == (after, Position(epoch=1, revision=1)))
        for revision in range(2, 30):
            await here.announce(after, Position(epoch=1, revision=revision))
        await until(watch, lambda change: change == (after, Position(epoch=1, revision=29)))
        late = there.watch()
        await until(late, lambda change: change == (after, Position(epoch=1, revision=29)))

    async def test_a_watch_never_goes_back(self, open_one: OpenOne) -> None:
        here, there, key = await open_one(), await open_one(), fresh_key()
        heard: list[Position] = []

        def last(change: tuple[str, Position]) -> bool:
            if change[0] == key:
                heard.append(change[1])
            return change == (key, Position(epoch=2, revision=1))

        watch = there.watch()
        reading = asyncio.create_task(until(watch, last))
        for epoch, revision in ((1, 3), (1, 2), (1, 7), (1, 6), (2, 1), (1, 9)):
            await here.announce(key, Position(epoch=epoch, revision=revision))
        await reading
        assert heard == sorted(set(heard))

    async def test_what_is_no_key_is_refused(self, open_one: OpenOne) -> None:
        here = await open_one()
        for key in ("", "a/b/c:d", "a/b/c/d", "a/../c/d:config", "servers/b/c/d:config", "a/b/c/d:" + "x" * 65):
            await refuses(here.announce(key, Position(epoch=1, revision=1)))
            await refuses(here.read(key))

    async def test_servers_are_listed_until_they_close(self, open_one: OpenOne) -> None:
        here, there, token = await open_one(), await open_one(), uuid.uuid4().hex[:8]
        first, second = f"http://a-{token}:1", f"http://b-{token}:1"
        list_ = here.servers()
        await here.enlist(f"a-{token}", first)
        await until(list_, lambda servers: first in servers and second not in servers)
        await there.enlist(f"b-{token}", second)
        found = await until(list_, lambda servers: {first, second} <= set(servers))
        assert found == sorted(found)
        await there.__aexit__(None, None, None)
        await until(list_, lambda servers: first in servers and second not in servers)

    async def test_a_server_may_change_its_address(self, open_one: OpenOne) -> None:
        here, token = await open_one(), uuid.uuid4().hex[:8]
        await here.enlist(f"a-{token}", f"http://a-{token}:1")
        await here.enlist(f"a-{token}", f"http://a-{token}:2")
        servers = await until(here.servers(), lambda servers: f"http://a-{token}:2" in servers)
        assert f"http://a-{token}:1" not in servers
        await refuses(here.enlist("no/slash", "http://a:1"))
        await refuses(here.enlist("fine", ""))

    async def test_watches_end_when_the_coordination_closes(self, open_one: OpenOne) -> None:
        here = await open_one()
        await here.announce(fresh_key(), Position(epoch=1, revision=1))

        async def read_all(watch: AsyncIterator[object]) -> None:
            async for _ in watch:
                pass

        readers = [asyncio.create_task(read_all(watch)) for watch in (here.watch(), here.servers())]
        await asyncio.sleep(0.1)
        await here.__aexit__(None, None, None)
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*readers)

    async def test_it_says_that_it_works(self, open_one: OpenOne) -> None:
        here = await open_one()
        await until_true(lambda: here.condition.ready)
        assert here.condition.reason == ""
