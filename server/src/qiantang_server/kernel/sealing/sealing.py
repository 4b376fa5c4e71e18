"""Sealing: secrets at rest, in an envelope. A master key wraps data keys, a tenant's data keys encrypt its values.

AES-256-GCM with random 96-bit nonces throughout. The associated data ties a sealed value to its tenant and its place, so a text
that was moved elsewhere does not open. Sealed text reads `v1.<key id>.<base64 of nonce and ciphertext>`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qiantang.kernel import errors, ids
from qiantang.kernel.observe import BoundedLog
from qiantang_server.kernel import storage
from qiantang_server.kernel.sealing import store
from qiantang_server.kernel.sealing.keyring import (
    FILE,
    KEY_BYTES,
    NONCE_BYTES,
    Keyring,
    WrongKeyringError,
    is_there,
    make,
)
from qiantang_server.kernel.sealing.settings import SealingSettings

log = logging.getLogger(__name__)

PLATFORM = "*"
"""The name under which the platform's own secrets are sealed."""
VERSION = "v1"
MAX_TENANTS = 10_000
REFRESH_SECONDS = 5.0
STALE_SECONDS = 10.0
SETTLE_MS = 20_000
"""A new data key seals nothing until every server has loaded it: longer than keys in use may go without a refresh."""
REWRAP_BATCH = 200


class SealedError(errors.InternalError):
    """A sealed value does not open: altered, moved from its place, or its key is not there."""

    code = "sealing.sealed"


@dataclass(slots=True)
class _TenantKeys:
    """A tenant's keys in memory. Moments are on this server's monotonic clock."""

    mask: bytes
    ciphers: dict[str, AESGCM] = field(default_factory=dict[str, AESGCM])
    active: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    loaded: float = 0.0
    tried: float = 0.0

    def current(self, at: float) -> str:
        """Give the id of the newest key that every server has had time to load."""
        settled = [name for since, name in self.active if since <= at]
        return settled[-1] if settled else self.active[0][1]


class Sealing:
    """Seals, opens and masks values of tenants. `ready` loads a tenant's keys; the calls after it do not wait."""

    def __init__(
        self, database: storage.Database, keyring: Keyring, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._tenants: OrderedDict[str, _TenantKeys] = OrderedDict()
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._named: dict[str, bytes] = {}
        self._failures = BoundedLog(log)

    def __repr__(self) -> str:
        """Never show a key."""
        return f"Sealing({self._keyring!r})"

    async def prove(self) -> None:
        """Prove that the keyring is the one that this database was sealed with; a new database is bound to it.

        Raises:
            WrongKeyringError: it is another one, or lacks a master key that is in use.
        """
        (check,) = await self._of_platform("check")
        self._plain(check)
        async with self._database.reading() as session:
            missing = await store.masters(session) - self._keyring.masters
        if missing:
            raise WrongKeyringError(
                f"the database is sealed with master keys that this server does not have: {', '.join(sorted(missing))}: "
                "give every server the same keyring"
            )

    async def ready(self, tenant: str) -> None:
        """Load the tenant's keys, making them at first; call it before each use, it rarely waits.

        Keys in memory are refreshed every few seconds, and serve on while the database is away.

        Raises:
            UnavailableError: the database is away and the keys are not in memory.
        """
        held, now = self._tenants.get(tenant), self._clock()
        if held is not None and now - max(held.loaded, held.tried) < REFRESH_SECONDS:
            return
        task = self._loading.get(tenant)
        if task is None:
            task = self._loading[tenant] = asyncio.create_task(self._refresh(tenant), name="sealing: load keys")
            task.add_done_callback(lambda done: self._loaded(tenant, done))
        if held is None or now - held.loaded >= STALE_SECONDS:
            await asyncio.shield(task)  # others wait for the same load

    def seal(self, tenant: str, plaintext: bytes, context: str) -> str:
        """Encrypt for a place; the tenant must be `ready`."""
        keys = self._keys(tenant)
        name = keys.current(self._clock())
        nonce = os.urandom(NONCE_BYTES)
        sealed = keys.ciphers[name].encrypt(nonce, plaintext, _place(tenant, context))
        return f"{VERSION}.{name}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, tenant: str, sealed: str, context: str) -> bytes:
        """Decrypt; the tenant must be `ready`.

        Raises:
            SealedError: altered, sealed for another tenant or place, or its key is not there.
        """
        version, _, rest = sealed.partition(".")
        name, _, encoded = rest.partition(".")
        cipher = self._keys(tenant).ciphers.get(name)
        if version != VERSION or cipher is None:
            raise SealedError(f"a sealed value of {tenant!r} names key {name[:32]!r}, which the tenant does not have")
        try:
            raw = base64.b64decode(encoded, validate=True)
            return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _place(tenant, context))
        except (InvalidTag, binascii.Error, ValueError):
            raise SealedError(
                f"a sealed value of {tenant!r} was altered or moved from its place ({context[:200]})"
            ) from None

    def mask(self, tenant: str, value: str) -> str:
        """Give 8 hex digits that are equal for equal values of one tenant and differ between tenants.

        They are a mark for the eye: two values share one by chance once in four billion, so compare values, not marks.
        """
        return hmac.new(self._keys(tenant).mask, value.encode(), hashlib.sha256).hexdigest()[:8]

    async def named_key(self, purpose: str) -> bytes:
        """Give the random key of 32 bytes that all servers on this database share for a purpose."""
        found = self._named.get(purpose)
        if found is None:
            (row,) = await self._of_platform(f"named-{purpose}")
            found = self._named[purpose] = self._plain(row)
        return found

    async def rotate_data_key(self, tenant: str) -> str:
        """Add a data key that new values are sealed with once every server has loaded it; give its id. Old values still open."""
        async with self._database.reading() as session:
            slot = len(await store.keys_of(session, tenant, "seal"))
        await self._add(tenant, "seal", slot, SETTLE_MS if slot else 0)
        await self._refresh(tenant)
        return self._keys(tenant).active[-1][1]

    async def rewrap(self) -> int:
        """Put every data key under the current master key; give how many moved. Can be broken off and run again.

        Afterwards no key needs the older master keys, and they can be taken off the keyrings.
        """
        moved = 0
        while True:
            async with self._database.reading() as session:
                rows = await store.not_under(session, self._keyring.current, REWRAP_BATCH)
            if not rows:
                return moved
            wrapped = {row.id: self._keyring.wrap(self._plain(row), _row_place(row)) for row in rows}

            async def work(session: storage.Session, wrapped: dict[str, tuple[str, str]] = wrapped) -> None:
                for key, (master, text) in wrapped.items():
                    await store.rewrap(session, key, master, text)

            await self._database.write(work)
            moved += len(rows)

    def _keys(self, tenant: str) -> _TenantKeys:
        found = self._tenants.get(tenant)
        if found is None:
            raise errors.InternalError(f"the keys of {tenant!r} were not loaded before use")
        return found

    def _plain(self, row: store.Row) -> bytes:
        return self._keyring.unwrap(row.master, row.wrapped, _row_place(row))

    def _loaded(self, tenant: str, task: asyncio.Task[None]) -> None:
        self._loading.pop(tenant, None)
        if task.cancelled() or task.exception() is None:
            return
        held = self._tenants.get(tenant)
        if held is not None:
            log.info(
                "keys could not be refreshed; those in memory serve", extra={"reason": str(task.exception())[:300]}
            )

    async def _refresh(self, tenant: str) -> None:
        held = self._tenants.get(tenant)
        began = self._clock()
        if held is not None:
            held.tried = began
        try:
            rows, now = await self._read(tenant)
        except errors.UnavailableError:
            if held is None:
                raise
            held.tried = self._clock()  # an outage is told of by others; those in memory serve
            return
        fresh = _TenantKeys(mask=b"", loaded=began)
        for row in rows:
            if row.purpose == "mask":
                fresh.mask = self._plain(row)
            elif row.purpose == "seal":
                known = held.ciphers.get(row.id) if held is not None else None
                fresh.ciphers[row.id] = known or AESGCM(self._plain(row))
                fresh.active.append((began + (row.active_from - now) / 1000, row.id))
        self._tenants[tenant] = fresh
        self._tenants.move_to_end(tenant)
        while len(self._tenants) > MAX_TENANTS:
            self._tenants.popitem(last=False)

    async def _read(self, tenant: str) -> tuple[Sequence[store.Row], int]:
        """Give the tenant's keys, made where they were missing, and the database's clock."""
        while True:
            async with self._database.reading() as session:
                now = await session.now()
                rows = await store.keys_of(session, tenant)
            missing = {"mask", "seal"} - {row.purpose for row in rows}
            if not missing:
                return rows, now
            for purpose in missing:
                await self._add(tenant, purpose, 0, 0)

    async def _of_platform(self, purpose: str) -> Sequence[store.Row]:
        while True:
            async with self._database.reading() as session:
                rows = await store.keys_of(session, PLATFORM, purpose)
            if rows:
                return rows
            await self._add(PLATFORM, purpose, 0, 0)

    async def _add(self, tenant: str, purpose: str, slot: int, settle: int) -> None:
        name = ids.ordered_id()
        master, wrapped = self._keyring.wrap(secrets.token_bytes(KEY_BYTES), f"{tenant}|{purpose}|{name}")

        async def work(session: storage.Session) -> None:
            at = await session.now()  # not this server's clock: all servers must agree on when the key is settled
            values = {
                "id": name,
                "tenant": tenant,
                "purpose": purpose,
                "slot": slot,
                "wrapped": wrapped,
                "master": master,
                "created_at": at,
                "active_from": at + settle,
            }
            await store.add_key(session, values)

        await self._database.write(work)


def _place(tenant: str, context: str) -> bytes:
    return f"{tenant}|{context}".encode()


def _row_place(row: store.Row) -> str:
    return f"{row.tenant}|{row.purpose}|{row.id}"


async def _keyring(settings: SealingSettings, database: storage.Database, path: Path) -> Keyring:
    given = settings.keys.reveal()
    if given:
        return Keyring.parse(given)
    if not is_there(path):
        async with database.reading() as session:
            masters = await store.masters(session)
        if masters:
            raise WrongKeyringError(
                f"the keyring {path} is missing, and the database is sealed with master key {', '.join(sorted(masters))}: "
                "put the file back from your backup, copy it from another server, or set sealing.keys"
            )
        make(path)
    return Keyring.of_file(path)


@asynccontextmanager
async def open_sealing(settings: SealingSettings, database: storage.Database, folder: Path) -> AsyncGenerator[Sealing]:
    """Open the keyring, made where both it and the database are new, and prove that it belongs to the database.

    Raises:
        MisconfiguredError: the keyring is missing, damaged, open to others, or another one.
    """
    sealing = Sealing(database, await _keyring(settings, database, folder / FILE))
    await sealing.prove()
    yield sealing
