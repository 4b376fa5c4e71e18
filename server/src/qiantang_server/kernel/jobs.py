"""Jobs: background loops that one server at a time runs, under a lease with a fencing epoch."""

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

from qiantang.kernel import errors
from qiantang_server.kernel.coordination.port import Coordination, Lease

log = logging.getLogger(__name__)
MIN_TTL = 10.0
STOP_SECONDS = 2.0
LOG_EVERY = 60.0


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a run of a job knows. Whoever stores under the job passes `epoch` on, so that a late run of a former holder is
    refused.
    """

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be done again and again by one server: `every` after the run before ended, spread by `jitter` of it."""

    name: str
    every: timedelta
    run: Callable[[JobContext], Awaitable[None]]
    jitter: float = 0.1


@dataclass(slots=True)
class JobStatus:
    """How a job goes on this server. Times are seconds on the monotonic clock; zero for never."""

    name: str
    holds: bool = False
    runs: int = 0
    failures: int = 0
    last_error: str = ""
    last_run: float = 0.0
    took: float = 0.0


class JobRunner:
    """Runs jobs whose leases this server holds. Open it as an async context manager; closing gives the leases up."""

    def __init__(self, coordination: Coordination, jobs: Sequence[Job], *, holder: str) -> None:
        self._coordination = coordination
        self._jobs = jobs
        self._holder = f"{holder}-{random.randbytes(4).hex()}"  # noqa: S311  # a name, not a secret
        self._tasks: list[asyncio.Task[None]] = []
        self.status = {job.name: JobStatus(job.name) for job in jobs}

    async def __aenter__(self) -> Self:
        """Start the loops."""
        self._tasks = [asyncio.create_task(self._loop(job), name=f"job-{job.name}") for job in self._jobs]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Break off what runs and free the leases, within two seconds."""
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _loop(self, job: Job) -> None:
        complained = 0.0
        pause = min(job.every.total_seconds(), MIN_TTL)
        while True:
            try:
                await self._hold(job)
            except Exception as error:
                self.status[job.name].last_error = str(error)[:500]
                if time.monotonic() - complained > LOG_EVERY:
                    complained = time.monotonic()
                    log.warning("a job cannot run now", extra={"job": job.name, "reason": str(error)[:500]})
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311

    async def _hold(self, job: Job) -> None:
        """Run the job as long as this server holds its lease; return when another has it."""
        ttl = timedelta(seconds=max(MIN_TTL, min(60.0, job.every.total_seconds() * 3)))
        lease = await self._coordination.acquire(f"job-{job.name}", self._holder, ttl)
        if lease is None:
            return
        status = self.status[job.name]
        status.holds = True
        try:
            await self._run_under(job, lease, ttl)
        finally:
            status.holds = False
            with contextlib.suppress(errors.QiantangError):
                await asyncio.shield(self._coordination.release(lease))

    async def _run_under(self, job: Job, lease: Lease, ttl: timedelta) -> None:
        work = asyncio.create_task(self._repeat(job, lease), name=f"job-{job.name}-work")
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=ttl.total_seconds() / 3)
                if work.done():
                    break
                renewed = await self._renewed(lease, ttl)
                if renewed is None:
                    log.warning("a job lost its lease and is broken off", extra={"job": job.name})
                    return
                lease = renewed
            await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _renewed(self, lease: Lease, ttl: timedelta) -> Lease | None:
        async with asyncio.timeout(ttl.total_seconds() / 3):
            return await self._coordination.renew(lease, ttl)

    async def _repeat(self, job: Job, lease: Lease) -> None:
        status = self.status[job.name]
        context = JobContext(job.name, lease.epoch)
        complained = 0.0
        while True:
            status.last_run = began = time.monotonic()
            try:
                await job.run(context)
                status.last_error = ""
            except Exception as error:
                status.failures += 1
                status.last_error = str(error)[:500]
                if began - complained > LOG_EVERY:
                    complained = began
                    log.exception("a job failed; it runs again", extra={"job": job.name})
            status.runs += 1
            status.took = time.monotonic() - began
            every = job.every.total_seconds()
            await asyncio.sleep(every * random.uniform(1 - job.jitter, 1 + job.jitter))  # noqa: S311
