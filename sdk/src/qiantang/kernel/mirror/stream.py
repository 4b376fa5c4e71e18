"""Stream: the open line on which the control plane tells what moved, and what is said in the log when it goes."""

from __future__ import annotations

import logging
from collections.abc import Callable

from qiantang.kernel import errors, protocol, resource, scope, wire
from qiantang.kernel.mirror.core import DEFINITE
from qiantang.kernel.uplink import Event, Uplink

logger = logging.getLogger(__name__)

OPEN_SECONDS = 10.0


class StreamEndedError(errors.UnavailableError):
    """The server ended the stream without a goodbye."""

    code = "mirror.stream_ended"


class Announcer:
    """Says once that the control plane is away, refuses, or has removed the application, and once that it is back."""

    def __init__(self, application: scope.Scope) -> None:
        self._scope = str(application)
        self._said = ""

    def not_opened(self, error: errors.QiantangError) -> None:
        """Note that the stream could not be opened."""
        if isinstance(error, DEFINITE):
            self._say(error.code, "the control plane refuses this application", error)
        else:
            self._say("away", "the control plane is away: what is held stays in use", error)

    def opened(self, node: str) -> None:
        """Note that the stream is open."""
        if self._said:
            logger.info("the control plane is back", extra={"scope": self._scope, "node": node})
        self._said = ""

    def _say(self, what: str, message: str, error: errors.QiantangError) -> None:
        if self._said != what:
            self._said = what
            logger.warning(message, extra={"scope": self._scope, "code": error.code, "reason": error.detail})


class Stream:
    """Opens the stream once and hands on what it tells, until it ends.

    Gives, from `run`, why it ended: None after a goodbye.
    """

    def __init__(
        self,
        uplink: Uplink,
        announcer: Announcer,
        *,
        connected: Callable[[protocol.Hello], None],
        noticed: Callable[[resource.Notice], None],
        delivered: Callable[[resource.Delta], None],
        gone: Callable[[errors.GoneError], None],
    ) -> None:
        self._uplink = uplink
        self._announcer = announcer
        self._connected = connected
        self._noticed = noticed
        self._delivered = delivered
        self._gone = gone
        self._greeted = False

    async def run(self, request: protocol.StreamRequest) -> errors.QiantangError | None:
        """Listen until the stream ends; give the reason."""
        try:
            return await self._listen(request)
        except errors.QiantangError as error:
            if not self._greeted:
                self._announcer.not_opened(error)
            return error

    async def _listen(self, request: protocol.StreamRequest) -> errors.QiantangError | None:
        events = await self._uplink.stream(protocol.STREAM_PATH, request, deadline=OPEN_SECONDS)
        async with events:
            async for event in events:
                if event.name == "goodbye":
                    return None
                self._hear(event)
        return StreamEndedError(f"{events.address} ended the stream")

    def _hear(self, event: Event) -> None:
        if event.name == "notice":
            self._noticed(wire.decode(event.data, resource.Notice))
        elif event.name == "delivery":
            self._delivered(wire.decode(event.data, resource.Delta))
        elif event.name == "hello":
            hello = wire.decode(event.data, protocol.Hello)
            self._greeted = True
            self._announcer.opened(hello.node)
            self._connected(hello)
        elif event.name == "gone":
            gone = wire.decode(event.data, protocol.Gone)
            error = errors.GoneError(gone.reason or "the application was removed")
            self._announcer.not_opened(error)
            self._gone(error)
