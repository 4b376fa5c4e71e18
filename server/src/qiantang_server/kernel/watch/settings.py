"""Settings of the watch streams."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec


class WatchSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How instances are told and fed."""

    heartbeat: Annotated[
        timedelta, msgspec.Meta(description="longest silence on a stream; receivers call it broken after 2.5 of these")
    ] = timedelta(seconds=15)
    poll: Annotated[
        timedelta, msgspec.Meta(description="how often receivers ask even when no notice came, give or take half")
    ] = timedelta(seconds=30)
    reconcile: Annotated[
        timedelta, msgspec.Meta(description="how often this server compares what it knows with the database")
    ] = timedelta(seconds=5)
    max_streams: Annotated[
        int, msgspec.Meta(description="streams that one server holds; the next one is sent to another server", ge=1)
    ] = 15_000
    max_streams_per_application: Annotated[
        int,
        msgspec.Meta(
            description="streams that one server holds for one application and environment, so that a runaway one leaves "
            "room for others",
            ge=1,
        ),
    ] = 12_000
    max_browser_streams: Annotated[
        int, msgspec.Meta(description="browsers that one server keeps informed; the next one is sent away", ge=1)
    ] = 2_000
    max_browser_streams_per_principal: Annotated[
        int,
        msgspec.Meta(
            description="browsers of one person, or clients with one token, that one server keeps informed", ge=1
        ),
    ] = 32
    cache_bytes: Annotated[
        int, msgspec.Meta(description="memory for contents ready to be delivered, in bytes", ge=1 << 20)
    ] = 64 << 20
