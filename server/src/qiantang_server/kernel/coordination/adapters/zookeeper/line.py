"""Line to ZooKeeper: kazoo on its own threads, bridged to the event loop; the only module that knows kazoo.

What kazoo does that this keeps away from the rest: its watches and its queue of requests are lost with a connection
(each caller hears UnavailableError; `connections` and `wait_change` say when to compare everything again); a client
that has given up never comes back (it is replaced); each request sent counts as a heartbeat, so that a frozen server is
not noticed while requests go out (silence is measured here); stopping may block for long (it happens on a thread of its
own, with a deadline); after a fork its threads are gone (a forked process is refused).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Self

from qiantang.kernel import errors
from qiantang_server.kernel.coordination.board import Health
from qiantang_server.kernel.coordination.settings import CoordinationSettings

log = logging.getLogger(__name__)

INSTALL = "pip install 'qiantang-server[zookeeper]'"
_IN_FLIGHT = 128
_SUPERVISE_SECONDS = 0.5
_RETRY_MAX_SECONDS = 2.0
_DRIVER_LOG = "qiantang_server.kernel.coordination.kazoo"


class AbsentError(Exception):
    """The node, or its parent, is not there."""


class PresentError(Exception):
    """The node is there already."""


class VersionError(Exception):
    """The node was changed by someone else since it was read."""


class Node(NamedTuple):
    """A node as it was read or written: `version` counts its changes, the rest are the ensemble's own marks."""

    data: bytes
    version: int
    modified: int
    changed_by: int
    owner: int


class Line:
    """One session with the ensemble, reopened for as long as the line is open."""

    def __init__(self, settings: CoordinationSettings) -> None:
        self._settings = settings
        self._kazoo = driver()
        self._acl = _acl(self._kazoo, settings)
        self._timeout = settings.zookeeper_operation_timeout.total_seconds()
        self._health = Health()
        self._client: Any = None
        self._connected = False
        self._refused = False
        self._down_since = 0.0
        self._unanswered_since: float | None = None
        self._changed = asyncio.Event()
        self._slots = asyncio.Semaphore(_IN_FLIGHT)
        self._process = os.getpid()
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        """Counts the connections made: when it rose, watches are gone and notices may have been missed."""

    async def __aenter__(self) -> Self:
        """Connect; return when connected or after one operation's deadline, whichever is first."""
        self._loop = asyncio.get_running_loop()
        self._replace()
        self._keep(self._supervise())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                while not self._connected:
                    await self.wait_change()
        if not self._connected and self._degraded("no server of the ensemble answered yet"):
            log.warning("ZooKeeper is away", extra={"hosts": self._settings.zookeeper})
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the session, within a deadline; its ephemeral nodes go with it."""
        client, self._client, self._connected = self._client, None, False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        ended = asyncio.Event()
        _thread(lambda: self._end(client, ended))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                await ended.wait()

    @property
    def health(self) -> Health:
        """Tell whether it is connected."""
        return self._health

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
        changed = self._changed
        await changed.wait()

    async def wait_connected(self) -> None:
        """Wait until connected."""
        while not self._connected:
            await self.wait_change()

    async def get(self, path: str, wake: Callable[[], None] | None = None) -> Node:
        """Read a node. `wake` is called once, on the loop, when it changes or the connection goes.

        Raises:
            AbsentError: it is not there.
            UnavailableError: no answer.
        """
        data, stat = await self._call("get_async", path, watch=self._watcher(wake))
        return _node(data, stat)

    async def children(self, path: str, wake: Callable[[], None] | None = None) -> list[str]:
        """List a node's children. `wake` is called once, on the loop, when they change or the connection goes.

        Raises:
            AbsentError: it is not there.
            UnavailableError: no answer.
        """
        return list(await self._call("get_children_async", path, watch=self._watcher(wake)))

    async def set(self, path: str, data: bytes, version: int = -1) -> Node:
        """Write a node that has this version; -1 is any.

        Raises:
            AbsentError, VersionError: it is not there, or it has another one.
            UnavailableError: no answer; it may have been written.
        """
        return _node(data, await self._call("set_async", path, data, version))

    async def create(self, path: str, data: bytes, *, ephemeral: bool = False) -> Node:
        """Make a node, with its parents.

        Raises:
            PresentError: it is there already.
            UnavailableError: no answer; it may have been made.
        """
        options = {"acl": self._acl, "ephemeral": ephemeral, "makepath": True, "include_data": True}
        _path, stat = await self._call("create_async", path, data, **options)
        return _node(data, stat)

    async def ensure(self, path: str) -> None:
        """Make a node with its parents where it is not there."""
        with contextlib.suppress(PresentError):
            await self.create(path, b"")

    async def delete(self, path: str) -> None:
        """Remove a node where it is there."""
        with contextlib.suppress(AbsentError):
            await self._call("delete_async", path)

    async def put_and_note(self, path: str, data: bytes, version: int | None, note: str) -> None:
        """In one step write a node that has this version (None: make it) and add a numbered node after `note`.

        Raises:
            AbsentError, PresentError, VersionError: nothing was done.
            UnavailableError: no answer; both or neither was done.
        """
        transaction = self._require().transaction()
        if version is None:
            transaction.create(path, data, acl=self._acl)
        else:
            transaction.set_data(path, data, version)
        transaction.create(note, f"{path} {data.decode()}".encode(), acl=self._acl, sequence=True)
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
            raise errors.UnavailableError(
                f"ZooKeeper at {self._settings.zookeeper} did not answer within {self._timeout:g} s"
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
            raise errors.InternalError("a line to ZooKeeper does not outlive a fork: open one in the child")
        if not self._connected:
            raise errors.UnavailableError(f"ZooKeeper at {self._settings.zookeeper} is away")
        return self._client

    def _translated(self, error: Exception) -> Exception:
        kazoo = self._kazoo
        for theirs, ours in (
            (kazoo.absent, AbsentError),
            (kazoo.present, PresentError),
            (kazoo.version, VersionError),
        ):
            if isinstance(error, theirs):
                return ours()
        if isinstance(error, kazoo.refused):
            return errors.UnavailableError(
                f"ZooKeeper refused this server below {self._settings.zookeeper_root}: "
                "see coordination.zookeeper_auth and zookeeper_acl, and the nodes that are there already"
            )
        return errors.UnavailableError(
            f"ZooKeeper at {self._settings.zookeeper}: {type(error).__name__} {error}".rstrip()
        )

    def _watcher(self, wake: Callable[[], None] | None) -> Callable[[Any], None] | None:
        if wake is None:
            return None
        return lambda _event: self._on_loop(wake)

    def _on_loop(self, call: Callable[..., None], *args: Any) -> None:
        """Run a call on the loop; called by kazoo's threads."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(call, *args)

    def _replace(self) -> None:
        """Give up the client there is and start another one."""
        client = self._client = _client(self._kazoo, self._settings)
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
            if self._health.ready():
                log.info("ZooKeeper is connected", extra={"hosts": self._settings.zookeeper})
        elif self._connected:
            self._lost("the connection is lost" if state == "SUSPENDED" else "the session is lost")
        self._set_connected(connected)

    def _set_connected(self, connected: bool) -> None:
        self._connected = connected
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _lost(self, reason: str) -> None:
        self._down_since = self._loop.time()
        if self._degraded(reason):
            log.warning("ZooKeeper is away", extra={"hosts": self._settings.zookeeper, "reason": reason})

    def _degraded(self, reason: str) -> bool:
        return self._health.degraded(f"ZooKeeper at {self._settings.zookeeper}: {reason}")

    async def _supervise(self) -> None:
        """Replace a client that gave up, whose server is silent, or that is disconnected long after its session is gone."""
        session = self._settings.zookeeper_session_timeout.total_seconds()
        patience = 2 * session + self._timeout
        while True:
            await asyncio.sleep(_SUPERVISE_SECONDS)
            if self._connected:
                if self._silence() > session:
                    self._abandon()
                continue
            age = self._loop.time() - self._down_since
            state = str(self._client.client_state)
            refused = state == "AUTH_FAILED"
            if refused and not self._refused:
                self._degraded("it refused the credentials in coordination.zookeeper_auth")
                log.error("ZooKeeper refused the credentials of this server", extra={"hosts": self._settings.zookeeper})
            self._refused = refused
            gave_up = (refused or state == "CLOSED") and age > _RETRY_MAX_SECONDS
            if gave_up or age > patience:
                self._restart()

    def _silence(self) -> float:
        """Give for how long requests went out and none was answered, in seconds."""
        return 0.0 if self._unanswered_since is None else self._loop.time() - self._unanswered_since

    def _abandon(self) -> None:
        """Leave a connection whose server takes requests and answers none: another one may."""
        self._lost("the server takes requests and answers none")
        self._set_connected(False)
        self._restart()

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

    def _keep(self, work: Any) -> None:
        task = asyncio.create_task(work, name="coordination: ZooKeeper line")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Kazoo(NamedTuple):
    client: Any
    retry: Any
    security: Any
    error: type[Exception]
    absent: type[Exception]
    present: type[Exception]
    version: type[Exception]
    refused: tuple[type[Exception], ...]
    rolled_back: tuple[type[Exception], ...]


def driver() -> _Kazoo:
    """Load kazoo.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        client, exceptions, retry, security = (
            importlib.import_module(f"kazoo.{name}") for name in ("client", "exceptions", "retry", "security")
        )
    except ImportError as error:
        raise errors.MissingExtraError(
            f"coordination.zookeeper is set, but the driver is missing: {INSTALL}"
        ) from error
    return _Kazoo(
        client=client,
        retry=retry,
        security=security,
        error=exceptions.KazooException,
        absent=exceptions.NoNodeError,
        present=exceptions.NodeExistsError,
        version=exceptions.BadVersionError,
        refused=(exceptions.NoAuthError, exceptions.AuthFailedError, exceptions.InvalidACLError),
        rolled_back=(exceptions.RolledBackError, exceptions.RuntimeInconsistency),
    )


def _acl(kazoo: _Kazoo, settings: CoordinationSettings) -> list[Any]:
    security = kazoo.security
    if settings.zookeeper_acl == "open":
        return list(security.OPEN_ACL_UNSAFE)
    if not settings.zookeeper_auth:
        raise errors.MisconfiguredError(
            f"coordination.zookeeper_acl is {settings.zookeeper_acl!r}, which needs zookeeper_auth"
        )
    return [*security.CREATOR_ALL_ACL, *(security.READ_ACL_UNSAFE if settings.zookeeper_acl == "guarded" else ())]


def _client(kazoo: _Kazoo, settings: CoordinationSettings) -> Any:
    driver_log = logging.getLogger(_DRIVER_LOG)
    driver_log.setLevel(logging.ERROR)  # it tells of each attempt; Line tells of each change
    pairs = [tuple(entry.split(":", 1)) for entry in settings.zookeeper_auth.reveal().split()]
    if any(len(pair) != 2 for pair in pairs):
        raise errors.MisconfiguredError("coordination.zookeeper_auth: write scheme:credential")
    return kazoo.client.KazooClient(
        hosts=settings.zookeeper,
        timeout=settings.zookeeper_session_timeout.total_seconds(),
        auth_data=pairs,
        connection_retry=kazoo.retry.KazooRetry(max_tries=-1, delay=0.05, max_delay=_RETRY_MAX_SECONDS),
        use_ssl=settings.zookeeper_tls,
        ca=settings.zookeeper_ca_file or None,
        certfile=settings.zookeeper_certificate_file or None,
        keyfile=settings.zookeeper_key_file or None,
        check_hostname=settings.zookeeper_tls,
        logger=driver_log,
    )


def _node(data: bytes, stat: Any) -> Node:
    return Node(data, stat.version, stat.mtime, stat.mzxid, stat.ephemeralOwner)


def _thread(call: Callable[[], Any]) -> None:
    """Run what may block long; not in the loop's executor, whose end would wait for it."""
    threading.Thread(target=call, daemon=True, name="ZooKeeper client").start()
