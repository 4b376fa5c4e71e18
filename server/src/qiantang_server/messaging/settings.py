"""Settings of messaging: what the servers may reach of the applications' brokers and databases, and how much at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec

_SECOND = {"ge": timedelta(seconds=1)}


class MessagingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the servers look after the dead letters of applications."""

    hosts: Annotated[
        str,
        msgspec.Meta(
            description="hosts of brokers and databases that a server connects to for dead letters, parted by commas, "
            "as patterns with *; empty: none"
        ),
    ] = "*"
    file_folders: Annotated[
        str,
        msgspec.Meta(
            description="folders of the servers whose files the addresses of applications may name (databases of "
            "SQLite, certificates), parted by commas; empty: none"
        ),
    ] = ""
    open_buses: Annotated[
        int, msgspec.Meta(description="applications whose dead letters a server holds open at a time", ge=1, le=1000)
    ] = 16
    idle: Annotated[
        timedelta, msgspec.Meta(description="how long they stay open after their last use", extra=_SECOND)
    ] = timedelta(seconds=60)
    answer_within: Annotated[
        timedelta,
        msgspec.Meta(
            description="longest time for looking something up there; sending has twice as long", extra=_SECOND
        ),
    ] = timedelta(seconds=10)
