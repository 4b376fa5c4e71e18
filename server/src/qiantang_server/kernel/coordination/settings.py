"""Settings of the coordination."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

import msgspec

from qiantang.kernel.settings import Secret

_POSITIVE = {"ge": timedelta(milliseconds=10)}


class CoordinationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How servers agree: over the database, or over ZooKeeper where its hosts are given."""

    adapter: Annotated[
        str,
        msgspec.Meta(
            description="adapter by the name of its entry point; empty: zookeeper where its hosts are set, else database"
        ),
    ] = ""
    poll: Annotated[
        timedelta,
        msgspec.Meta(description="how often the database is asked for what other servers announced", extra=_POSITIVE),
    ] = timedelta(milliseconds=250)
    resync: Annotated[
        timedelta,
        msgspec.Meta(description="how often everything announced in the database is compared again", extra=_POSITIVE),
    ] = timedelta(seconds=60)
    zookeeper: Annotated[
        str,
        msgspec.Meta(description="ZooKeeper's host:port with commas between; empty: the database coordinates"),
    ] = ""
    zookeeper_root: Annotated[
        str,
        msgspec.Meta(description="path in ZooKeeper under which everything is kept", pattern=r"^(/[A-Za-z0-9._-]+)+$"),
    ] = "/qiantang"
    zookeeper_session_timeout: Annotated[
        timedelta,
        msgspec.Meta(
            description="silence after which ZooKeeper forgets this server", extra={"ge": timedelta(seconds=1)}
        ),
    ] = timedelta(seconds=10)
    zookeeper_operation_timeout: Annotated[
        timedelta, msgspec.Meta(description="longest time for one call to ZooKeeper", extra=_POSITIVE)
    ] = timedelta(seconds=5)
    zookeeper_auth: Annotated[
        Secret,
        msgspec.Meta(
            description="credentials for ZooKeeper as scheme:credential, such as digest:user:password; spaces between"
        ),
    ] = Secret("")
    zookeeper_acl: Annotated[
        Literal["open", "guarded", "private"],
        msgspec.Meta(
            description="what others may do with this platform's nodes in ZooKeeper: open, everything; guarded, read; "
            "private, nothing; the last two need zookeeper_auth"
        ),
    ] = "open"
    zookeeper_tls: Annotated[bool, msgspec.Meta(description="speak TLS with ZooKeeper")] = False
    zookeeper_ca_file: Annotated[
        str, msgspec.Meta(description="certificates to trust of ZooKeeper; empty: the system's")
    ] = ""
    zookeeper_certificate_file: Annotated[
        str, msgspec.Meta(description="own certificate for ZooKeeper, where it asks for one")
    ] = ""
    zookeeper_key_file: Annotated[str, msgspec.Meta(description="key of the own certificate for ZooKeeper")] = ""
