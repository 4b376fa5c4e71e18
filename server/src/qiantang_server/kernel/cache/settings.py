"""Settings of the release cache."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec

from qiantang.kernel.settings import Secret

_POSITIVE = {"ge": timedelta(milliseconds=10)}


class CacheSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where releases are kept between the database and the servers."""

    adapter: Annotated[
        str,
        msgspec.Meta(
            description="adapter by the name of its entry point; empty: redis where its address is set, else memory"
        ),
    ] = ""
    redis: Annotated[
        Secret,
        msgspec.Meta(
            description="address of Redis, redis://[user:password@]host:port/db, rediss:// with TLS or "
            "unix://path; empty: each server's own memory"
        ),
    ] = Secret("")
    prefix: Annotated[
        str, msgspec.Meta(description="what every key in Redis begins with", pattern=r"^[A-Za-z0-9._:-]{1,64}$")
    ] = "qiantang"
    deadline: Annotated[
        timedelta,
        msgspec.Meta(
            description="longest time for one call; a call with a release adds 50 ms per MiB", extra=_POSITIVE
        ),
    ] = timedelta(milliseconds=200)
    release_ttl: Annotated[
        timedelta,
        msgspec.Meta(description="how long a release is kept after its last use", extra={"ge": timedelta(seconds=1)}),
    ] = timedelta(days=2)
    max_release_bytes: Annotated[int, msgspec.Meta(description="largest release kept, in bytes", ge=1024)] = 32 << 20
    memory_bytes: Annotated[
        int, msgspec.Meta(description="memory for releases in each server without Redis, in bytes", ge=1 << 20)
    ] = 64 << 20
    pool_size: Annotated[int, msgspec.Meta(description="connections to Redis of each server", ge=1)] = 16
