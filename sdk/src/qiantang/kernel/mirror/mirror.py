"""Mirror: what an application holds of the control plane, kept up to date on the runtime's loop; reads never wait."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from qiantang.kernel import errors, observe, protocol, resource, runtime
from qiantang.kernel import scope as scopes
from qiantang.kernel.mirror.acknowledgements import Acknowledgements
from qiantang.kernel.mirror.core import Action, Apply, Connect, Core, FallBack, Fetch
from qiantang.kernel.mirror.disk import LastGoodCopy
from qiantang.kernel.mirror.listeners import Listeners, Subscription
from qiantang.kernel.mirror.pace import Pace
from qiantang.kernel.mirror.storing import Storing
from qiantang.kernel.mirror.stream import Announcer, Stream
from qiantang.kernel.mirror.swap import Swap
from qiantang.kernel.mirror.view import BundleStatus, Listener, MirrorStatus, MirrorView, Prepare
from qiantang.kernel.uplink import Uplink

logger = logging.getLogger(__name__)
_failures = observe.BoundedLog(logger, first=1, period=300.0)

FETCHES_AT_A_TIME = 4
FETCH_SECONDS = 10.0
RESTORE_SECONDS = 10.0


class Mirror:
    """A local, atomic, frozen state of one application's bundles of some capabilities.

    `view` is read without lock or await, from any thread. It starts from the control plane, else from the last good copy in
    `folder` (encrypted with a key from `secret`), else empty; after a refusal (401, 403, 404, 410) never from the copy. When
    the control plane goes away the view stays and says since when. After a fork the child opens its own line when it first
    reads `view`, or by `resume`.
    """

    def __init__(
        self,
        uplink: Uplink,
        scope: scopes.Scope,
        instance: scopes.Instance,
        capabilities: Sequence[str],
        *,
        folder: Path | None = None,
        secret: str = "",
        clock: Callable[[], float] = time.time,
        poll_seconds: float = 30.0,
    ) -> None:
        if folder is not None and not secret:
            raise errors.MisconfiguredError("a copy on disk needs the credential's secret to encrypt it with")
        self.scope = scope
        self._uplink = uplink
        self._instance = instance
        self._capabilities = list(capabilities)
        self._clock = clock
        self._chance = random.Random()  # noqa: S311  # spreads load, guards nothing
        roots = [resource.Bundle(scope=scope, capability=name) for name in self._capabilities]
        self._core = Core(roots, self._chance, poll_seconds)
        self._listeners = Listeners(self._caught_up)
        self._swap = Swap(self._listeners, settled=self._settled, told=self._told)
        self._words = Acknowledgements(uplink, scope, instance, Pace(self._chance, poll_seconds))
        self._copies = LastGoodCopy(folder, scope, secret) if folder is not None else None
        self._announcer = Announcer(scope)
        self._copy_saved_at: float | None = None
        self._lock = threading.Lock()
        self._running = False
        self._forked = False
        self._new_loop_state()
        runtime.register(self)

    def __repr__(self) -> str:
        """Show whose it is; never what it holds."""
        return f"Mirror({self.scope}, {self._capabilities})"

    def _new_loop_state(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._places = asyncio.Semaphore(FETCHES_AT_A_TIME)
        self._first = asyncio.Event()
        self._storing = Storing(self._copies, self._clock)

    # -- what an application calls -------------------------------------------------------------------------

    @property
    def view(self) -> MirrorView:
        """The state in use: keep the reference for as long as one consistent state is wanted."""
        if self._forked:
            self.resume()
        return self._swap.view

    async def open(self, deadline: float = 3.0) -> MirrorView:
        """Start, and give the first view: from the control plane within `deadline` seconds, else from disk, else empty.

        Nothing is raised for what may be wrong out there: `view.problem` tells. Opening twice gives the view.
        """
        return await runtime.bridge(self._open(deadline))

    async def close(self) -> None:
        """Stop. The view stays readable and is not updated any more."""
        await runtime.bridge(self._close())

    def subscribe(
        self,
        capability: str,
        listener: Listener,
        *,
        prepare: Prepare | None = None,
        swapped: Callable[[], None] | None = None,
    ) -> Subscription:
        """Have `listener` told of each swap that changes the capability, from now on; give what ends that.

        `prepare` is asked before the swap and may reject the new content for the capability. Both run on the runtime's
        loop in tasks of their own: they must not block it; the one is given up after 10 s, the other after 60 s. `swapped` is
        called in the turn of the swap, right after it; it must neither raise nor block.
        """
        seen = self._swap.view
        subscription = self._listeners.subscribe(capability, listener, prepare, swapped, seen)
        if self._swap.view is not seen:  # swapped in between: it has not heard of that
            runtime.loop().call_soon_threadsafe(self._tell)
        return subscription

    def status(self) -> MirrorStatus:
        """Tell where everything stands, for a health page; from any thread."""
        view = self._swap.view
        words = self._words.latest
        return MirrorStatus(
            scope=str(self.scope),
            instance=self._instance.name,
            connected=self._core.is_connected,
            source=view.source,
            stale_since=view.stale_since,
            problem=str(view.problem) if view.problem is not None else "",
            bundles=[
                BundleStatus(
                    bundle=str(bundle),
                    seen=str(self._core.seen(bundle)),
                    applied=str(self._core.applied(bundle)),
                    status=words[bundle].status if bundle in words else "waiting",
                    error=words[bundle].error if bundle in words else "",
                )
                for bundle in sorted({*view.snapshots, *words})
            ],
        )

    # -- fork ----------------------------------------------------------------------------------------------

    def after_fork(self) -> None:
        """Forget the parent's loop; what is held stays readable."""
        self._lock = threading.Lock()
        self._chance.seed()
        self._listeners.after_fork()
        self._swap.after_fork()
        self._words.after_fork()
        self._new_loop_state()
        self._forked = self._running

    def resume(self) -> None:
        """Open the line again in a forked child; reading `view` does it as well. Returns at once."""
        with self._lock:
            if not self._forked:
                return
            self._forked = False
        runtime.submit(self._resume())

    async def _resume(self) -> None:
        if self._instance.process:
            self._instance = msgspec.structs.replace(self._instance, process=os.getpid())
            self._words.instance = self._instance
        self._do(self._core.forked(_now()))

    # -- running, on the runtime's loop ----------------------------------------------------------------------

    async def _open(self, deadline: float) -> MirrorView:
        self.resume()
        if not self._running:
            self._running = True
            self._do(self._core.start(_now()))
        if not await self._first_within(deadline):
            self._do(self._core.give_up(_now()))
            await self._first_within(RESTORE_SECONDS)
        return self._swap.view

    async def _first_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._first.wait()
        return self._first.is_set()

    async def _close(self) -> None:
        self._running = self._forked = False
        if self._timer is not None:
            self._timer.cancel()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._swap.close()
        await self._listeners.close()
        await self._words.close()
        await self._storing.close()

    def _do(self, actions: list[Action]) -> None:
        """Take the core's actions, see to the next tick, and mark the view."""
        if not self._running:
            return
        apply: Apply | None = None
        for action in actions:
            if isinstance(action, Fetch):
                self._spawn(self._fetch(action))
            elif isinstance(action, Apply):
                apply = action
            elif isinstance(action, Connect):
                self._spawn(self._listen(action.after))
            elif isinstance(action, FallBack):
                self._spawn(self._restore())
            else:
                self._storing.forget()
        self._schedule()
        self._mark()
        if apply is not None:  # last: it may be settled before this returns
            self._swap.offer(apply)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _schedule(self) -> None:
        due = self._core.next_due
        if self._timer is not None:
            if due == self._timer.when():
                return
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(due, self._tick) if due is not None else None

    def _tick(self) -> None:
        self._timer = None
        self._do(self._core.tick(_now()))

    def _mark(self) -> None:
        view = self._swap.view
        stale_since = None
        if not self._core.fresh and view.source != "none":
            known_at = self._copy_saved_at if view.source == "disk" else view.stale_since
            stale_since = known_at if known_at is not None else self._clock()
        self._swap.mark(stale_since, self._core.problem or self._swap.problem)

    async def _listen(self, after: float) -> None:
        await asyncio.sleep(after)
        request = protocol.StreamRequest(
            scope=self.scope,
            instance=self._instance,
            capabilities=self._capabilities,
            held=self._words.held(),
            deliveries=True,
        )
        stream = Stream(
            self._uplink,
            self._announcer,
            connected=lambda hello: self._do(self._core.connected(_now(), hello.poll_seconds)),
            noticed=lambda notice: self._do(self._core.notice(_now(), notice)),
            delivered=lambda delta: self._do(self._core.delivered(_now(), delta)),
            gone=lambda error: self._do(self._core.gone(_now(), error)),
        )
        error: errors.QiantangError | None = None
        try:
            error = await stream.run(request)
        except Exception as fault:
            logger.exception("the stream of the mirror failed", extra={"scope": str(self.scope)})
            error = errors.InternalError(f"the stream of the mirror failed: {type(fault).__name__}")
        self._do(self._core.disconnected(_now(), error))

    async def _fetch(self, fetch: Fetch) -> None:
        request = protocol.FetchRequest(
            instance=self._instance,
            bundle=fetch.bundle,
            at_least=fetch.at_least,
            have=fetch.have,
            have_position=fetch.have_position,
        )
        try:
            async with self._places:
                delivery = await self._uplink.request(
                    "POST",
                    protocol.FETCH_PATH,
                    request,
                    cast("type[resource.Delivery]", resource.Delivery),
                    deadline=FETCH_SECONDS,
                    idempotent=True,
                )
            actions = self._core.fetched(_now(), fetch, delivery)
        except errors.QiantangError as error:
            actions = self._core.fetch_failed(_now(), fetch, error)
        except Exception as fault:
            logger.exception("a fetch of the mirror failed", extra={"bundle": str(fetch.bundle)})
            broken = errors.InternalError(f"the fetch of {fetch.bundle} failed: {type(fault).__name__}")
            actions = self._core.fetch_failed(_now(), fetch, broken)
        self._do(actions)
        self._say_how_fetching_goes(fetch.bundle)

    def _say_how_fetching_goes(self, bundle: resource.Bundle) -> None:
        problem = self._core.problem_of(bundle)
        if problem is None:
            _failures.recovered(str(bundle), "the newest release could be fetched again", extra={"bundle": str(bundle)})
        elif self._core.is_connected:  # else it was said of the control plane as a whole
            _failures.failure(
                str(bundle),
                "cannot fetch the newest release: what is held stays in use",
                level=logging.WARNING,
                extra={"bundle": str(bundle), "code": problem.code, "reason": problem.detail},
            )

    async def _restore(self) -> None:
        copy = None
        try:
            copy = await self._storing.load()
        except Exception:
            logger.exception("the last good copy could not be looked for", extra={"scope": str(self.scope)})
        self._copy_saved_at = copy.saved_at if copy is not None else None
        self._do(self._core.restored(_now(), copy.snapshots if copy is not None else []))

    def _settled(self, apply: Apply, rejected: frozenset[str]) -> None:
        """The view was swapped: move on, keep it on disk, and say so."""
        self._do(self._core.settled(_now(), apply, rejected))
        self._first.set()
        view = self._swap.view
        if view.source == "center":
            self._storing.save(view.snapshots.values())
        self._words.keep_only(apply.snapshots)

    def _told(self) -> None:
        if self._running:
            self._words.put(self._swap.words())

    def _caught_up(self, _capability: str) -> None:
        self._told()

    def _tell(self) -> None:
        self._listeners.tell(self._swap.view)


def _now() -> float:
    return asyncio.get_running_loop().time()
