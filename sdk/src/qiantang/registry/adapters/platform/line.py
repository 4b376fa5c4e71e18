"""Line: calls to the control plane, within the operation's deadline, in the registry's own errors."""

from __future__ import annotations

import os
from typing import TypeVar

import msgspec

from qiantang.kernel import errors
from qiantang.kernel.uplink import Uplink
from qiantang.registry.errors import RegistryAwayError
from qiantang.registry.model import protocol

T = TypeVar("T")


class Line:
    """Of one registry, in the process that made it."""

    def __init__(self, uplink: Uplink, deadline: float) -> None:
        self.uplink = uplink
        self.deadline = deadline
        self.away = ""
        """Why the last call did not reach the control plane; empty where it did."""
        self._process = os.getpid()

    async def call(self, path: str, body: msgspec.Struct | None, answer: type[T], *, deadline: float = 0.0) -> T:
        """Call a route of the registry; calling it twice is calling it once.

        Raises:
            RegistryAwayError: no server answered in time: it may have been done.
            QiantangError: what the server refused.
        """
        self.require_process()
        try:
            result = await self.uplink.request(
                "POST",
                f"{protocol.PATH}/{path}",
                body,
                answer,
                deadline=deadline or self.deadline,
                idempotent=True,
            )
        except (errors.UnavailableError, errors.DeadlineError) as error:
            self.away = error.detail or error.code
            raise RegistryAwayError(f"the platform's registry is away: {error.detail}") from error
        except errors.QiantangError:
            self.away = ""
            raise
        self.away = ""
        return result

    async def prove(self, seconds: float = 0.0) -> None:
        """Find out whether the control plane is there, by the smallest question that there is.

        Raises:
            QiantangError: it is not, or it refuses this application.
        """
        await self.call("votes", protocol.AskVotes(microservice="registry"), protocol.Votes, deadline=seconds)

    def require_process(self) -> None:
        """Pass where this is the process that opened the registry.

        Raises:
            InternalError: it is a child of that.
        """
        if os.getpid() != self._process:
            raise errors.InternalError("a registry over the platform does not outlive a fork: open one in the child")
