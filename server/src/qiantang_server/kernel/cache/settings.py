"""Settings of the release cache."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec
from qiantang.kernel.settings import Secret


class CacheSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The cache between the database and the servers."""

    redis: Annotated[
        Secret,
        msgspec.Meta(description="Redis address: redis://[user:password@]host:port/db or rediss://…; empty: memory"),
    ] = Secret("")
    prefix: Annotated[str, msgspec.Meta(description="what every key begins with", min_length=1, max_length=32)] = "qiantang"
    deadline: Annotated[timedelta, msgspec.Meta(description="longest time for one call to Redis")] = timedelta(
        milliseconds=200
    )
    keep: Annotated[timedelta, msgspec.Meta(description="how long a release stays in the cache")] = timedelta(days=1)
    max_blob: Annotated[int, msgspec.Meta(description="largest release that is cached, in bytes", ge=1024)] = 32 << 20
