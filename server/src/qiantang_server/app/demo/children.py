"""Children: the demo's processes, started again when they end by themselves, and ended with the platform."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence

from qiantang.kernel.backoff import Backoff

log = logging.getLogger(__name__)
STOP_SECONDS = 2.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
STEADY_SECONDS = 60.0
"""Who ran for so long is started again at once, as it were for the first time."""
HOST = (sys.executable, "-m", "qiantang_server.app.demo.host")
QUIET = ("/bin/sh", "-c", 'trap "" INT; exec "$0" "$@"')
"""A child leaves Ctrl-C to the platform from its first moment on, before Python could say what it thinks of it."""


class Child:
    """One process. `tell` gives what it reads first, as late as possible; nothing where there is nothing to run."""

    def __init__(
        self, name: str, tell: Callable[[], Awaitable[bytes]], command: Sequence[str] = HOST, pause: float = FIRST_PAUSE
    ) -> None:
        self.name = name
        self.process: asyncio.subprocess.Process | None = None
        self._tell = tell
        self._command = command
        self._first_pause = pause

    async def run(self) -> None:
        """Keep it running until cancelled; it has ended then."""
        backoff = Backoff(self._first_pause, LONGEST_PAUSE, spread=0)
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            code = await self._once()
            if loop.time() - began > STEADY_SECONDS:
                backoff.reset()
            pause = backoff.next()
            facts = {"service": self.name, "exit_code": code, "pause": pause}
            log.warning("a service of the demo ended and is started again", extra=facts)
            await asyncio.sleep(pause)

    async def _once(self) -> int:
        """Run it to its end."""
        first = await self._tell()
        if not first:
            log.info("a service of the demo has nowhere to run any more", extra={"service": self.name})
            await asyncio.get_running_loop().create_future()  # until cancelled
        self.process = await asyncio.create_subprocess_exec(
            *QUIET,
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            env=environment(),
            start_new_session=True,
        )
        try:
            stdin = self.process.stdin
            assert stdin is not None  # noqa: S101  # it was asked for
            with contextlib.suppress(ConnectionError):
                stdin.write(first + b"\n")
                await stdin.drain()
            return await self.process.wait()
        finally:
            await _end(self.process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, and end it where it does not."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def environment() -> dict[str, str]:
    """Give the environment without what would tell an App who it is: the child is told that by its parent."""
    return {name: value for name, value in os.environ.items() if not name.startswith("QIANTANG_")}
