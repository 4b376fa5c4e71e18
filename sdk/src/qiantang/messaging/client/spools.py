"""Spools: the offline stores of one bus, in a folder of its own, and those of processes that have died, which it takes over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from qiantang.kernel import errors, observe
from qiantang.messaging.client.offline import Offline, Shelter, Way
from qiantang.messaging.client.spool import Folder, Slots, Spool, adopt, claim
from qiantang.messaging.model import Frame
from qiantang.messaging.model.estate import OfflineStore
from qiantang.messaging.port import Crashed

log = observe.BoundedLog(logging.getLogger(__name__))
ADOPT_SECONDS: Final = 30.0
SHELTER_SECONDS: Final = 2.0


class Spools:
    """Of one bus. `bury` makes the dead letter of a message that a broker refuses for good. `crashed`: where messages move to."""

    def __init__(
        self,
        wanted: OfflineStore,
        member: str,
        bury: Callable[[Frame, BaseException], Frame],
        crashed: Crashed | None = None,
    ) -> None:
        after = wanted.to_store_after
        self._shelter = Shelter(crashed, after) if crashed is not None and after is not None else None
        self._wanted = wanted
        self._member = member
        self._bury = bury
        self._own: Folder | None = None
        self._ways: dict[str, Offline] = {}
        self._slots: dict[str, Slots] = {}
        self._adopted: dict[Spool, Folder] = {}
        self._looking: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self, ways: Mapping[str, Way]) -> dict[str, Offline]:
        """Own a folder, take over what dead processes left, and give each link its offline way.

        Raises:
            MisconfiguredError: the folder cannot be used.
        """
        base = Path(self._wanted.folder)
        self._own = await asyncio.to_thread(claim, base, self._member)
        if self._shelter is not None:
            self._shelter = self._shelter._replace(members=await self._sheltered(self._shelter.crashed))
        opened = await self.add(ways)
        self._looking = asyncio.create_task(self._look(base), name="offline stores of dead processes")
        return opened

    async def add(self, ways: Mapping[str, Way]) -> dict[str, Offline]:
        """Give links their offline ways, with what dead processes left of theirs.

        Raises:
            UnavailableError, MisconfiguredError: a store cannot be opened.
        """
        if not ways or self._own is None:
            return {}
        self._slots.update({name: Slots() for name in ways})
        left = await self._found(Path(self._wanted.folder))
        for name, way in ways.items():
            own = self._spool(self._own, name)
            await own.open()
            spools = [*left.get(name, []), own]
            self._ways[name] = Offline(way, self._slots[name], spools, self._bury, self._emptied, shelter=self._shelter)
            self._ways[name].start()
        return {name: self._ways[name] for name in ways}

    async def remove(self, names: Collection[str]) -> None:
        """Give links up; what waits of them stays on disk, until a process knows them again."""
        for name in names:
            way = self._ways.pop(name, None)
            self._slots.pop(name, None)
            if way is not None:
                await way.close()

    async def close(self) -> None:
        """Give everything up; what waits stays on disk for the next process."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        for way in self._ways.values():
            await way.close()
        if self._closing:
            await asyncio.wait(self._closing)
        folders = {*self._adopted.values(), *([self._own] if self._own is not None else [])}
        for folder in folders:
            await asyncio.to_thread(folder.remove)

    # -- inside ------------------------------------------------------------------------------------------

    async def _sheltered(self, crashed: Crashed) -> frozenset[str]:
        """Say of whom something is in the shelter; where that cannot be found out soon, this process begins without."""
        try:
            async with asyncio.timeout(SHELTER_SECONDS):
                await crashed.open()
                return frozenset(await crashed.members())
        except (errors.QiantangError, TimeoutError) as error:
            log.failure(
                "shelter",
                "it is not known whether earlier messages are in the store: new ones may overtake",
                error=error,
            )
            return frozenset()

    def _spool(self, folder: Folder, link: str) -> Spool:
        wanted = self._wanted
        return Spool(
            folder.spool(link),
            link,
            max_bytes=wanted.max_bytes,
            sync_seconds=wanted.sync_seconds,
            slots=self._slots[link],
        )

    async def _found(self, base: Path) -> dict[str, list[Spool]]:
        """Open what dead processes left, of links that are known here."""
        found: dict[str, list[Spool]] = {}
        for folder in await asyncio.to_thread(adopt, base):
            opened = [spool for link in await self._known(folder) if (spool := await self._opened(folder, link))]
            for spool in opened:
                self._adopted[spool] = folder
                found.setdefault(spool.link, []).append(spool)
            if not opened:
                folder.close()  # of links that only another configuration knows, or damaged: it stays for who can
        return found

    async def _known(self, folder: Folder) -> list[str]:
        return [link for link in await asyncio.to_thread(folder.links) if link in self._slots]

    async def _opened(self, folder: Folder, link: str) -> Spool | None:
        """Open one; where that cannot be done, this process goes on without."""
        spool = self._spool(folder, link)
        try:
            await spool.open()
        except errors.QiantangError as error:
            log.failure(f"{folder.path}", "an offline store of a dead process cannot be opened", error=error)
            return None
        return spool

    async def _look(self, base: Path) -> None:
        while True:
            await asyncio.sleep(ADOPT_SECONDS)
            try:
                for link, spools in (await self._found(base)).items():
                    for spool in spools:
                        if link in self._ways:
                            self._ways[link].adopt(spool)
            except Exception as error:
                log.failure(f"orphans of {base}", "offline stores of dead processes cannot be taken over", error=error)

    def _emptied(self, spool: Spool) -> None:
        task = asyncio.create_task(self._retire(spool), name=f"end of an offline store of {spool.link}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _retire(self, spool: Spool) -> None:
        folder = self._adopted.pop(spool)
        await spool.close()
        if folder not in self._adopted.values():
            await asyncio.to_thread(folder.remove)
