"""Addresses: where the list of servers comes from: settings, a directory, the servers themselves."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from qiantang.kernel import errors, files, runtime, wire
from qiantang.kernel.uplink.address import Address

logger = logging.getLogger(__name__)

FILE_NAME = "servers.json"
MAX_FILE_BYTES = 65_536
LOOK_UP_SECONDS = 30.0


class AddressSource(Protocol):
    """A directory that lists the servers."""

    @property
    def name(self) -> str:
        """What it is called in logs."""
        ...

    async def addresses(self) -> list[str]:
        """Give the addresses listed now, on the runtime's loop.

        Raises:
            UnavailableError: the directory cannot be asked now.
        """
        ...


class LastKnown(msgspec.Struct, frozen=True):
    """The addresses last told by a server, as kept on disk."""

    addresses: list[str]


class AddressBook:
    """All addresses from all sources, in one list.

    What a server tells replaces what servers told before, is kept on disk (0600, replaced atomically), and is
    used beside the configured addresses. A line configured with TLS is never led to one without.
    """

    def __init__(self, configured: Sequence[str], sources: Sequence[AddressSource], folder: Path | None) -> None:
        self._configured = [Address.parse(text) for text in configured]
        self._sources = list(sources)
        self._file = folder / FILE_NAME if folder is not None else None
        self._listed: list[Address] = []
        self._told: list[Address] = self._load()
        self._looked_up_at: float | None = None
        self._gather()
        if not self._configured and not self._sources and not self._told:
            raise errors.MisconfiguredError("no server is named: give an address such as http://127.0.0.1:8600")

    def after_fork(self) -> None:
        """Let the child look up again."""
        self._looked_up_at = None

    def _gather(self) -> None:
        self.known = tuple(dict.fromkeys([*self._configured, *self._listed, *self._told]))
        """All addresses: configured, listed by the sources, told by servers. Another tuple whenever that changes."""

    def due(self, now: float) -> bool:
        """Say whether asking the sources (again) is worth it."""
        at = self._looked_up_at
        return bool(self._sources) and (at is None or now - at >= LOOK_UP_SECONDS)

    async def look_up(self, now: float) -> None:
        """Ask every source; one that is away is logged, and the addresses it gave before stay."""
        self._looked_up_at = now
        found: list[Address] = []
        for source in self._sources:
            try:
                found += self._trusted(await source.addresses())
            except errors.UnavailableError as error:
                logger.warning("cannot look up the servers", extra={"source": source.name, "error": error.detail})
        if found:
            self._listed = found
            self._gather()

    def told(self, texts: Iterable[str]) -> bool:
        """Take the addresses that a server told; say whether they are news."""
        addresses = self._trusted(texts)
        if not addresses or set(addresses) == set(self._told):
            return False
        self._told = addresses
        self._gather()
        return True

    async def save(self) -> None:
        """Keep on disk what the servers told; a disk that refuses is logged and hurts nothing."""
        if self._file is None:
            return
        known = LastKnown(addresses=[str(address) for address in self._told])
        try:
            await runtime.offload(_write, self._file, msgspec.json.encode(known))
        except OSError as error:
            logger.warning("cannot keep the servers' addresses", extra={"file": str(self._file), "error": str(error)})

    def _trusted(self, texts: Iterable[str]) -> list[Address]:
        found: list[Address] = []
        for text in texts:
            with contextlib.suppress(errors.InvalidRequestError):
                found.append(Address.parse(text))
        if any(address.encrypted for address in self._configured):
            return [address for address in found if address.encrypted]
        return found

    def _load(self) -> list[Address]:
        if self._file is None:
            return []
        try:
            with self._file.open("rb") as file:
                content = file.read(MAX_FILE_BYTES)  # cut, it is no JSON any more
            return self._trusted(wire.decode(content, LastKnown).addresses)
        except FileNotFoundError:
            return []
        except (OSError, errors.InvalidRequestError) as error:
            logger.warning(
                "the file of last known servers is not used",
                extra={"file": str(self._file), "error": str(error)},
            )
            return []


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.replace(file, files.beside(file), content)
