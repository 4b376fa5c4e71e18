"""Sync: the App for blocking programs: scripts, WSGI workers, threads."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TypeVar

from qiantang.app import Application
from qiantang.kernel import runtime

S = TypeVar("S")


class App(Application):
    """An application of the platform, in a blocking program: `with qiantang.sync.App() as app`.

    It is the same as `qiantang.App`; coroutine callbacks run on a thread of their own.

    Raises, when made:
        MisconfiguredError: settings are missing, unknown or wrong.
    """

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def client(self, service: type[S], *, of: str, fallback: object = None) -> S:
        """Give an object whose methods call a service of the microservice `of` and block until the answer is there, from any
        thread, once the App is open. To be said before that.

        `fallback` answers where a rule says so: an object with some of the methods, or functions by the methods' names.

        Raises:
            ConflictError: the App is open, and nothing of that microservice was asked for before.
            MisconfiguredError: the class is no service, or a fallback takes other arguments than its method.
        """
        return self._core.calls.blocking(service, of, fallback)

    def open(self) -> None:
        """Open it where no block fits, such as a server's start hook; see the class of the other face for the order.

        Raises:
            QiantangError: as entering the block does.
        """
        runtime.call(self._core.open(None))

    def close(self) -> None:
        """Close it; closing twice does nothing."""
        runtime.call(self._core.close())
