"""Jobs: background loops that one server at a time runs, under a lease with a fencing epoch; and loops that every server runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from qiantang.kernel import errors, ids
from qiantang.kernel.observe import BoundedLog
from qiantang_server.kernel.coordination.port import Coordination, Lease

log = logging.getLogger(__name__)
MIN_TTL = 10.0
MAX_TTL = 60.0
STANDBY_SECONDS = 2.0
STOP_SECONDS = 2.0
RELEASE_SECONDS = 1.0
RESTART_SECONDS = 1.0
_MAX_ERROR = 500


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a run of a job knows. Whoever stores under the job passes `epoch` on, so that a late run of a former holder is
    refused.
    """

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be done again and again by one server: `every` after the run before ended, spread by `jitter` of it.

    A run is broken off after `limit`, and as soon as its server no longer holds the lease: so it must be safe to break
    off at each await, and to run again.
    """

    name: str
    every: timedelta
    run: Callable[[JobContext], Awaitable[None]]
    jitter: float = 0.1
    limit: timedelta = timedelta(hours=1)


@dataclass(slots=True)
class JobStatus:
    """How a job goes on this server. `last_run` is in milliseconds UTC, zero for never; `took` is in seconds."""

    name: str
    holds: bool = False
    running: bool = False
    epoch: int = 0
    runs: int = 0
    failures: int = 0
    last_error: str = ""
    last_run: int = 0
    took: float = 0.0


class JobRunner:
    """Runs jobs whose leases this server holds. Open it as an async context manager; closing gives the leases up.

    A job stays with its server while that one renews the lease, three times per ttl. A renewal that fails is tried again
    until shortly before the lease would expire; then the run is broken off, so that two servers never run a job at once.
    Time is the event loop's.
    """

    def __init__(self, coordination: Coordination, jobs: Sequence[Job], *, holder: str) -> None:
        self._coordination = coordination
        self._jobs = jobs
        self._holder = f"{holder[:100]}-{ids.ordered_id()[-12:]}"
        self._failures = BoundedLog(log, first=1)
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.status = {job.name: JobStatus(job.name) for job in jobs}
        if len(self.status) != len(jobs):
            raise errors.MisconfiguredError("two jobs have the same name")

    async def __aenter__(self) -> Self:
        """Start the loops."""
        self._tasks = [asyncio.create_task(self._loop(job), name=f"job-{job.name}") for job in self._jobs]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Start no more runs; let those under way end within two seconds, then break them off. Free the leases."""
        self._stopping.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            stuck = (await asyncio.wait(self._tasks, timeout=STOP_SECONDS))[1]
            if stuck:
                log.warning("jobs did not stop in time", extra={"jobs": sorted(task.get_name() for task in stuck)})
        self._failures.flush()

    async def _loop(self, job: Job) -> None:
        pause = min(max(job.every.total_seconds(), STANDBY_SECONDS), MIN_TTL)
        while not self._stopping.is_set():
            try:
                await self._hold(job)
            except Exception as error:
                self.status[job.name].last_error = str(error)[:_MAX_ERROR]
                fields = {"job": job.name, "reason": str(error)[:_MAX_ERROR]}
                self._failures.failure(f"{job.name} lease", "a job cannot run now", level=logging.WARNING, extra=fields)
            await self._sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  # jitter, not a secret

    async def _hold(self, job: Job) -> None:
        """Run the job as long as this server holds its lease; return when another has it, or at the stop."""
        ttl = timedelta(seconds=max(MIN_TTL, min(MAX_TTL, job.every.total_seconds() * 3)))
        asked = _now()
        lease = await self._coordination.acquire(f"job-{job.name}", self._holder, ttl)
        if lease is None:
            return
        status = self.status[job.name]
        status.holds, status.epoch = True, lease.epoch
        try:
            await self._run_under(job, lease, ttl, asked)
        finally:
            status.holds = False
            await self._release(lease)

    async def _run_under(self, job: Job, lease: Lease, ttl: timedelta, asked: float) -> None:
        work = asyncio.create_task(self._repeat(job, lease.epoch), name=f"job-{job.name}-work")
        keep = asyncio.create_task(self._keep(lease, ttl, asked), name=f"job-{job.name}-lease")
        try:
            await asyncio.wait({work, keep}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                log.warning("a job lost its lease and is broken off", extra={"job": job.name})
        finally:
            work.cancel()
            keep.cancel()
            await asyncio.gather(work, keep, return_exceptions=True)

    async def _keep(self, lease: Lease, ttl: timedelta, asked: float) -> None:
        """Renew the lease; return when it is lost, or so old that it might be. Counted from before each question."""
        seconds = ttl.total_seconds()
        valid_until = asked + seconds * 0.9
        while True:
            await asyncio.sleep(min(seconds / 3, max(0.0, valid_until - _now())))
            while True:
                asked = _now()
                if asked >= valid_until:
                    return
                try:
                    async with asyncio.timeout(valid_until - asked):
                        renewed = await self._coordination.renew(lease, ttl)
                except Exception as error:
                    self._failures.failure(
                        f"{lease.name} renewal",
                        "a job's lease could not be renewed; it is tried again",
                        level=logging.WARNING,
                        extra={"lease": lease.name, "reason": repr(error)[:_MAX_ERROR]},
                    )
                    await asyncio.sleep(min(1.0, max(0.0, valid_until - _now())))
                    continue
                if renewed is None:
                    return
                valid_until = asked + seconds * 0.9
                break

    async def _repeat(self, job: Job, epoch: int) -> None:
        """Run the job again and again, until the stop."""
        every = job.every.total_seconds()
        while not self._stopping.is_set():
            await self._run_once(job, epoch)
            await self._sleep(every * random.uniform(1 - job.jitter, 1 + job.jitter))  # noqa: S311  # jitter

    async def _run_once(self, job: Job, epoch: int) -> None:
        status, began = self.status[job.name], _now()
        status.running, status.last_run = True, time.time_ns() // 1_000_000
        limit = asyncio.timeout(job.limit.total_seconds())
        try:
            async with limit:
                await job.run(JobContext(job.name, epoch))
        except Exception as error:
            status.failures += 1
            late = limit.expired()
            status.last_error = f"broken off after {job.limit}" if late else repr(error)[:_MAX_ERROR]
            self._failures.failure(job.name, "a job failed; it runs again", error=error, extra={"job": job.name})
        else:
            status.last_error = ""
            self._failures.recovered(job.name, "a job runs well again", extra={"job": job.name})
        finally:
            status.running = False
            status.runs += 1
            status.took = round(_now() - began, 6)

    async def _release(self, lease: Lease) -> None:
        """Free the lease, also while this task is being cancelled; it expires by itself where that does not work."""

        async def release() -> None:
            with contextlib.suppress(errors.QiantangError, TimeoutError):
                async with asyncio.timeout(RELEASE_SECONDS):
                    await self._coordination.release(lease)

        await asyncio.shield(asyncio.ensure_future(release()))

    async def _sleep(self, seconds: float) -> None:
        """Sleep, or until the stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def supervised(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a loop of this server for ever: one that fails is logged and started again."""
    while True:
        try:
            await run()
        except errors.QiantangError as error:
            log.warning("a loop stopped and starts again", extra={"loop": name, "reason": error.detail})
        except Exception:
            log.exception("a loop failed and starts again", extra={"loop": name})
        await asyncio.sleep(RESTART_SECONDS)
