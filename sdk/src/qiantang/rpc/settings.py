"""Settings of calls between services: where a program answers, and how it calls others."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec

from qiantang.kernel import scope

_NOT_LESS = {"ge": timedelta(0)}


class RpcSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How this program takes part in calls. What is said of answering is for programs that provide something."""

    microservice: Annotated[
        str,
        msgspec.Meta(
            pattern=scope.or_empty(scope.NAME_PATTERN),
            description="under which name its nodes are in the registry; empty: that of the application",
        ),
    ] = ""
    listen: Annotated[
        str,
        msgspec.Meta(
            description="where it answers calls: host:port, port 0 for any, or unix:path; others reach it over TLS alone"
        ),
    ] = "127.0.0.1:0"
    http: Annotated[
        str, msgspec.Meta(description="where it answers the same over HTTP with JSON: host:port; empty: nowhere")
    ] = ""
    advertise: Annotated[
        str,
        msgspec.Meta(
            max_length=255,
            description="host that others reach it by; empty: the one that it listens on, if that is one",
        ),
    ] = ""
    cluster: Annotated[
        str,
        msgspec.Meta(
            pattern=scope.or_empty(scope.NAME_PATTERN),
            description="cluster of this node; empty: that of the application's instance",
        ),
    ] = ""
    zone: Annotated[str, msgspec.Meta(max_length=128, description="zone of this node, and of its calls")] = ""
    weight: Annotated[
        int, msgspec.Meta(ge=0, le=10_000, description="what it takes of the calls in proportion to other nodes")
    ] = 100
    tags: Annotated[dict[str, str], msgspec.Meta(description="what routes choose it by, such as a lane")] = {}
    drain: Annotated[
        timedelta,
        msgspec.Meta(description="how long calls under way have to end when it leaves", extra=_NOT_LESS),
    ] = timedelta(seconds=30)
    notice: Annotated[
        timedelta,
        msgspec.Meta(
            description="how long it stays in the registry at least, as one that leaves: so long callers have to hear of it",
            extra=_NOT_LESS,
        ),
    ] = timedelta(seconds=1)
    threads: Annotated[int, msgspec.Meta(ge=1, le=512, description="threads for handlers that are plain functions")] = (
        16
    )
    calls: Annotated[
        int, msgspec.Meta(ge=1, le=100_000, description="calls that may be under way here, all together")
    ] = 4_096
    connections: Annotated[int, msgspec.Meta(ge=1, le=100_000, description="callers' connections at a time")] = 10_000
    certificate_file: Annotated[Path | None, msgspec.Meta(description="own certificate: what others reach it by")] = (
        None
    )
    key_file: Annotated[Path | None, msgspec.Meta(description="key of the own certificate")] = None
    authority_file: Annotated[
        Path | None,
        msgspec.Meta(description="authorities to trust of the nodes it calls; with it all calls go over TLS"),
    ] = None

    def __post_init__(self) -> None:
        """Check what concerns several settings."""
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together: set both or none")
