"""Directory: what the resource life asks about applications, answered by whoever keeps them."""

from __future__ import annotations

from typing import Protocol

from qiantang.kernel import scope
from qiantang_server.kernel import storage


class ApplicationDirectory(Protocol):
    """Which applications there are, and how strictly they publish."""

    async def require_application(self, session: storage.Session, place: scope.Scope) -> None:
        """Pass where the application exists in the environment.

        Raises:
            NotFoundError: no such tenant, environment, center or application.
            GoneError: the application was deleted.
        """
        ...

    async def needs_approval(self, session: storage.Session, place: scope.Scope) -> bool:
        """Say whether a publish waits for a second person."""
        ...

    async def may(self, session: storage.Session, user: str, permission: str, place: scope.Scope) -> bool:
        """Say whether a user, by id, holds a permission for an application now: asked for what he ordered for later."""
        ...


class EveryApplication:
    """A directory without walls: every application exists and publishes at once. For tests of the kernel alone."""

    async def require_application(self, session: storage.Session, place: scope.Scope) -> None:
        """Let every application pass."""

    async def needs_approval(self, session: storage.Session, place: scope.Scope) -> bool:
        """Ask for no approval."""
        return False

    async def may(self, session: storage.Session, user: str, permission: str, place: scope.Scope) -> bool:
        """Let everyone do everything."""
        return True
