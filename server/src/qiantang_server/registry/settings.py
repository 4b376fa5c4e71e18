"""Settings of the platform's own registry."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec


class RegistrySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long a process that says nothing is waited for, and how many may follow."""

    lease: Annotated[
        timedelta,
        msgspec.Meta(
            description="silence after which the nodes of a process are gone; processes renew three times in it",
            extra={"ge": timedelta(seconds=2)},
        ),
    ] = timedelta(seconds=15)
    poll: Annotated[
        timedelta,
        msgspec.Meta(
            description="how often a server compares followed lists with the database, whatever it was told",
            extra={"ge": timedelta(milliseconds=100)},
        ),
    ] = timedelta(seconds=5)
    max_streams: Annotated[
        int, msgspec.Meta(description="processes that follow nodes at one server; the next one is sent away", ge=1)
    ] = 15_000
    max_streams_per_application: Annotated[
        int,
        msgspec.Meta(description="processes of one application and environment that follow nodes at one server", ge=1),
    ] = 12_000
    max_sessions_per_application: Annotated[
        int,
        msgspec.Meta(description="processes of one application and environment that may be registered at a time", ge=1),
    ] = 12_000
