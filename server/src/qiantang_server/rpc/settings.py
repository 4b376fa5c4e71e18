"""Settings of calls between services: how long those who call can prove who they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec


class RpcSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How applications prove to each other who they are."""

    token: Annotated[
        timedelta,
        msgspec.Meta(
            description="how long a token for calls lasts: applications ask for the next one at half of it, and so long "
            "they can call new nodes while the control plane is away",
            extra={"ge": timedelta(minutes=1), "le": timedelta(days=7)},
        ),
    ] = timedelta(hours=12)
