"""Process: the control plane wired together, opened in the order of the floors and closed in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import socket
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from litestar import Litestar

from qiantang.kernel import errors
from qiantang.kernel import settings as kernel_settings
from qiantang_server.app import pages, platform, serve
from qiantang_server.app.catalog import CAPABILITIES
from qiantang_server.app.settings import ServerSettings, default_folder
from qiantang_server.identity.service import Identity
from qiantang_server.kernel import access, adapters, sealing
from qiantang_server.kernel.bus import Bus
from qiantang_server.kernel.cache import choice as cache_choice
from qiantang_server.kernel.capability import Kernel, Opened
from qiantang_server.kernel.coordination import Coordination
from qiantang_server.kernel.coordination import choice as coordination_choice
from qiantang_server.kernel.jobs import Job, JobContext, JobRunner
from qiantang_server.kernel.resources import Ground, Kinds, Resources
from qiantang_server.kernel.resources.finding import Finding
from qiantang_server.kernel.sealing import SealingSettings
from qiantang_server.kernel.storage import Database, StorageSettings, migrations
from qiantang_server.kernel.watch import Watch, WatchSettings
from qiantang_server.kernel.web import WebSettings, application, health
from qiantang_server.kernel.web import watch as web_watch

log = logging.getLogger(__name__)
S = TypeVar("S", bound=msgspec.Struct)
DATABASE_FILE = "qiantang.sqlite3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The open control plane."""

    kernel: Kernel
    application: Litestar
    health: health.Health
    address: str
    rooms: Mapping[str, Opened]


class ControlPlane:
    """Opens every part on one exit stack; what fails to open closes what was open before it."""

    def __init__(self, settings: Mapping[str, msgspec.Struct], loaded: kernel_settings.Loaded | None = None) -> None:
        self._settings = settings
        self._loaded = loaded or _unsourced(settings)
        self._stack = contextlib.AsyncExitStack()

    def section(self, name: str, model: type[S]) -> S:
        """Give a section of the settings."""
        found = self._settings[name]
        assert isinstance(found, model)  # noqa: S101  # the loader made it of this type
        return found

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self.section("server", ServerSettings).folder or default_folder()

    @contextlib.asynccontextmanager
    async def open(self, address: str) -> AsyncGenerator[Running, None]:
        """Open the control plane, to be served at `address`."""
        async with contextlib.AsyncExitStack() as self._stack:
            yield await self._open(address)

    async def _open(self, address: str) -> Running:
        node = self.section("server", ServerSettings).node or address.partition("//")[2]
        make_folder(self.folder)
        titles = {room.name: room.title for room in CAPABILITIES}
        kinds = Kinds((kind for room in CAPABILITIES for kind in room.kinds), titles)
        permissions = declared_permissions(kinds)
        principal = access.system(access.Permissions(permissions))
        database = await self._database()
        keys = await self._stack.enter_async_context(
            sealing.open_sealing(self.section("sealing", SealingSettings), database, self.folder)
        )
        context = adapters.Context(
            settings=self._settings, database=database, seal_key=await keys.named_key("release-cache")
        )
        agreed = await self._enter(coordination_choice.choose(context))
        kept = await self._enter(cache_choice.choose(context))
        bus = await self._enter(Bus())
        life = Resources(Ground(database=database, kinds=kinds, keeper=keys))
        watch = await self._enter(
            Watch(
                self.section("watch", WatchSettings),
                life,
                cache=kept,
                coordination=agreed,
                principal=principal,
                node=node,
                version=metadata.version("qiantang-server"),
                announce_first=coordination_choice.name(context) != coordination_choice.EMBEDDED,
            )
        )
        kernel = Kernel(
            settings=self._settings,
            folder=self.folder,
            node=node,
            database=database,
            sealing=keys,
            coordination=agreed,
            bus=bus,
            resources=life,
            watch=watch,
            permissions=permissions,
        )
        rooms = {room.name: await self._enter(room.open(kernel)) for room in CAPABILITIES}
        life.parts.directory = _one(rooms, "directory")
        await self._jobs(kernel, rooms, principal)
        await agreed.enlist(node, address)
        await self._follow_servers(agreed, watch)
        checked = health.Health(
            version=metadata.version("qiantang-server"),
            node=node,
            checks={"database": health.database_check(database)},
            spared={"coordination": _condition_check(agreed)},
        )
        own = platform.Platform(loaded=self._loaded, kernel=kernel, cache=kept, health=checked, address=address)
        built = self._application(kernel, rooms, own)
        checked.opened = True
        return Running(kernel=kernel, application=built, health=checked, address=address, rooms=rooms)

    async def _enter(self, part: contextlib.AbstractAsyncContextManager[T]) -> T:
        return await self._stack.enter_async_context(part)

    async def _database(self) -> Database:
        settings = self.section("storage", StorageSettings)
        database = await self._enter(Database(settings, default_file=self.folder / DATABASE_FILE))
        folders = [migrations.KERNEL, *(room.migrations for room in CAPABILITIES if room.migrations)]
        await migrations.upgrade(database, folders)
        return database

    async def _jobs(self, kernel: Kernel, rooms: Mapping[str, Opened], principal: access.Principal) -> None:
        own = self.section("server", ServerSettings)

        async def publish_due(_context: JobContext) -> None:
            await kernel.resources.requests.publish_due(principal)

        async def forget_instances(_context: JobContext) -> None:
            kept = own.instances_kept_days * 24 * 3600 * 1000
            await kernel.watch.instances.forget(kernel.resources.parts.clock() - kept)

        async def prune_history(_context: JobContext) -> None:
            pruned = await kernel.resources.retention.prune(kept=own.revisions_kept, kept_days=own.revisions_kept_days)
            if pruned.revisions or pruned.requests:
                log.info("old history was pruned", extra=dataclasses.asdict(pruned))

        jobs = [
            Job("publish-due", timedelta(seconds=1), publish_due),
            Job("forget-instances", timedelta(hours=1), forget_instances),
            Job("prune-history", timedelta(hours=1), prune_history),
            *(job for room in rooms.values() for job in room.jobs),
        ]
        await self._enter(JobRunner(kernel.coordination, jobs, holder=kernel.node))

    async def _follow_servers(self, agreed: Coordination, watch: Watch) -> None:
        async def follow() -> None:
            async for addresses in agreed.servers():
                watch.tell_servers(addresses)

        task = asyncio.create_task(follow(), name="servers")
        self._stack.push_async_callback(_cancelled, task)

    def _application(self, kernel: Kernel, rooms: Mapping[str, Opened], own: platform.Platform) -> Litestar:
        figures = health.Figures()
        figures.follow(kernel.watch, kernel.resources.parts)
        web = self.section("web", WebSettings)
        return application.build(
            web,
            life=kernel.resources,
            watching=kernel.watch,
            authenticator=_one(rooms, "authenticator"),
            denials=_one(rooms, "authenticator").ground.denials,
            permissions=kernel.permissions,
            routes=[platform.router(own), *(route for room in rooms.values() for route in room.routes)],
            finders=[
                *(finder for room in rooms.values() for finder in room.finders),
                *Finding(kernel.resources.parts).finders,
            ],
            process_health=own.health,
            figures=figures,
        )


T = TypeVar("T")


def _unsourced(sections: Mapping[str, msgspec.Struct]) -> kernel_settings.Loaded:
    """Give settings that were not read from anywhere as if they were the defaults."""
    shapes = {name: type(section) for name, section in sections.items()}
    return kernel_settings.Loaded(sections, kernel_settings.fields(shapes), {})


def declared_permissions(kinds: Kinds) -> dict[str, str]:
    """Give every permission of every room with its meaning."""
    found = {**kinds.permissions(), **web_watch.PERMISSIONS, **platform.PERMISSIONS}
    for room in CAPABILITIES:
        found.update(room.permissions)
    return found


def make_folder(folder: Path) -> None:
    """Make the data folder, for its owner alone.

    Raises:
        MisconfiguredError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise errors.MisconfiguredError(f"server.folder: {folder} cannot be made: {error.strerror}") from error


def identity_of(running: Running) -> Identity:
    """Give the open identity room."""
    found = running.rooms["identity"].authenticator
    assert isinstance(found, Identity)  # noqa: S101  # the catalog has one identity
    return found


def system_of(running: Running) -> access.Principal:
    """Give the platform itself as a principal, for what no person asked for."""
    return access.system(access.Permissions(running.kernel.permissions))


def _one(rooms: Mapping[str, Opened], part: str) -> Any:
    found = [getattr(room, part) for room in rooms.values() if getattr(room, part) is not None]
    if len(found) != 1:
        raise errors.MisconfiguredError(f"{len(found)} rooms give the {part}; exactly one must")
    return found[0]


def _condition_check(agreed: Coordination) -> Any:
    async def check() -> None:
        condition = agreed.condition
        if not condition.ready:
            raise errors.UnavailableError(condition.reason)

    return check


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def address_of(listener: socket.socket, settings: WebSettings) -> str:
    """Give the address at which others reach a listener."""
    if settings.address:
        return settings.address.rstrip("/")
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # compared, not bound
        host = socket.gethostname()
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if settings.tls_certificate else 'http'}://{shown}:{port}"


async def serve_until_stopped(running: Running, listener: socket.socket, settings: WebSettings) -> None:
    """Serve until a signal asks to stop; then send the streams away, finish what runs, and return within the deadline."""
    shown = pages.over(running.application, pages.find(settings.base_path))
    server = serve.listener_for(shown, settings)

    def force() -> None:
        server.force_exit = True

    with serve.StopSignal(force) as stop:
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
        asked = asyncio.create_task(stop.asked.wait(), name="stop")
        await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        running.health.opened = False
        running.kernel.watch.close_streams()
        server.should_exit = True
        await serving
