"""Settings of the release cache."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec


class CacheSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where releases are kept between the database and the servers."""

    redis: Annotated[
        str,
        msgspec.Meta(
            description="secret: address of Redis, redis://[user:password@]host:port/db, rediss:// with TLS or "
            "unix://path; empty: each server's own memory"
        ),
    ] = ""
    prefix: Annotated[
        str, msgspec.Meta(description="what every key in Redis begins with", pattern=r"^[A-Za-z0-9._:-]{1,64}$")
    ] = "qiantang"
    deadline: Annotated[
        timedelta, msgspec.Meta(description="longest time for one call; a call with a release adds 50 ms per MiB")
    ] = timedelta(milliseconds=200)
    release_ttl: Annotated[
        timedelta, msgspec.Meta(description="how long a release is kept after it was last put or read")
    ] = timedelta(days=2)
    max_release_bytes: Annotated[int, msgspec.Meta(description="largest release kept, in bytes", ge=1024)] = 32 << 20
    memory_bytes: Annotated[
        int, msgspec.Meta(description="memory for releases in each server without Redis, in bytes", ge=1 << 20)
    ] = 64 << 20
    pool_size: Annotated[int, msgspec.Meta(description="connections to Redis of each server", ge=1)] = 16

    def __repr__(self) -> str:
        """Never show the password in the address."""
        place = self.redis.rpartition("@")[2] if "@" in self.redis else self.redis
        return f"CacheSettings(redis={place!r}, prefix={self.prefix!r})"
