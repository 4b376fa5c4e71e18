"""Registry of the platform: nodes and votes in a session of the control plane, lists by one stream of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Self

from qiantang.kernel import errors
from qiantang.kernel.uplink import Tls, Uplink
from qiantang.registry.adapters.platform.following import Following, Lists
from qiantang.registry.adapters.platform.holdings import Holdings, Key
from qiantang.registry.adapters.platform.line import Line
from qiantang.registry.errors import RegistryFullError, UnknownNodeError
from qiantang.registry.model import Change, Condition, Definition, Node, Snapshot, Vote, protocol
from qiantang.registry.port import Board
from qiantang.registry.port.bounds import (
    check_microservice,
    check_node_name,
    check_service,
    encode_definition,
    encode_node,
    encode_vote,
)
from qiantang.registry.settings import RegistrySettings

log = logging.getLogger(__name__)

PROVE_SECONDS: Final = 1.0
"""How long entering waits for the control plane: what is away is tried again."""


def make(settings: RegistrySettings) -> PlatformRegistry:
    """Make it from settings, with a line to the control plane of its own; the entry point.

    Raises:
        MisconfiguredError: no address, or no credential.
    """
    addresses = [one.strip() for one in settings.address.split(",") if one.strip()]
    if not addresses:
        raise errors.MisconfiguredError(
            "registry.adapter is platform: write the addresses of the control plane in registry.address"
        )
    if not (settings.platform_credential and settings.platform_secret.reveal()):
        raise errors.MisconfiguredError(
            "registry.adapter is platform: give the application's credential in registry.platform_credential and "
            "registry.platform_secret"
        )
    authority = Path(settings.platform_ca_file) if settings.platform_ca_file else None
    uplink = Uplink(
        addresses,
        credential_id=settings.platform_credential,
        secret=settings.platform_secret.reveal(),
        tls=Tls(authority_file=authority),
    )
    return PlatformRegistry(settings, uplink, owns_uplink=True)


class PlatformRegistry:
    """The registry of the tenant and environment that the uplink's credential is of.

    With `owns_uplink` the line is closed with the registry.
    """

    def __init__(self, settings: RegistrySettings, uplink: Uplink, *, owns_uplink: bool = False) -> None:
        self._line = Line(uplink, settings.operation_timeout.total_seconds())
        self._owns_uplink = owns_uplink
        self._holdings = Holdings(self._line, settings.check.total_seconds())
        self._narrow_seconds = settings.resync.total_seconds()
        self._boards: dict[str, Board] = {}
        self._following: Following | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._away = ""
        self._was_away = False
        self._since = _now()
        self._closed = False

    @property
    def health(self) -> Condition:
        """Say whether the stream is open and the session renewed, as far as either is needed."""
        followed = self._away if self._boards else ""
        reason = followed or self._line.away or ("" if self._holdings.renewed else "what was registered is not renewed")
        if bool(reason) != self._was_away:
            self._was_away, self._since = bool(reason), _now()
        return Condition(ready=not reason, reason=reason, since=self._since)

    @property
    def line(self) -> Line:
        """The line to the control plane, for whoever must look at it."""
        return self._line

    async def __aenter__(self) -> Self:
        """Ask for the control plane, or keep trying in the background."""
        self._following = Following(self._line.uplink, self._told, self._line.deadline)
        try:
            await self._line.prove(min(PROVE_SECONDS, self._line.deadline))
        except errors.QiantangError as error:
            log.warning("the platform's registry does not answer; trying on", extra={"reason": error.detail})
        self._following.begin()
        self._tasks = [
            asyncio.create_task(self._holdings.keep(), name="registry: own nodes"),
            asyncio.create_task(self._narrow(), name="registry: followed"),
        ]
        return self

    async def __aexit__(self, *exception: object) -> None:
        """End the watches and the session; what this process registered and voted goes with it."""
        if self._closed:
            return
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._following is not None:
            self._following.end()
        for board in self._boards.values():
            board.close()
        await self._holdings.close()
        if self._owns_uplink:
            await self._line.uplink.close()

    async def register(self, microservice: str, node: Node) -> None:
        """Have a node there, and keep it."""
        encode_node(node)
        await self._holdings.hold(_key(check_microservice(microservice), node.name), microservice, node)

    async def update(self, microservice: str, name: str, change: Change) -> None:
        """Change a node of this process."""
        key = _key(check_microservice(microservice), check_node_name(name))
        node = self._holdings.node(key)
        if node is None:
            raise UnknownNodeError(f"no node {name!r} of {microservice} was registered here")
        changed = change.applied(node)
        encode_node(changed)
        if not await self._holdings.hold(key, microservice, changed, gently=True):
            raise UnknownNodeError(f"the name {name!r} of {microservice} was taken over by another process")

    async def deregister(self, microservice: str, name: str) -> None:
        """Have a node of this process there no more."""
        await self._holdings.drop(_key(check_microservice(microservice), check_node_name(name)))

    async def watch(self, microservice: str) -> AsyncIterator[Snapshot]:
        """Watch the board of a microservice; it is followed as long as somebody does."""
        self._line.require_process()
        board = self._board(check_microservice(microservice))
        async with contextlib.aclosing(board.watch()) as snapshots:
            async for snapshot in snapshots:
                yield snapshot

    async def publish(self, microservice: str, definition: Definition) -> None:
        """Keep a definition."""
        check_microservice(microservice)
        encode_definition(definition)
        body = protocol.Publish(microservice=microservice, definition=definition)
        await self._line.call("publish", body, type(None))

    async def definitions(self, microservice: str, service: str = "") -> tuple[Definition, ...]:
        """Read definitions, as many calls as it takes."""
        check_microservice(microservice)
        asked = protocol.AskDefinitions(microservice=microservice, service=check_service(service) if service else "")
        found: tuple[Definition, ...] = ()
        while True:
            answer = await self._line.call("definitions", asked, protocol.Definitions)
            found += answer.definitions
            if not answer.next:
                return found
            asked = protocol.AskDefinitions(microservice=microservice, after=answer.next)

    async def vote(self, microservice: str, vote: Vote) -> None:
        """Keep a vote there, or take it back."""
        encode_vote(vote)
        key = (check_microservice(microservice), vote.node, vote.service, vote.voter)
        if vote.value:
            await self._holdings.hold(key, microservice, vote)
        else:
            await self._holdings.drop(key)

    async def votes(self, microservice: str) -> tuple[Vote, ...]:
        """Read the votes."""
        body = protocol.AskVotes(microservice=check_microservice(microservice))
        return (await self._line.call("votes", body, protocol.Votes)).votes

    def _board(self, microservice: str) -> Board:
        board = self._boards.get(microservice)
        if board is None:
            board = Board()
            if self._closed:
                board.close()
                return board
            self._unwatch()
            if len(self._boards) >= protocol.MAX_FOLLOWED:
                raise RegistryFullError(f"this process follows {protocol.MAX_FOLLOWED} microservices already")
            self._boards[microservice] = board
            if self._away or self._line.away:
                board.away()
            self._follow()
        return board

    def _follow(self) -> None:
        if self._following is not None:
            self._following.follow(frozenset(self._boards))

    def _unwatch(self) -> bool:
        """Let go of what nobody watches any more; say whether there was something. What is kept is followed."""
        unwatched = [name for name, board in self._boards.items() if not board.watchers]
        for name in unwatched:
            del self._boards[name]
        return bool(unwatched)

    async def _narrow(self) -> None:
        """Let go now and then of what nobody watches any more, until cancelled."""
        while True:
            await asyncio.sleep(self._narrow_seconds)
            if self._unwatch():
                self._follow()

    def _told(self, lists: Lists, away: str | None) -> None:
        """Hear what the stream tells; on the registry's loop."""
        if away is not None:
            self._away = away
        for name, nodes in lists.items():
            board = self._boards.get(name)
            if board is not None:
                board.post(nodes)
        if away:
            for board in self._boards.values():
                board.away()


def _key(microservice: str, name: str) -> Key:
    return (microservice, name)


def _now() -> int:
    return time.time_ns() // 1_000_000
