"""Settings of identity."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec


class IdentitySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long proof of identity lasts."""

    session_idle: Annotated[timedelta, msgspec.Meta(description="a browser session ends after so long without use")] = (
        timedelta(minutes=30)
    )
    session_absolute: Annotated[
        timedelta, msgspec.Meta(description="a browser session ends after so long, used or not")
    ] = timedelta(hours=12)
    first_start: Annotated[
        timedelta, msgspec.Meta(description="how long the one-time token of a first start lasts")
    ] = timedelta(minutes=10)
    token: Annotated[timedelta, msgspec.Meta(description="how long an application's bearer token lasts")] = timedelta(
        minutes=15
    )
    clock_skew: Annotated[
        timedelta, msgspec.Meta(description="how far an application's clock may be off when it asks for a token")
    ] = timedelta(seconds=60)
    recheck: Annotated[
        timedelta,
        msgspec.Meta(
            description="revoked rights end on every server within so long; smaller asks the database more often"
        ),
    ] = timedelta(seconds=2)
    audit_kept_days: Annotated[
        int, msgspec.Meta(ge=0, description="days that audit records are kept; 0 keeps them for ever")
    ] = 0
