"""Finding: what somebody jumps to by typing a part of its name, as far as he may see it."""

from __future__ import annotations

from qiantang.kernel.release import Hit
from qiantang_server.identity.service.ground import Ground
from qiantang_server.identity.store import estate, finding, people
from qiantang_server.kernel.access import Principal, visible

CREDENTIAL = "qtc-"


class Finding:
    """Finders of identity: each gives at most `limit` hits in a tenant, none where the principal may see none."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def applications(self, principal: Principal, tenant: str, words: str, limit: int) -> list[Hit]:
        """Find applications by name and title."""
        wanted = [
            visible(principal, "identity.application:list", estate.COLUMNS["application"]),
            finding.of_tenant("application", tenant),
        ]
        async with self._ground.database.reading() as session:
            rows = await finding.find(session, "application", wanted, words, limit)
        return [
            Hit(
                type="application",
                title=row.title or row.name,
                detail=f"{row.center}/{row.name}",
                tenant=row.tenant,
                center=row.center,
                application=row.name,
                name=row.name,
            )
            for row in rows
        ]

    async def environments(self, principal: Principal, tenant: str, words: str, limit: int) -> list[Hit]:
        """Find environments by name and title."""
        wanted = [
            visible(principal, "identity.environment:list", estate.COLUMNS["environment"]),
            finding.of_tenant("environment", tenant),
        ]
        async with self._ground.database.reading() as session:
            rows = await finding.find(session, "environment", wanted, words, limit)
        return [
            Hit(
                type="environment",
                title=row.title or row.name,
                detail=row.name,
                tenant=row.tenant,
                environment=row.name,
                name=row.name,
            )
            for row in rows
        ]

    async def users(self, principal: Principal, tenant: str, words: str, limit: int) -> list[Hit]:
        """Find accounts by name and title; a hit's name is the account's id."""
        wanted = [
            visible(principal, "identity.user:list", people.USER_COLUMNS),
            finding.of_tenant("user", tenant),
        ]
        async with self._ground.database.reading() as session:
            rows = await finding.find(session, "user", wanted, words, limit)
        return [
            Hit(type="user", title=row.title or row.name, detail=row.name, tenant=row.tenant, name=row.id)
            for row in rows
        ]

    async def credentials(self, principal: Principal, tenant: str, words: str, _limit: int) -> list[Hit]:
        """Find the credential of an id that was pasted; parts of ids find nothing."""
        pasted = words.strip()
        if not pasted.startswith(CREDENTIAL):
            return []
        shown = visible(principal, "identity.credential:list", finding.CREDENTIAL_COLUMNS)
        async with self._ground.database.reading() as session:
            row = await finding.find_credential(session, shown, tenant, pasted)
        if row is None:
            return []
        place = {part: getattr(row, part) for part in ("tenant", "environment", "center", "application")}
        return [Hit(type="credential", title=row.title or row.id, detail=row.id, name=row.id, **place)]
