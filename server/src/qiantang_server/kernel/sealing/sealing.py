"""Sealing: secrets at rest, in an envelope. A master key wraps data keys, a tenant's data keys encrypt its values.

AES-256-GCM with random 96-bit nonces throughout. The associated data ties a sealed value to its tenant and its place, so a text
that was moved elsewhere does not open. Sealed text reads `v1.<key id>.<base64 of nonce and ciphertext>`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qiantang.kernel import errors, ids
from qiantang_server.kernel import storage
from qiantang_server.kernel.sealing import store
from qiantang_server.kernel.sealing.keyring import FILE, KEY_BYTES, NONCE_BYTES, Keyring
from qiantang_server.kernel.sealing.settings import SealingSettings

PLATFORM = "*"
VERSION = "v1"
MAX_TENANTS = 10_000
REFRESH_SECONDS = 5.0
SETTLE_MS = 15_000
REWRAP_BATCH = 200


class SealedError(errors.InternalError):
    """A sealed value does not open: altered, moved from its place, or its key is not there."""

    code = "sealing.sealed"


@dataclass(slots=True)
class _TenantKeys:
    mask: bytes
    ciphers: dict[str, AESGCM] = field(default_factory=dict[str, AESGCM])
    active: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    loaded: float = 0.0

    def current(self, at: int) -> str:
        """Give the id of the newest key that every server has had time to load."""
        settled = [name for since, name in self.active if since <= at]
        return settled[-1] if settled else self.active[0][1]


class Sealing:
    """Seals, opens and masks values of tenants. `ready` loads a tenant's keys; the calls after it do not wait."""

    def __init__(self, database: storage.Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        self._tenants: OrderedDict[str, _TenantKeys] = OrderedDict()
        self._named: dict[str, bytes] = {}

    def __repr__(self) -> str:
        """Never show a key."""
        return f"Sealing({self._keyring!r})"

    async def prove(self) -> None:
        """Prove that the keyring is the one that this database was sealed with; a new database is bound to it.

        Raises:
            WrongKeyringError: it is another one.
        """
        await self._load(PLATFORM, "check")

    async def ready(self, tenant: str) -> None:
        """Load the tenant's keys, making them at first; keys that another server added are there within seconds.

        Raises:
            UnavailableError: the database is away and the keys are not in memory.
        """
        held = self._tenants.get(tenant)
        if held is not None and time.monotonic() - held.loaded < REFRESH_SECONDS:
            return
        try:
            rows = [*await self._load(tenant, "mask"), *await self._load(tenant, "seal")]
        except errors.UnavailableError:
            if held is None:
                raise
            return
        fresh = _TenantKeys(mask=self._plain(rows[0]), loaded=time.monotonic())
        for row in rows[1:]:
            known = held.ciphers.get(row.id) if held is not None else None
            fresh.ciphers[row.id] = known or AESGCM(self._plain(row))
            fresh.active.append((row.active_from, row.id))
        self._tenants[tenant] = fresh
        self._tenants.move_to_end(tenant)
        while len(self._tenants) > MAX_TENANTS:
            self._tenants.popitem(last=False)

    def seal(self, tenant: str, plaintext: bytes, context: str) -> str:
        """Encrypt for a place; the tenant must be `ready`."""
        keys = self._keys(tenant)
        name = keys.current(time.time_ns() // 1_000_000)
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
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise SealedError(
                f"a sealed value of {tenant!r} was altered or moved from its place ({context[:200]})"
            ) from error

    def mask(self, tenant: str, value: str) -> str:
        """Give 8 hex digits that are equal for equal values of one tenant and differ between tenants."""
        return hmac.new(self._keys(tenant).mask, value.encode(), hashlib.sha256).hexdigest()[:8]

    async def named_key(self, purpose: str) -> bytes:
        """Give the random key of 32 bytes that all servers on this database share for a purpose."""
        found = self._named.get(purpose)
        if found is None:
            rows = await self._load(PLATFORM, f"named-{purpose}")
            found = self._named[purpose] = self._plain(rows[0])
        return found

    async def rotate_data_key(self, tenant: str) -> str:
        """Add a data key that new values are sealed with once every server has loaded it; give its id. Old values still open."""
        async with self._database.reading() as session:
            slot = len(await store.keys_of(session, tenant, "seal"))
        await self._add(tenant, "seal", slot, SETTLE_MS if slot else 0)
        self._tenants.pop(tenant, None)
        await self.ready(tenant)
        return self._keys(tenant).active[-1][1]

    async def rewrap(self) -> int:
        """Put every data key under the current master key; give how many moved. Can be broken off and run again."""
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

    async def _load(self, tenant: str, purpose: str) -> list[store.Row]:
        async with self._database.reading() as session:
            rows = await store.keys_of(session, tenant, purpose)
        if not rows:
            await self._add(tenant, purpose, 0, 0)
            async with self._database.reading() as session:
                rows = await store.keys_of(session, tenant, purpose)
        for row in rows[:1]:
            self._plain(row)
        return list(rows)

    async def _add(self, tenant: str, purpose: str, slot: int, settle: int) -> None:
        name = ids.ordered_id()
        master, wrapped = self._keyring.wrap(secrets.token_bytes(KEY_BYTES), f"{tenant}|{purpose}|{name}")
        at = time.time_ns() // 1_000_000
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
        await self._database.write(lambda session: store.add_key(session, values))


def _place(tenant: str, context: str) -> bytes:
    return f"{tenant}|{context}".encode()


def _row_place(row: store.Row) -> str:
    return f"{row.tenant}|{row.purpose}|{row.id}"


@asynccontextmanager
async def open_sealing(
    settings: SealingSettings, database: storage.Database, folder: Path
) -> AsyncGenerator[Sealing, None]:
    """Open the keyring and prove that it belongs to the database.

    Raises:
        MisconfiguredError: the keyring is damaged, open to others, or another one.
    """
    given = settings.keys.reveal()
    sealing = Sealing(database, Keyring.parse(given) if given else Keyring.of_file(folder / FILE))
    await sealing.prove()
    yield sealing
