"""Housekeeping: lets go of what has ended. Each is safe to run twice, and on any server."""

from __future__ import annotations

from qiantang_server.identity.rules.throttle import BY_ACCOUNT
from qiantang_server.identity.service.ground import Ground
from qiantang_server.identity.service.sign_in import DEVICE_LIFETIME
from qiantang_server.identity.service.signing import SigningKeys
from qiantang_server.identity.store import estate, proof, sign_in
from qiantang_server.kernel import audit, storage

_DAY = 24 * 3600 * 1000
ENDED_KEPT = 90 * _DAY


class Housekeeping:
    """The background steps of identity."""

    def __init__(self, ground: Ground, keys: SigningKeys) -> None:
        self._ground = ground
        self._keys = keys

    async def expire(self) -> int:
        """Remove sessions, nonces, throttles, one-time tokens and long-ended credentials; give the count of rows."""
        now = self._ground.now()
        idle = int(self._ground.settings.session_idle.total_seconds() * 1000)

        async def work(session: storage.Session) -> int:
            gone = await sign_in.expire(
                session,
                now=now,
                idle_since=now - idle,
                quiet_since=now - BY_ACCOUNT.forget,
                strange_since=now - DEVICE_LIFETIME,
            )
            return gone + await proof.expire(session, now=now, long_ago=now - ENDED_KEPT)

        return await self._ground.database.write(work)

    async def rotate_keys(self) -> None:
        """Make a new signing key when the newest is old."""
        await self._keys.rotate()

    async def prune_audit(self) -> int:
        """Remove audit records past their retention from every chain; give the count."""
        days = self._ground.settings.audit_kept_days
        if not days:
            return 0
        before = self._ground.now() - days * _DAY
        removed = await audit.prune(self._ground.database, audit.PLATFORM_CHAIN, before)
        after = ""
        while True:
            async with self._ground.database.reading() as session:
                tenants = await estate.tenant_names(session, after, 200)
            if not tenants:
                return removed
            for tenant in tenants:
                removed += await audit.prune(self._ground.database, tenant, before)
            after = tenants[-1]
