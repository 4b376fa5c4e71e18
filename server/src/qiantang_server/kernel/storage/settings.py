"""Settings of the storage."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec


class StorageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the control plane keeps its rows."""

    url: Annotated[
        str,
        msgspec.Meta(
            description="database address: sqlite:///path, postgresql://user@host/name or mysql://user@host/name; "
            "empty: a SQLite file in the data folder"
        ),
    ] = ""
    pool_size: Annotated[int, msgspec.Meta(description="connections kept open to the database", ge=1)] = 10
    statement_timeout: Annotated[
        timedelta, msgspec.Meta(description="longest time to wait for a free connection or a locked row")
    ] = timedelta(seconds=10)
