"""Jobs in virtual time: who runs them, how often, and what ends a run."""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiantang.kernel import errors
from qiantang_server.kernel import jobs as jobs_module
from qiantang_server.kernel.coordination.testing import FakeCoordination, FakeGround
from qiantang_server.kernel.jobs import MIN_TTL, Job, JobContext, JobRunner

from . import virtual_time

SECOND = timedelta(seconds=1)


def now() -> float:
    return asyncio.get_running_loop().time()


def job(run: Callable[[JobContext], Awaitable[None]], every: timedelta = SECOND, **options: object) -> Job:
    return Job("tidy", every, run, **{"jitter": 0.0, **options})  # type: ignore[arg-type]


def test_a_job_runs_every_so_often_on_one_server() -> None:
    async def main() -> None:
        ground, runs = FakeGround(), list[tuple[str, float]]()

        def on(server: str) -> Job:
            async def run(_: JobContext) -> None:
                runs.append((server, now()))

            return job(run, timedelta(seconds=10))

        async with FakeCoordination(ground) as a, FakeCoordination(ground) as b:
            async with JobRunner(a, [on("a")], holder="a") as first, JobRunner(b, [on("b")], holder="b") as second:
                await asyncio.sleep(95)
                assert first.status["tidy"].holds != second.status["tidy"].holds
                holder = first if first.status["tidy"].holds else second
                assert holder.status["tidy"].runs == 10
                assert holder.status["tidy"].last_run > 0
        assert len({server for server, _ in runs}) == 1
        assert [round(later - earlier) for (_, earlier), (_, later) in itertools.pairwise(runs)] == [10] * 9

    virtual_time.run(main())


def test_another_server_takes_over_with_a_greater_epoch() -> None:
    async def main() -> None:
        ground, epochs = FakeGround(), list[int]()

        async def run(context: JobContext) -> None:
            epochs.append(context.epoch)

        async with FakeCoordination(ground) as a, FakeCoordination(ground) as b:
            async with JobRunner(a, [job(run)], holder="a"):
                await asyncio.sleep(5)
                async with JobRunner(b, [job(run)], holder="b") as second:
                    await asyncio.sleep(5)
                    assert second.status["tidy"].runs == 0
                    standby = second
                    assert set(epochs) == {1}
            async with JobRunner(b, [job(run)], holder="b"):
                await asyncio.sleep(3)
            assert standby.status["tidy"].runs == 0
        assert set(epochs) == {1, 2}
        assert epochs == sorted(epochs)

    virtual_time.run(main())


def test_a_server_that_dies_is_followed_after_the_ttl() -> None:
    async def main() -> None:
        ground, runs = FakeGround(), list[float]()

        async def run(_: JobContext) -> None:
            runs.append(now())

        async with FakeCoordination(ground) as a:
            await a.acquire("job-tidy", "dead", timedelta(seconds=MIN_TTL))
            died = now()
            async with JobRunner(a, [job(run)], holder="a"):
                await asyncio.sleep(30)
        assert died + MIN_TTL <= runs[0] < died + MIN_TTL + 3

    virtual_time.run(main())


def test_a_long_run_keeps_its_lease() -> None:
    async def main() -> None:
        ground, done = FakeGround(), list[float]()

        async def run(_: JobContext) -> None:
            await asyncio.sleep(300)
            done.append(now())

        async with FakeCoordination(ground) as a, FakeCoordination(ground) as b:
            async with JobRunner(a, [job(run)], holder="a"):
                await asyncio.sleep(0.1)
                async with JobRunner(b, [job(run)], holder="b") as second:
                    await asyncio.sleep(310)
                    assert second.status["tidy"].runs == 0
        assert len(done) == 1

    virtual_time.run(main())


def test_a_lost_lease_breaks_the_run_off(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        ground, broken = FakeGround(), list[float]()

        async def run(_: JobContext) -> None:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                broken.append(now())
                raise

        async with FakeCoordination(ground) as a:
            async with JobRunner(a, [job(run)], holder="a"):
                await asyncio.sleep(1)
                ground.leases["job-tidy"] = ("thief", 99, now() + 60)
                stolen = now()
                await asyncio.sleep(30)
            assert broken
            assert broken[0] - stolen <= MIN_TTL / 3 + 0.1
            assert ground.leases["job-tidy"][0] == "thief", "it frees only its own"

    virtual_time.run(main())
    assert "lost its lease" in caplog.text


def test_an_outage_shorter_than_the_ttl_costs_nothing_and_a_longer_one_ends_the_run_in_time() -> None:
    async def main() -> None:
        ground, ends = FakeGround(), list[float]()

        async def run(_: JobContext) -> None:
            try:
                await asyncio.sleep(10_000)
            finally:
                ends.append(now())

        async with FakeCoordination(ground) as a:
            async with JobRunner(a, [job(run)], holder="a") as runner:
                await asyncio.sleep(10)
                ground.away = errors.UnavailableError("away")
                await asyncio.sleep(MIN_TTL * 0.5)
                ground.away = None
                await asyncio.sleep(60)
                assert ends == []
                ground.away = errors.UnavailableError("away")
                expires = ground.leases["job-tidy"][2]
                await asyncio.sleep(MIN_TTL * 2)
                assert len(ends) == 1
                assert ends[0] < expires, "before anybody else could have it"
                assert "away" in runner.status["tidy"].last_error
                ground.away = None
                await asyncio.sleep(MIN_TTL * 2)
                assert runner.status["tidy"].running

    virtual_time.run(main())


def test_a_hanging_coordination_ends_the_run_in_time() -> None:
    class Hanging(FakeCoordination):
        hang = False

        async def renew(self, lease, ttl):  # type: ignore[no-untyped-def,override]
            if self.hang:
                await asyncio.sleep(10_000)
            return await super().renew(lease, ttl)

    async def main() -> None:
        ground, ends = FakeGround(), list[float]()

        async def run(_: JobContext) -> None:
            try:
                await asyncio.sleep(10_000)
            finally:
                ends.append(now())

        async with Hanging(ground) as a:
            async with JobRunner(a, [job(run)], holder="a"):
                await asyncio.sleep(10)
                a.hang = True
                expires = ground.leases["job-tidy"][2]
                await asyncio.sleep(MIN_TTL * 2)
                assert ends[0] < expires
                a.hang = False

    virtual_time.run(main())


def test_a_failing_job_runs_on_and_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        calls = 0

        async def run(_: JobContext) -> None:
            nonlocal calls
            calls += 1
            if calls <= 500:
                raise ValueError("no luck")

        async with FakeCoordination(FakeGround()) as a, JobRunner(a, [job(run)], holder="a") as runner:
            await asyncio.sleep(300)
            status = runner.status["tidy"]
            assert (status.runs, status.failures) == (calls, calls)
            assert "no luck" in status.last_error
            await asyncio.sleep(300)
            assert status.last_error == ""
            assert status.failures == 500

    virtual_time.run(main())
    failures = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert 1 <= len(failures) <= 12
    assert failures[0].exc_info is not None


def test_a_run_over_its_limit_is_broken_off_and_told() -> None:
    async def main() -> None:
        async def run(_: JobContext) -> None:
            await asyncio.sleep(10_000)

        limited = job(run, limit=timedelta(seconds=30))
        async with FakeCoordination(FakeGround()) as a, JobRunner(a, [limited], holder="a") as runner:
            await asyncio.sleep(45)
            assert runner.status["tidy"].failures == 1
            assert "0:00:30" in runner.status["tidy"].last_error

    virtual_time.run(main())


def test_jobs_do_not_wait_for_each_other() -> None:
    async def main() -> None:
        runs = 0

        async def stuck(_: JobContext) -> None:
            await asyncio.sleep(10_000)

        async def quick(_: JobContext) -> None:
            nonlocal runs
            runs += 1

        both = [Job("stuck", SECOND, stuck), Job("quick", SECOND, quick, jitter=0.0)]
        async with FakeCoordination(FakeGround()) as a, JobRunner(a, both, holder="a"):
            await asyncio.sleep(9.5)
        assert runs == 10

    virtual_time.run(main())


def test_the_stop_lets_a_run_end_and_frees_the_lease() -> None:
    async def main() -> None:
        ground, done = FakeGround(), list[str]()

        async def run(_: JobContext) -> None:
            await asyncio.sleep(1)
            done.append("whole")

        async with FakeCoordination(ground) as a:
            async with JobRunner(a, [job(run, timedelta(seconds=60))], holder="a"):
                await asyncio.sleep(0.5)
                stopped = now()
            assert done == ["whole"]
            assert now() - stopped < jobs_module.STOP_SECONDS
            assert ground.leases["job-tidy"][0] == ""

    virtual_time.run(main())


@pytest.mark.parametrize("deaf", [False, True])
def test_the_stop_has_a_deadline(deaf: bool) -> None:
    async def main() -> None:
        ground = FakeGround()

        async def run(_: JobContext) -> None:
            until = now() + 8
            while now() < until:
                try:
                    await asyncio.sleep(1)
                except asyncio.CancelledError:
                    if not deaf:
                        raise

        async with FakeCoordination(ground) as a:
            async with JobRunner(a, [job(run, timedelta(seconds=60))], holder="a"):
                await asyncio.sleep(0.5)
                stopped = now()
            assert now() - stopped <= 2 * jobs_module.STOP_SECONDS + 0.1
            if not deaf:
                assert ground.leases["job-tidy"][0] == ""
            await asyncio.sleep(20)

    virtual_time.run(main())


def test_an_idle_job_stops_at_once() -> None:
    async def main() -> None:
        async def run(_: JobContext) -> None:
            return

        async with FakeCoordination(FakeGround()) as a:
            async with JobRunner(a, [job(run, timedelta(hours=1))], holder="a"):
                await asyncio.sleep(10)
                stopped = now()
            assert now() - stopped < 0.01

    virtual_time.run(main())


def test_two_jobs_of_one_name_are_refused() -> None:
    async def run(_: JobContext) -> None:
        return

    with pytest.raises(errors.MisconfiguredError, match="same name"):
        JobRunner(FakeCoordination(FakeGround()), [job(run), job(run)], holder="a")


class TwoServers:
    """Two servers of which one comes and goes, over a coordination that comes and goes."""

    def __init__(self) -> None:
        self.ground = FakeGround()
        self.inside: dict[str, int] = {}
        self.epochs: list[int] = []
        self.sides = {name: FakeCoordination(self.ground) for name in "ab"}
        self.runners: dict[str, JobRunner] = {}

    async def run(self, server: str, context: JobContext) -> None:
        assert not self.inside, f"{server} runs beside {self.inside}"
        self.inside[server] = context.epoch
        self.epochs.append(context.epoch)
        try:
            await asyncio.sleep(3)
        finally:
            del self.inside[server]

    async def start(self, server: str) -> None:
        if server not in self.runners:
            one = JobRunner(self.sides[server], [job(functools.partial(self.run, server))], holder=server)
            self.runners[server] = await one.__aenter__()

    async def stop(self, server: str) -> None:
        if server in self.runners:
            await self.runners.pop(server).__aexit__(None, None, None)

    async def step(self, name: str) -> None:
        if name in {"out", "back"}:
            self.ground.away = errors.UnavailableError("away") if name == "out" else None
        else:
            await (self.start("b") if name == "start" else self.stop("b"))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["out", "back", "start", "stop"]), st.floats(0.1, 15)), min_size=1, max_size=12)
)
def test_whatever_happens_no_two_servers_run_at_once(steps: list[tuple[str, float]]) -> None:
    async def main() -> None:
        world = TwoServers()
        await world.start("a")
        await world.start("b")
        for name, seconds in steps:
            await world.step(name)
            await asyncio.sleep(seconds)
        await world.step("back")
        before = len(world.epochs)
        await asyncio.sleep(60)
        assert len(world.epochs) > before, "it runs again in the end"
        for runner in world.runners.values():
            assert "runs beside" not in runner.status["tidy"].last_error
            assert runner.status["tidy"].failures == 0
        await world.stop("a")
        await world.stop("b")
        assert world.epochs == sorted(world.epochs)

    virtual_time.run(main())
