"""Refusing: rows that a database does not take though it is there, told apart from a database that is away."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import exc

from qiantang.messaging.adapters.sql.database import Database, RefusedError
from qiantang.messaging.errors import BrokerAwayError, StoreRefusedError

STATEMENT_BYTES: Final = 1024
"""More than a statement has beside the values of its row."""
_ESCAPED: Final = b"\0\n\r\x1a\"'\\"


async def why(
    database: Database, error: BrokerAwayError, rows: Collection[Mapping[str, Any]]
) -> StoreRefusedError | None:
    """Say why a database does not take rows that were inserted together; None where that was not done for another reason.

    A server of MariaDB that gets too large a packet cuts the connection, and the driver says that it has gone. So it is asked
    whether it is there, and how much it takes.

    Raises:
        BrokerAwayError: it is away.
    """
    if isinstance(error, RefusedError):
        return StoreRefusedError(error.detail)
    cause = error.__cause__
    if not (isinstance(cause, exc.DBAPIError) and cause.connection_invalidated):
        return None
    most, size = await database.most_of_packet(), sum(map(_size, rows))
    if not 0 < most < size:
        return None
    return StoreRefusedError(f"{database.name} takes {most} bytes at once, not up to {size}: raise max_allowed_packet")


def _size(row: Mapping[str, Any]) -> int:
    """Give how large a statement of MariaDB is that inserts a row, or a little more: values stand in it, with signs escaped."""
    values = [value.encode() if isinstance(value, str) else value for value in row.values()]
    data = [value for value in values if isinstance(value, bytes)]
    return STATEMENT_BYTES + sum(len(one) + sum(one.count(sign) for sign in _ESCAPED) for one in data)
