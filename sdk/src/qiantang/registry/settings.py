"""Settings of the registry: where it is, and how patient its clients are."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

import msgspec

from qiantang.kernel import errors, scope
from qiantang.kernel.settings import Secret

_POSITIVE = {"ge": timedelta(milliseconds=10)}


class RegistrySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which registry, of which tenant. What begins with `zookeeper_` or `platform_` is for that adapter alone.

    Raises:
        MisconfiguredError: the tenant is none, however these settings came about: it becomes part of paths.
    """

    adapter: Annotated[
        str, msgspec.Meta(description="adapter by the name of its entry point: memory, file, platform, zookeeper")
    ] = "memory"
    address: Annotated[
        str,
        msgspec.Meta(
            description="of memory: a name that the process shares; of file: a path (.toml or .json); "
            "of platform: addresses of the control plane, and of zookeeper host:port, with commas between"
        ),
    ] = ""
    tenant: Annotated[
        scope.Name,
        msgspec.Meta(
            description="tenant whose microservices are seen; others never are. Of platform the credential says it"
        ),
    ] = "default"
    copies: Annotated[
        str,
        msgspec.Meta(
            description="folder of the last known nodes, for a start while the registry is away; empty: none is kept"
        ),
    ] = ""
    suspected_for: Annotated[
        timedelta,
        msgspec.Meta(
            description="how long nodes are kept that vanished together with most others, unless a connection to them fails",
            extra={"ge": timedelta(0)},
        ),
    ] = timedelta(minutes=5)
    operation_timeout: Annotated[
        timedelta, msgspec.Meta(description="longest time for one call to the registry", extra=_POSITIVE)
    ] = timedelta(seconds=5)
    poll: Annotated[
        timedelta, msgspec.Meta(description="how often a file is looked at for a change", extra=_POSITIVE)
    ] = timedelta(seconds=2)
    check: Annotated[
        timedelta,
        msgspec.Meta(description="how often the own nodes are looked for, and made again if missing", extra=_POSITIVE),
    ] = timedelta(seconds=30)
    resync: Annotated[
        timedelta,
        msgspec.Meta(description="how often a watched list is compared as a whole, whatever was told", extra=_POSITIVE),
    ] = timedelta(seconds=60)
    platform_credential: Annotated[
        str,
        msgspec.Meta(
            description="credential of the application with the platform, where it has no line to it otherwise"
        ),
    ] = ""
    platform_secret: Annotated[Secret, msgspec.Meta(description="secret of that credential")] = Secret("")
    platform_ca_file: Annotated[
        str, msgspec.Meta(description="certificates to trust of the control plane; empty: the system's")
    ] = ""
    zookeeper_root: Annotated[
        str,
        msgspec.Meta(description="path in ZooKeeper under which the tenants are", pattern=r"^(/[A-Za-z0-9._-]+)+$"),
    ] = "/busidomain/csf"
    zookeeper_session_timeout: Annotated[
        timedelta,
        msgspec.Meta(
            description="silence after which ZooKeeper forgets the nodes of this process",
            extra={"ge": timedelta(seconds=1)},
        ),
    ] = timedelta(seconds=10)
    zookeeper_auth: Annotated[
        Secret,
        msgspec.Meta(
            description="credentials for ZooKeeper as scheme:credential, such as digest:user:password; spaces between"
        ),
    ] = Secret("")
    zookeeper_acl: Annotated[
        Literal["guarded", "private", "open"],
        msgspec.Meta(
            description="what others may do with what this process writes in ZooKeeper: guarded, read; private, nothing; "
            "open, everything; the first two need zookeeper_auth"
        ),
    ] = "guarded"
    zookeeper_tls: Annotated[bool, msgspec.Meta(description="speak TLS with ZooKeeper")] = False
    zookeeper_ca_file: Annotated[
        str, msgspec.Meta(description="certificates to trust of ZooKeeper; empty: the system's")
    ] = ""
    zookeeper_certificate_file: Annotated[
        str, msgspec.Meta(description="own certificate for ZooKeeper, where it asks for one")
    ] = ""
    zookeeper_key_file: Annotated[str, msgspec.Meta(description="key of the own certificate for ZooKeeper")] = ""

    def __post_init__(self) -> None:
        """Check what constructing a struct does not."""
        try:
            scope.check_name(self.tenant, "registry.tenant")
        except errors.InvalidRequestError as error:
            raise errors.MisconfiguredError(error.detail) from error
