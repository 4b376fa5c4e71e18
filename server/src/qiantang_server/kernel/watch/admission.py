"""Admission: a stream of an application, which is ended once its application would not be let in any more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from qiantang.kernel import errors, protocol
from qiantang_server.kernel.watch.outgoing import Outgoing, frame


class Admitted(Outgoing):
    """An open stream of somebody whose right to it is asked again and again by `admitted`, which raises where it has ended."""

    __slots__ = ("_frames", "admitted")

    def __init__(self, admitted: Callable[[], Awaitable[object]] | None = None) -> None:
        super().__init__()
        self.admitted = admitted
        self._frames: list[bytes] = []

    def say(self, event: str, data: object, *, last: bool = False) -> None:
        """Have an event sent; `last` ends the stream after it."""
        if not self.closed:
            self._frames.append(frame(event, data))
            self.closed = last
            self._wake.set()

    def send_away(self) -> None:
        """Send whoever listens to another server, and end the stream."""
        self.say("goodbye", protocol.Goodbye(reason="shutdown"), last=True)


async def recheck(streams: Iterable[Admitted]) -> None:
    """Ask of every stream whether it would still be admitted, and end those that would not: the application was removed,
    the credential revoked, or the token has ended and the receiver must show a new one. While nobody can say, all stay.
    """
    for stream in streams:
        if stream.admitted is None or stream.closed:
            continue
        try:
            await stream.admitted()
        except errors.GoneError as error:
            stream.say("gone", protocol.Gone(reason=error.detail), last=True)
        except (errors.UnauthenticatedError, errors.ForbiddenError, errors.NotFoundError):
            stream.close()
        except errors.UnavailableError:
            return
