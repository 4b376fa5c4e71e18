"""Line to ZooKeeper: kazoo on its own threads, bridged to the event loop; the only module that knows kazoo.

What kazoo does that this keeps away from the rest: its watches and its queue of requests are lost with a connection (each
caller hears RegistryAwayError; `connections` says when to read everything again); a client that has given up never comes back
(it is replaced); each request sent counts as a heartbeat, so that a frozen server is not noticed while requests go out
(silence is measured here); stopping may block for long (it happens on a thread of its own, with a deadline); its one thread
for callbacks must never wait (they only wake the loop); after a fork its threads are gone (a forked process is refused).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple, Self

from qiantang.kernel import errors
from qiantang.registry.adapters.zookeeper import driver
from qiantang.registry.errors import RegistryAwayError, RegistryReadOnlyError
from qiantang.registry.model import Condition
from qiantang.registry.settings import RegistrySettings

log = logging.getLogger(__name__)

Wake = Callable[[], None]

_IN_FLIGHT: Final = 128
_SUPERVISE_SECONDS: Final = 0.5
_REPLACE_SECONDS: Final = 2.0


class AbsentError(Exception):
    """The node, or its parent, is not there."""


class PresentError(Exception):
    """The node is there already."""


class VersionError(Exception):
    """The node was changed by someone else since it was read."""


class Entry(NamedTuple):
    """A node of ZooKeeper's tree as it was read; `owner` is the session of an ephemeral one, 0 of others."""

    data: bytes
    version: int
    owner: int
    children: int


class Line:
    """One session with the ensemble, opened again for as long as the line is open."""

    def __init__(self, settings: RegistrySettings) -> None:
        self._settings = settings
        self._kazoo = driver.load()
        self._acl = driver.acl(self._kazoo, settings)
        self._timeout = settings.operation_timeout.total_seconds()
        self._session_seconds = settings.zookeeper_session_timeout.total_seconds()
        self._client: Any = None
        self._connected = False
        self._down_since = 0.0
        self._unanswered_since: float | None = None
        self._changed = asyncio.Event()
        self._slots = asyncio.Semaphore(_IN_FLIGHT)
        self._process = os.getpid()
        self._supervising: asyncio.Task[None] | None = None
        self.connections = 0
        """Counts the connections made: when it rose, watches are gone and changes may have been missed."""
        self.health = Condition(ready=False, reason="not open yet", since=_now())
        self.wakes: set[asyncio.Event] = set()
        """Are set whenever the connection comes or goes."""

    async def __aenter__(self) -> Self:
        """Connect; return when connected or after one operation's deadline, whichever is first."""
        self._loop = asyncio.get_running_loop()
        self._replace()
        self._supervising = asyncio.create_task(self._supervise(), name="registry: ZooKeeper line")
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timeout):
                    await self.wait_connected()
        except BaseException:  # given up while it connects
            await self.__aexit__()
            raise
        if not self._connected:
            self._degraded("no server of the ensemble answered yet")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the session, within a deadline; its ephemeral nodes go with it."""
        client, self._client = self._client, None
        self._set_connected(False)
        if self._supervising is not None:
            self._supervising.cancel()
            await asyncio.gather(self._supervising, return_exceptions=True)
        ended = asyncio.Event()
        _thread(lambda: self._end(client, ended))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                await ended.wait()

    @property
    def connected(self) -> bool:
        """Whether a request would be sent now."""
        return self._connected

    @property
    def session(self) -> int:
        """The number of the session: the owner of the ephemeral nodes made over it; 0 while disconnected."""
        identity = self._client.client_id if self._client is not None and self._connected else None
        return int(identity[0]) if identity else 0

    async def wait_change(self) -> None:
        """Wait until the connection comes or goes; may also return without."""
        await self._changed.wait()

    async def wait_connected(self) -> None:
        """Wait until connected."""
        while not self._connected:
            await self.wait_change()

    async def get(self, path: str, wake: Wake | None = None) -> Entry:
        """Read a node. `wake` is called once, on the loop, when it changes or the connection goes.

        Raises:
            AbsentError: it is not there, and `wake` is never called.
        """
        data, stat = await self._call("get_async", path, watch=self._watcher(wake))
        return Entry(data, stat.version, stat.ephemeralOwner, stat.numChildren)

    async def children(self, path: str, wake: Wake | None = None) -> list[str]:
        """List a node's children. `wake` is called once, on the loop, when they change or the connection goes.

        Raises:
            AbsentError: it is not there, and `wake` is never called.
        """
        return list(await self._call("get_children_async", path, watch=self._watcher(wake)))

    async def exists(self, path: str, wake: Wake | None = None) -> bool:
        """Say whether a node is there. `wake` is called once, when it comes, changes or goes, or the connection goes."""
        return await self._call("exists_async", path, watch=self._watcher(wake)) is not None

    async def create(self, path: str, data: bytes, *, ephemeral: bool = False) -> None:
        """Make a node, with its parents. Raises PresentError."""
        await self._call("create_async", path, data, acl=self._writing(), ephemeral=ephemeral, makepath=True)

    async def set(self, path: str, data: bytes, version: int = -1) -> None:
        """Write a node that has this version; -1 is any. Raises AbsentError, VersionError."""
        await self._call("set_async", path, data, version)

    async def delete(self, path: str, version: int = -1) -> None:
        """Remove a node of this version; -1 is any. Raises AbsentError, VersionError."""
        await self._call("delete_async", path, version)

    async def supplant(self, path: str, data: bytes, version: int) -> None:
        """In one step remove a node of this version and make an ephemeral one of this session: nobody sees it missing.

        Raises:
            AbsentError, VersionError: nothing was done.
        """
        transaction = self._require().transaction()
        transaction.delete(path, version)
        transaction.create(path, data, acl=self._writing(), ephemeral=True)
        for outcome in await self._result(transaction.commit_async):
            if isinstance(outcome, Exception) and not isinstance(outcome, self._kazoo.rolled_back):
                raise self._translated(outcome) from outcome

    async def _call(self, name: str, *args: Any, **options: Any) -> Any:
        return await self._result(lambda: getattr(self._require(), name)(*args, **options))

    async def _result(self, start: Callable[[], Any]) -> Any:
        try:
            async with asyncio.timeout(self._timeout), self._slots:
                answer: asyncio.Future[Any] = self._loop.create_future()
                start().rawlink(partial(self._on_loop, self._settle, answer))
                if self._unanswered_since is None:
                    self._unanswered_since = self._loop.time()
                return await answer
        except TimeoutError:
            raise RegistryAwayError(
                f"ZooKeeper at {self._settings.address} did not answer within {self._timeout:g} s"
            ) from None
        except self._kazoo.error as error:
            raise self._translated(error) from error

    def _settle(self, answer: asyncio.Future[Any], result: Any) -> None:
        self._unanswered_since = None
        if answer.done():
            return
        if result.successful():
            answer.set_result(result.value)
        else:
            answer.set_exception(result.exception)

    def _require(self) -> Any:
        if os.getpid() != self._process:
            raise errors.InternalError("a registry over ZooKeeper does not outlive a fork: open one in the child")
        if not self._connected:
            raise RegistryAwayError(f"ZooKeeper at {self._settings.address} is away")
        return self._client

    def _writing(self) -> list[Any]:
        if self._acl is None:
            raise RegistryReadOnlyError(
                "nothing is written to ZooKeeper without credentials: set registry.zookeeper_auth, or let everybody "
                "change it with registry.zookeeper_acl = open"
            )
        return self._acl

    def _translated(self, error: Exception) -> Exception:
        kazoo = self._kazoo
        known = ((kazoo.absent, AbsentError), (kazoo.present, PresentError), (kazoo.version, VersionError))
        for theirs, ours in known:
            if isinstance(error, theirs):
                return ours()
        if isinstance(error, kazoo.refused):
            return errors.ForbiddenError(
                f"ZooKeeper refused this process below {self._settings.zookeeper_root}/{self._settings.tenant}: "
                "see registry.zookeeper_auth and the nodes that are there already"
            )
        return RegistryAwayError(f"ZooKeeper at {self._settings.address}: {type(error).__name__} {error}".rstrip())

    def _watcher(self, wake: Wake | None) -> Callable[[Any], None] | None:
        return None if wake is None else lambda _event: self._on_loop(wake)

    def _on_loop(self, call: Callable[..., None], *args: Any) -> None:
        """Run a call on the loop; called by kazoo's threads."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(call, *args)

    def _replace(self) -> None:
        """Give up the client there is and start another one."""
        client = self._client = driver.client(self._kazoo, self._settings)
        self._unanswered_since = None
        client.add_listener(partial(self._on_loop, self._state, client))
        self._down_since = self._loop.time()
        client.start_async()  # starts threads and returns

    def _state(self, client: Any, state: str) -> None:
        if client is not self._client:
            return
        connected = state == "CONNECTED"
        if connected:
            self._unanswered_since = None
            self.connections += 1
            if not self.health.ready:
                self.health = Condition(ready=True, since=_now())
                log.info("the registry is connected", extra={"hosts": self._settings.address})
        elif self._connected:
            self._lost("the connection is lost" if state == "SUSPENDED" else "the session is lost")
        self._set_connected(connected)

    def _set_connected(self, connected: bool) -> None:
        self._connected = connected
        changed, self._changed = self._changed, asyncio.Event()
        for waiting in (changed, *self.wakes):
            waiting.set()

    def _lost(self, reason: str) -> None:
        self._down_since = self._loop.time()
        self._degraded(reason)

    def _degraded(self, reason: str) -> None:
        """Say what is wrong, and log it where it is news."""
        if reason != self.health.reason:
            since = _now() if self.health.ready else self.health.since
            log.warning("the registry is away", extra={"hosts": self._settings.address, "reason": reason})
            self.health = Condition(ready=False, reason=reason, since=since)

    async def _supervise(self) -> None:
        """Replace a client that gave up, whose server is silent, or that is disconnected long after its session is gone."""
        patience = 2 * self._session_seconds + self._timeout
        while True:
            await asyncio.sleep(_SUPERVISE_SECONDS)
            if self._connected:
                if self._silence() > self._session_seconds:
                    self._lost("the server takes requests and answers none")
                    self._set_connected(False)
                    self._restart()
                continue
            age = self._loop.time() - self._down_since
            state = str(self._client.client_state)
            if state == "AUTH_FAILED":
                self._degraded("it refused the credentials in registry.zookeeper_auth")
            if age > patience or (state in {"AUTH_FAILED", "CLOSED"} and age > _REPLACE_SECONDS):
                self._restart()

    def _silence(self) -> float:
        """Give for how long requests went out and none was answered, in seconds."""
        return 0.0 if self._unanswered_since is None else self._loop.time() - self._unanswered_since

    def _restart(self) -> None:
        old = self._client
        self._replace()
        _thread(lambda: self._end(old, None))

    def _end(self, client: Any, ended: asyncio.Event | None) -> None:
        """Stop a client, on a thread of its own."""
        try:
            client.stop()
            client.close()
        except Exception as error:
            log.info("a ZooKeeper client did not end in order", extra={"reason": repr(error)})
        if ended is not None:
            self._on_loop(ended.set)


def _thread(call: Callable[[], Any]) -> None:
    """Run what may block long; not on the few workers of the runtime, which others wait for."""
    threading.Thread(target=call, daemon=True, name="ZooKeeper client").start()


def _now() -> int:
    return time.time_ns() // 1_000_000
