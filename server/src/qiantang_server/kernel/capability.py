"""Capability: what a room of the control plane declares, and what it is given when it opens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from qiantang_server.kernel.access import Authenticator
from qiantang_server.kernel.bus import Bus
from qiantang_server.kernel.coordination.port import Coordination
from qiantang_server.kernel.jobs import Job
from qiantang_server.kernel.resources import ApplicationDirectory, ResourceKind, Resources
from qiantang_server.kernel.resources.finding import Finder
from qiantang_server.kernel.sealing import Sealing
from qiantang_server.kernel.storage import Database
from qiantang_server.kernel.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What every capability stands on."""

    settings: Mapping[str, msgspec.Struct]
    folder: Path
    node: str
    database: Database
    sealing: Sealing
    coordination: Coordination
    bus: Bus
    resources: Resources
    watch: Watch
    permissions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What an open capability adds to the process.

    routes: Litestar route handlers or routers. jobs: loops that one server runs under a lease.
    finders: what finds its things by words that somebody types.
    authenticator and directory: who signs in, and which applications there are; exactly one capability gives them.
    """

    routes: Sequence[Any] = ()
    jobs: Sequence[Job] = ()
    finders: Sequence[Finder] = ()
    authenticator: Authenticator | None = None
    directory: ApplicationDirectory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """The manifest of a room: everything that the process must know to build and serve it.

    `permissions` maps "<capability>.<kind>:<verb>" to one line of meaning; those of `kinds` are added by the kernel.
    `open` gives an async context manager: entered in the order of the floors, left in reverse.
    """

    name: str
    title: str
    open: Callable[[Kernel], AbstractAsyncContextManager[Opened]]
    settings: type[msgspec.Struct] | None = None
    permissions: Mapping[str, str] = field(default_factory=dict[str, str])
    migrations: Path | None = None
    kinds: Sequence[ResourceKind] = ()
