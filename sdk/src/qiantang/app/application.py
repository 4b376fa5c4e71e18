"""Application: the faces of an App: this one for asyncio, `qiantang.sync` for blocking programs."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, Unpack

from qiantang.app import settings
from qiantang.app.core import Core, Status
from qiantang.config import client
from qiantang.kernel import runtime

if TYPE_CHECKING:
    from qiantang.messaging import MessageBus

S = TypeVar("S")


class Application:
    """What both faces share. Reads its settings when made; opens nothing."""

    def __init__(self, **options: Unpack[settings.Options]) -> None:
        self._core = Core(options)

    @property
    def config(self) -> client.ConfigClient:
        """The application's configuration."""
        return self._core.config

    @property
    def bus(self) -> MessageBus:
        """The application's messages: clusters, topics and subscriptions are those that the control plane delivers, live.

        To be used before the App is opened, for instance with `@app.bus.subscribe(...)`: it is opened and closed with the App.

        Raises:
            ConflictError: the App was opened without it.
        """
        return self._core.messages.bus

    def provide(self, service: type, implementation: object) -> None:
        """Answer calls of a service by an object that has its methods, while the App is open. To be said before that.

        Where it listens is said by the settings `client_rpc`; who calls has to have a token of the platform.

        Raises:
            ConflictError: the App is open.
            MisconfiguredError: the object lacks a method, or the class is no service.
        """
        self._core.calls.provide(service, implementation)

    def status(self) -> Status:
        """Tell how the App stands, for a health page; never waits."""
        return self._core.status()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._core.settings.place})"


class App(Application):
    """An application of the platform, in an asyncio program: `async with App() as app`.

    Settings come from arguments, the environment (QIANTANG_CLIENT_*) and a file, in this order. Opening waits for the
    control plane up to `start_deadline`, then takes the last good copy from disk, then fails or starts with the
    declared defaults, as `start_policy` says. Afterwards it follows every release, and goes on with what it has while
    the platform is away. All its I/O is on one background thread that every App of the process shares.

    Raises, when made:
        MisconfiguredError: settings are missing, unknown or wrong.
    """

    def client(self, service: type[S], *, of: str, fallback: object = None) -> S:
        """Give an object whose methods call a service of the microservice `of`, once the App is open. To be said before that.

        `fallback` answers where a rule says so: an object with some of the methods, or functions by the methods' names.

        Raises:
            ConflictError: the App is open, and nothing of that microservice was asked for before.
            MisconfiguredError: the class is no service, or a fallback takes other arguments than its method.
        """
        return self._core.calls.client(service, of, fallback)

    async def __aenter__(self) -> Self:
        await runtime.bridge(self._core.open(asyncio.get_running_loop()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await runtime.bridge(self._core.close())
