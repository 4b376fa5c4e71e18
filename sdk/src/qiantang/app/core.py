"""Core: what both faces of an App stand on: the uplink, the mirror and the configuration, opened and closed together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import weakref
from collections.abc import Awaitable, Generator
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from qiantang.app import settings
from qiantang.app.settings import Options
from qiantang.config import client
from qiantang.config.model import CAPABILITY
from qiantang.kernel import errors, mirror, resource, runtime
from qiantang.kernel.uplink import Limits, Tls, Uplink
from qiantang.kernel.uplink.adapters import zookeeper

if TYPE_CHECKING:
    from qiantang.app.calls import Calls, Offered
    from qiantang.app.messages import Messages

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0

DEFINITE = (errors.UnauthenticatedError, errors.ForbiddenError, errors.NotFoundError, errors.GoneError)
"""What a control plane that is well may answer: then neither a copy nor the defaults are used."""


class NothingToStartFromError(errors.UnavailableError):
    """Neither the control plane nor a copy on disk was there at start."""

    code = "app.nothing_to_start_from"


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How an App stands, for a health page.

    `source` says where the configuration in use came from; `stale_since` since when (seconds since 1970) it may be
    behind, None while it is known to be the newest. `positions` are epoch:revision by bundle. `problem` is what is
    wrong now; `failures` are the callbacks that did not take the last change in.
    """

    scope: str
    instance: str
    open: bool
    connected: bool = False
    source: Literal["center", "disk", "none"] = "none"
    stale_since: float | None = None
    positions: dict[str, str] = {}
    problem: str = ""
    failures: list[client.Failure] = []

    @property
    def well(self) -> bool:
        """Whether the newest configuration is in use, and everybody took it in."""
        return self.open and self.stale_since is None and not self.problem and not self.failures


class Core:
    """One application in this process."""

    def __init__(self, options: Options) -> None:
        self._options = options
        said = settings.read(options)
        self.settings: Final = said
        self.instance: Final = said.running()
        self.config: Final = client.ConfigClient(said.place, said.cluster, limit=said.callback_timeout.total_seconds())
        self._uplink: Uplink | None = None
        self._mirror: mirror.Mirror | None = None
        self._messages: Messages | None = None
        self._calls: Calls | None = None
        self._offered: Offered | None = None
        self._misfit: errors.QiantangError | None = None
        runtime.register(self)

    @property
    def messages(self) -> Messages:
        """The application's messages; who never asks for them pays nothing for them.

        Raises:
            ConflictError: it is open already, without them.
        """
        if self._messages is None:
            if self._mirror is not None:
                raise errors.ConflictError(
                    f"the App of {self.settings.place} was opened without its bus: use `app.bus` before it is opened"
                )
            from qiantang.app.messages import Messages  # noqa: PLC0415 -- it brings all of the client

            self._messages = Messages(self.settings.place)
        return self._messages

    @property
    def calls(self) -> Calls:
        """What the application provides to others and calls of others; who never asks for it pays nothing for it.

        Raises:
            ConflictError: it is open already, without them.
            MisconfiguredError: settings of them are unknown or wrong.
        """
        if self._calls is None:
            if self._mirror is not None:
                raise errors.ConflictError(
                    f"the App of {self.settings.place} was opened without calls: say what it provides and calls before"
                )
            from qiantang.app.calls import Calls, Offered  # noqa: PLC0415 -- it brings all of the client

            self._calls = Calls(self.settings, self._options)
            self._offered = Offered(self._calls, self.settings.place)
        return self._calls

    async def open(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Connect, and make everything that is bound; coroutine callbacks run on `loop`. On the runtime's loop.

        Raises:
            MismatchError: what is published does not fit a bound model.
            UnauthenticatedError, ForbiddenError, NotFoundError, GoneError: the control plane refuses the application.
            NothingToStartFromError: there is no control plane and no copy, and that is not to be started from.
            ConflictError: it is open already.
        """
        if self._mirror is not None:
            raise errors.ConflictError(f"the App of {self.settings.place} is open already")
        self.config.loop = loop
        self._uplink = self._new_uplink()
        self._mirror = mirror.Mirror(
            self._uplink,
            self.settings.place,
            self.instance,
            [CAPABILITY, *(part.capability for part in self._parts)],
            folder=self.settings.copy_folder(),
            secret=self.settings.secret.reveal(),
        )
        self.config.wake = self._mirror.resume
        subscription = self._mirror.subscribe(CAPABILITY, self._tell, prepare=self._take, swapped=self.config.tell)
        self.config.when_caught_up(lambda: subscription.report(self._outcome()))
        for part in self._parts:
            self._mirror.subscribe(part.capability, part.tell, prepare=part.prepare)
        try:
            view = await self._mirror.open(self.settings.start_deadline.total_seconds())
            await self._begin(view)
            for part in self._parts:
                await part.open(loop or asyncio.get_running_loop(), self._uplink)
        except BaseException:
            await self.close()
            raise
        _open.add(self)

    async def close(self) -> None:
        """Disconnect; what was read stays readable. Closing twice does nothing."""
        _open.discard(self)
        for part in reversed(self._parts):
            await part.close()  # within a time of its own: what waits is sent, what is under way answered
        line, self._mirror = self._mirror, None
        uplink, self._uplink = self._uplink, None
        self.config.wake = _no_wake
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.config.close()
                if line is not None:
                    await line.close()
                if uplink is not None:
                    await uplink.close()
        except TimeoutError:
            logger.warning("the App did not close in time", extra={"scope": str(self.settings.place)})
        self.config.loop = None

    def status(self) -> Status:
        """Tell how it stands, from any thread; in a forked child it has the line opened."""
        place, name, line = str(self.settings.place), self.instance.name, self._mirror
        if line is None:
            return Status(scope=place, instance=name, open=False, failures=self.config.failures)
        line.resume()
        found = line.status()
        return Status(
            scope=place,
            instance=name,
            open=True,
            connected=found.connected,
            source=found.source,
            stale_since=found.stale_since,
            positions={bundle.bundle: bundle.applied for bundle in found.bundles},
            problem=found.problem or "; ".join(part.problem for part in self._parts if part.problem),
            failures=self.config.failures,
        )

    def after_fork(self) -> None:
        """Keep what is held, and forget what the parent's loops were doing; the mirror forgets by itself."""
        self.config.forked()

    def listen_again(self) -> None:
        """Open the line in a forked child where callbacks wait for changes; elsewhere the first read does."""
        if self.config.hears and self._mirror is not None:
            self._mirror.resume()

    @property
    def _parts(self) -> list[Messages | Calls | Offered]:
        """What is used beside the configuration, in the order in which it opens."""
        return [part for part in (self._messages, self._calls, self._offered) if part is not None]

    def _new_uplink(self) -> Uplink:
        said = self.settings
        sources = [zookeeper.ZooKeeperServers(said.zookeeper)] if said.zookeeper else []
        return Uplink(
            said.servers,
            sources=sources,
            credential_id=said.credential,
            secret=said.secret.reveal(),
            tls=Tls(said.authority_file, said.certificate_file, said.key_file),
            limits=Limits(deadline=10.0, connections=2),
            folder=said.copy_folder(),
        )

    async def _begin(self, view: mirror.MirrorView) -> None:
        """See that there is something to start from; the first view was taken in already, if it was fit."""
        if self._misfit is not None:
            raise self._misfit
        if self.config.bundle in view.snapshots:
            return
        if isinstance(view.problem, DEFINITE):
            raise view.problem
        if self.settings.start_policy == "fail":
            raise self._nothing(view.problem)
        await self.config.take({})
        logger.warning("started with the declared defaults", extra={"scope": str(self.settings.place)})

    def _nothing(self, problem: errors.QiantangError | None) -> NothingToStartFromError:
        said = self.settings
        where = ", ".join(said.servers) or f"ZooKeeper {said.zookeeper}"
        why = f" ({problem.detail})" if problem is not None else ""
        return NothingToStartFromError(
            f"{said.place} cannot start: the control plane at {where} gave no answer within"
            f" {said.start_deadline.total_seconds():g} s{why}, and there is no copy on disk that could be used."
            " Start it or correct QIANTANG_CLIENT_SERVERS; with start_policy=defaults the declared defaults do"
        )

    def _take(
        self, _before: mirror.MirrorView, after: mirror.MirrorView
    ) -> Awaitable[mirror.Outcome | None] | mirror.Outcome | None:
        """Take a new view in as a whole, or reject it; a large one is worked on elsewhere meanwhile."""
        snapshots = after.of(CAPABILITY)
        if self.config.is_large(snapshots):
            return self._take_large(snapshots, after)
        with self._noting_misfit():
            self.config.take_now(snapshots)
        return self._answer(after)

    async def _take_large(
        self, snapshots: dict[resource.Bundle, resource.Snapshot], after: mirror.MirrorView
    ) -> mirror.Outcome | None:
        with self._noting_misfit():
            await self.config.take_large(snapshots)
        return self._answer(after)

    @contextlib.contextmanager
    def _noting_misfit(self) -> Generator[None]:
        self._misfit = None
        try:
            yield
        except errors.InvalidRequestError as error:
            self._misfit = error

    def _answer(self, after: mirror.MirrorView) -> mirror.Outcome | None:
        """Reject what does not fit, and say so in the log."""
        if self._misfit is None:
            return None
        own = after.snapshots.get(self.config.bundle)
        place, position = str(self.settings.place), str(own.position) if own is not None else ""
        problem = str(self._misfit)
        logger.error(
            "a release of the configuration is rejected: what was in use stays",
            extra={"scope": place, "position": position, "error": problem},
        )
        return mirror.Outcome(status="rejected", error=problem)

    async def _tell(self, _before: mirror.MirrorView, _after: mirror.MirrorView) -> mirror.Outcome:
        """Say how the callbacks took it: they were set off when it was taken in."""
        await self.config.settled()
        return self._outcome()

    def _outcome(self) -> mirror.Outcome:
        failures = self.config.failures
        if not failures:
            return mirror.APPLIED
        return mirror.Outcome(status="failed", error="; ".join(str(failure) for failure in failures))


def _no_wake() -> None:
    """There is no line to open."""


_open: weakref.WeakSet[Core] = weakref.WeakSet()


def _after_fork() -> None:
    for core in list(_open):
        core.listen_again()


os.register_at_fork(after_in_child=_after_fork)  # registered after the runtime's, so run after it
