"""Usage: when sessions, tokens and credentials were used last, gathered in memory and written now and then."""

from __future__ import annotations

from typing import Literal

from qiantang_server.identity.store import proof, sign_in
from qiantang_server.kernel import storage

Kind = Literal["session", "token", "credential"]
_LIMIT = 50_000


def _nothing() -> dict[Kind, dict[str, int]]:
    return {"session": {}, "token": {}, "credential": {}}


class Usage:
    """Notes uses; a lost note (a server that was killed) shortens an idle session by seconds and harms nothing else."""

    def __init__(self, database: storage.Database) -> None:
        self._database = database
        self._noted = _nothing()

    def note(self, kind: Kind, key: str, moment: int) -> None:
        """Note a use."""
        noted = self._noted[kind]
        if key in noted or len(noted) < _LIMIT:
            noted[key] = moment

    async def flush(self) -> None:
        """Write what was noted; on failure it is kept for the next time."""
        taken, self._noted = self._noted, _nothing()
        if not any(taken.values()):
            return

        async def work(session: storage.Session) -> None:
            await sign_in.touch_sessions(session, taken["session"])
            await proof.touch_tokens(session, taken["token"])
            await proof.touch_credentials(session, taken["credential"])

        try:
            await self._database.write(work)
        except BaseException:
            for kind, moments in taken.items():
                self._noted[kind] = {**moments, **self._noted[kind]}
            raise
