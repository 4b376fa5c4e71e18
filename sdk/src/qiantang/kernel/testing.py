"""Testing: a control plane in the test's own process, which speaks the protocol and fails on demand.

    with FakeControlPlane() as plane:
        bundle = plane.bundle("config")
        plane.publish(bundle, {"application": {"format": "json", "data": {"port": 8080}}})
        mirror = Mirror(plane.uplink(), plane.scope, ...)

It listens on 127.0.0.1 on a thread of its own, so that it serves blocking and asyncio tests alike.
"""

from __future__ import annotations

import asyncio
import hmac
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, cast

import h11
import msgspec

from qiantang.kernel import errors, ids, protocol, resource, scope, wire
from qiantang.kernel.uplink import Limits, Uplink

SCOPE = scope.Scope(tenant="acme", environment="test", center="main", application="orders")
SKEW_MS = 60_000
STREAM_HEAD = [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")]


_NOTHING = resource.Snapshot(
    bundle=resource.Bundle(scope=SCOPE, capability="none"), position=resource.NOWHERE, digest=""
)


def entry(kind: str, name: str, content: Any) -> resource.Entry:
    """Make an entry as the platform delivers it."""
    encoded = wire.encode(content)
    return resource.Entry(kind=kind, name=name, digest=resource.content_digest(encoded), content=msgspec.Raw(encoded))


class FakeControlPlane:
    """A control plane with one credential. Its faults are attributes and methods, used from any thread.

    Faults: `drop_notices` tells nobody of a publish; `answer_stale` answers fetches with the release before
    the last; `hang` answers nothing; `clock_offset_ms` is how far its clock is off; `refuse(error)` answers
    every call with that error; `kill()` cuts every connection and stops listening until `restart()`.
    """

    def __init__(
        self,
        application: scope.Scope = SCOPE,
        *,
        heartbeat_seconds: float = 15.0,
        poll_seconds: float = 30.0,
        token_seconds: float = 3600.0,
    ) -> None:
        self.scope = application
        self.credential_id = "orders-1"
        self.secret = ids.secret_token()
        self.drop_notices = False
        self.answer_stale = False
        self.hang = False
        self.clock_offset_ms = 0
        self.servers: list[str] = []
        self.acknowledged: list[protocol.Held] = []
        self.fetched: list[protocol.FetchRequest] = []
        self.opened: list[protocol.StreamRequest] = []
        self.tokens_given = 0
        self.port = 0
        self._heartbeat_seconds = heartbeat_seconds
        self._poll_seconds = poll_seconds
        self._token_seconds = token_seconds
        self._epoch = 1
        self._refusal: errors.QiantangError | None = None
        self._releases: dict[resource.Bundle, list[resource.Snapshot]] = {}
        self._removed: set[resource.Bundle] = set()
        self._tokens: set[str] = set()
        self._nonces: set[str] = set()
        self._streams: set[asyncio.Queue[tuple[str, bytes]]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-control-plane", daemon=True)

    # -- life ----------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        self.restart()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    @property
    def address(self) -> str:
        """Where it listens; the same after a restart."""
        return f"http://127.0.0.1:{self.port}"

    def uplink(self, **options: Any) -> Uplink:
        """Give an uplink to it, with its credential."""
        options.setdefault("limits", Limits(deadline=5.0))
        return Uplink([self.address], credential_id=self.credential_id, secret=self.secret, **options)

    def bundle(self, capability: str) -> resource.Bundle:
        """Name the bundle of its application's capability."""
        return resource.Bundle(scope=self.scope, capability=capability)

    def kill(self) -> None:
        """Cut every connection and stop listening, as kill -9 does."""
        self._on_loop(self._kill())

    def restart(self) -> None:
        """Listen again at the same address, with all that was published."""
        self._on_loop(self._listen())

    # -- what an operator does ------------------------------------------------------------------------------

    def publish(
        self,
        bundle: resource.Bundle,
        entries: Mapping[str, Any] | Sequence[resource.Entry],
        *,
        kind: str = "namespace",
        links: Sequence[resource.Bundle] = (),
        gray: str = "",
    ) -> resource.Position:
        """Release the bundle with these entries (contents by name, or made by `entry`), and tell of it."""
        given = [entry(kind, *item) for item in entries.items()] if isinstance(entries, Mapping) else entries
        made = sorted(given, key=lambda one: one.key)
        with self._changed:
            history = self._releases.setdefault(bundle, [])
            revision = history[-1].position.revision + 1 if history else 1
            position = resource.Position(epoch=self._epoch, revision=revision)
            digest = resource.snapshot_digest(made)
            history.append(
                resource.Snapshot(
                    bundle=bundle, position=position, digest=digest, gray=gray, links=list(links), entries=made
                )
            )
            self._removed.discard(bundle)
        if not self.drop_notices:
            self.notify(bundle, position)
        return position

    def notify(self, bundle: resource.Bundle, position: resource.Position) -> None:
        """Send a notice to every stream, true or not."""
        self._tell("notice", resource.Notice(bundle=bundle, position=position))

    def remove(self, bundle: resource.Bundle) -> None:
        """Answer fetches of the bundle with 410 from now on."""
        self._removed.add(bundle)

    def restore(self, bundle: resource.Bundle, revision: int) -> None:
        """Be a database restored from an older copy: cut the history after `revision`, and raise the epoch."""
        with self._changed:
            self._epoch += 1
            kept = [one for one in self._releases[bundle] if one.position.revision <= revision]
            kept[-1] = msgspec.structs.replace(
                kept[-1], position=resource.Position(epoch=self._epoch, revision=revision)
            )
            self._releases[bundle] = kept

    def refuse(self, error: errors.QiantangError | None) -> None:
        """Answer every call with this error; None accepts again."""
        self._refusal = error

    def forget_tokens(self) -> None:
        """Know none of the tokens given out any more."""
        self._tokens.clear()

    def say_gone(self, reason: str) -> None:
        """Tell every stream that the application was removed."""
        self._tell("gone", protocol.Gone(reason=reason))

    def say_goodbye(self, reason: str = "stopping") -> None:
        """Tell every stream to go to another server."""
        self._tell("goodbye", protocol.Goodbye(reason=reason))

    def tell_servers(self, servers: list[str]) -> None:
        """Tell every stream, and those that open later, of these servers."""
        self.servers = servers
        self._tell("servers", protocol.Servers(servers=servers))

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    def wait_until(self, condition: Callable[[], Any], seconds: float = 10.0) -> None:
        """Wait until the condition holds, looking after each call that the plane answered.

        Raises:
            AssertionError: it does not hold in time.
        """
        ends = time.monotonic() + seconds
        with self._changed:
            while not condition():
                left = ends - time.monotonic()
                assert left > 0, "the control plane waited in vain"
                self._changed.wait(min(left, 0.05))

    async def until(self, condition: Callable[[], Any], seconds: float = 10.0) -> None:
        """Wait as `wait_until` does, without blocking the test's loop."""
        await asyncio.to_thread(self.wait_until, condition, seconds)

    # -- the server ------------------------------------------------------------------------------------------

    def _on_loop(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _kill(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for writer in list(self._writers):
            writer.transport.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _tell(self, event: str, message: msgspec.Struct) -> None:
        data = wire.encode(message)

        def put() -> None:
            for stream in self._streams:
                stream.put_nowait((event, data))

        self._loop.call_soon_threadsafe(put)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await _Exchange(self, reader, writer).serve()
        except (ConnectionError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass  # the client went away, or the plane was killed
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.transport.abort()

    # -- answers, called on the server's loop -----------------------------------------------------------------

    def answer(self, path: str, body: bytes, token: str) -> msgspec.Struct | None:
        """Answer a call other than the stream.

        Raises:
            QiantangError: the error to render.
        """
        with self._changed:
            try:
                return self._answer(path, body, token)
            finally:
                self._changed.notify_all()

    def _answer(self, path: str, body: bytes, token: str) -> msgspec.Struct | None:
        if self._refusal is not None:
            raise self._refusal
        if path == protocol.TOKEN_PATH:
            return self._give_token(wire.decode(body, protocol.TokenRequest))
        self.check(token)
        if path == protocol.FETCH_PATH:
            return self._deliver(wire.decode(body, protocol.FetchRequest))
        if path == protocol.ACKNOWLEDGE_PATH:
            self.acknowledged += wire.decode(body, protocol.Acknowledgement).held
            return None
        raise errors.NotFoundError(f"no such path: {path}")

    def check(self, token: str) -> None:
        """Let nobody in without a token that was given out.

        Raises:
            UnauthenticatedError: it was not, or not any more.
        """
        if self._refusal is not None:
            raise self._refusal
        if token not in self._tokens:
            raise errors.UnauthenticatedError("the token is not known")

    def _give_token(self, request: protocol.TokenRequest) -> protocol.Token:
        now = int(time.time() * 1000) + self.clock_offset_ms
        expected = protocol.sign(
            protocol.signing_key(self.secret), self.credential_id, request.timestamp, request.nonce
        )
        if request.credential != self.credential_id or not hmac.compare_digest(request.signature, expected):
            raise errors.UnauthenticatedError("the credential is not known")
        if abs(request.timestamp - now) > SKEW_MS:
            raise errors.UnauthenticatedError("the clocks differ", facts={"server_time": now})
        if request.nonce in self._nonces:
            raise errors.UnauthenticatedError("the proof was used before")
        self._nonces.add(request.nonce)
        token = ids.secret_token()
        self._tokens.add(token)
        self.tokens_given += 1
        return protocol.Token(token=token, expires_in=self._token_seconds, scope=self.scope, server_time=now)

    def _deliver(self, request: protocol.FetchRequest) -> resource.Delivery:
        self.fetched.append(request)
        bundle = request.bundle
        if bundle in self._removed:
            raise errors.GoneError(f"{bundle} was removed")
        history = self._releases.get(bundle)
        if not history:
            return resource.Snapshot(
                bundle=bundle,
                position=resource.Position(epoch=self._epoch, revision=0),
                digest=resource.snapshot_digest([]),
            )
        current = history[-2] if self.answer_stale and len(history) > 1 else history[-1]
        if request.have == current.digest:
            return resource.Unchanged(
                bundle=bundle, position=current.position, digest=current.digest, gray=current.gray
            )
        base = next((one for one in history if one.digest == request.have), None)
        return current if base is None else _difference(base, current)

    def opening(self, body: bytes, token: str) -> tuple[protocol.Hello, protocol.StreamRequest]:
        """Answer the opening of a stream.

        Raises:
            QiantangError: the error to render.
        """
        with self._changed:
            self.check(token)
            request = wire.decode(body, protocol.StreamRequest)
            self.opened.append(request)
            self._changed.notify_all()
        hello = protocol.Hello(
            node="fake",
            servers=self.servers,
            poll_seconds=self._poll_seconds,
            heartbeat_seconds=self._heartbeat_seconds,
            server_time=int(time.time() * 1000) + self.clock_offset_ms,
        )
        return hello, request

    def _standing(self, request: protocol.StreamRequest) -> list[resource.Notice]:
        """Tell where the bundles stand that the stream asks for, and those that they link to."""
        with self._changed:
            own = [resource.Bundle(scope=request.scope, capability=name) for name in request.capabilities]
            linked = [link for bundle in own for link in (self._releases.get(bundle) or [_NOTHING])[-1].links]
            found = [(bundle, self._releases.get(bundle)) for bundle in dict.fromkeys([*own, *linked])]
        if self.drop_notices:
            return []
        return [resource.Notice(bundle=bundle, position=history[-1].position) for bundle, history in found if history]

    async def feed(self, send: Callable[[bytes], Any], hello: protocol.Hello, request: protocol.StreamRequest) -> None:
        """Feed an open stream until it is cut."""
        queue: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        queue.put_nowait(("hello", wire.encode(hello)))
        self._streams.add(queue)
        for notice in self._standing(request):
            queue.put_nowait(("notice", wire.encode(notice)))
        try:
            while True:
                try:
                    async with asyncio.timeout(self._heartbeat_seconds):
                        name, data = await queue.get()
                except TimeoutError:
                    if not self.hang:
                        await send(b": heartbeat\n\n")
                else:
                    await send(b"event: " + name.encode() + b"\ndata: " + data + b"\n\n")
        finally:
            self._streams.discard(queue)


class _Exchange:
    """One connection of a client, by h11 in the server's role."""

    def __init__(self, plane: FakeControlPlane, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._plane = plane
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)

    async def serve(self) -> None:
        """Answer request after request until the client goes."""
        while isinstance(request := await self._event(), h11.Request):
            body = b""
            while isinstance(part := await self._event(), h11.Data):
                body += part.data
            while self._plane.hang:  # noqa: ASYNC110  # set from any thread
                await asyncio.sleep(0.02)
            headers = {name.decode(): value.decode() for name, value in request.headers}
            token = headers.get("authorization", "").removeprefix("Bearer ")
            await self._answer(request.target.decode(), body, token)
            self._http.start_next_cycle()

    async def _event(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(65_536))
        return event

    async def _answer(self, path: str, body: bytes, token: str) -> None:
        try:
            if path == protocol.STREAM_PATH:
                await self._stream(*self._plane.opening(body, token))
                return
            answer = self._plane.answer(path, body, token)
        except errors.QiantangError as error:
            document = wire.encode(error.document())
            await self._send(error.status, [("content-type", "application/problem+json")], document)
            return
        status, content = (204, b"") if answer is None else (200, wire.encode(answer))
        await self._send(status, [("content-type", "application/json")], content)

    async def _stream(self, hello: protocol.Hello, request: protocol.StreamRequest) -> None:
        self._write(h11.Response(status_code=200, headers=STREAM_HEAD))
        feeding = asyncio.ensure_future(self._plane.feed(self._chunk, hello, request))
        feeding.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            await self._reader.read(1)  # nothing comes: it ends when the client goes
        finally:
            feeding.cancel()
        raise ConnectionResetError("the client went")

    async def _chunk(self, data: bytes) -> None:
        self._write(h11.Data(data=data))
        await self._writer.drain()

    async def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        length = [] if status == 204 else [("content-length", str(len(body)))]
        self._write(h11.Response(status_code=status, headers=[*headers, *length]))
        if body:
            self._write(h11.Data(data=body))
        self._write(h11.EndOfMessage())
        await self._writer.drain()

    def _write(self, event: Any) -> None:
        self._writer.write(cast("bytes | None", self._http.send(event)) or b"")


def _difference(base: resource.Snapshot, current: resource.Snapshot) -> resource.Delta:
    before = {one.key: one.digest for one in base.entries}
    after = {one.key for one in current.entries}
    return resource.Delta(
        bundle=current.bundle,
        position=current.position,
        base=base.digest,
        digest=current.digest,
        gray=current.gray,
        links=current.links,
        put=[one for one in current.entries if before.get(one.key) != one.digest],
        remove=[key for key in before if key not in after],
    )
