"""Settings of the coordination."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

import msgspec


class ZooKeeperSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to reach ZooKeeper."""

    hosts: Annotated[
        str,
        msgspec.Meta(description="host:port of each server with commas between; empty: the database coordinates"),
    ] = ""
    root: Annotated[
        str,
        msgspec.Meta(description="path under which everything is kept", pattern=r"^(/[A-Za-z0-9._-]+)+$"),
    ] = "/qiantang"
    session_timeout: Annotated[
        timedelta, msgspec.Meta(description="silence after which ZooKeeper forgets this server")
    ] = timedelta(seconds=10)
    operation_timeout: Annotated[timedelta, msgspec.Meta(description="longest time for one operation")] = timedelta(
        seconds=5
    )
    auth: Annotated[
        list[str],
        msgspec.Meta(
            description="secret: credentials to present, each scheme:credential, such as digest:user:password"
        ),
    ] = []
    acl: Annotated[
        Literal["open", "guarded", "private"],
        msgspec.Meta(
            description="open: everyone may do everything; guarded: others may only read; private: others may nothing; "
            "the last two need auth"
        ),
    ] = "open"
    tls: Annotated[bool, msgspec.Meta(description="speak TLS")] = False
    ca_file: Annotated[str, msgspec.Meta(description="certificates to trust; empty: the system's")] = ""
    certificate_file: Annotated[str, msgspec.Meta(description="own certificate, where asked for")] = ""
    key_file: Annotated[str, msgspec.Meta(description="key of the own certificate")] = ""

    def __repr__(self) -> str:
        """Never show the credentials."""
        return f"ZooKeeperSettings(hosts={self.hosts!r}, root={self.root!r}, acl={self.acl!r}, tls={self.tls})"


class CoordinationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How servers agree: over the database, or over ZooKeeper where its hosts are given."""

    poll: Annotated[
        timedelta, msgspec.Meta(description="how often the database is asked for what other servers announced")
    ] = timedelta(milliseconds=250)
    resync: Annotated[
        timedelta, msgspec.Meta(description="how often everything announced in the database is compared again")
    ] = timedelta(seconds=60)
    zookeeper: Annotated[ZooKeeperSettings, msgspec.Meta(description="how to reach ZooKeeper")] = ZooKeeperSettings()
