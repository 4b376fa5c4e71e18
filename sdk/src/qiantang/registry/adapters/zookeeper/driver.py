"""Driver: kazoo, loaded when it is needed, and how a client of it is made out of the settings."""

from __future__ import annotations

import importlib
import logging
from typing import Any, Final, NamedTuple

from qiantang.kernel import errors
from qiantang.registry.settings import RegistrySettings

INSTALL: Final = "pip install 'qiantang[zookeeper]'"
_RETRY_MAX_SECONDS: Final = 2.0
_LOG: Final = "qiantang.registry.kazoo"


class Kazoo(NamedTuple):
    """What is used of kazoo."""

    client: Any
    retry: Any
    security: Any
    error: type[Exception]
    absent: type[Exception]
    present: type[Exception]
    version: type[Exception]
    refused: tuple[type[Exception], ...]
    rolled_back: tuple[type[Exception], ...]


def load() -> Kazoo:
    """Load kazoo.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        client, exceptions, retry, security = (
            importlib.import_module(f"kazoo.{name}") for name in ("client", "exceptions", "retry", "security")
        )
    except ImportError as error:
        raise errors.MissingExtraError(
            f"registry.adapter is zookeeper, but the driver is missing: {INSTALL}"
        ) from error
    return Kazoo(
        client=client,
        retry=retry,
        security=security,
        error=exceptions.KazooException,
        absent=exceptions.NoNodeError,
        present=exceptions.NodeExistsError,
        version=exceptions.BadVersionError,
        refused=(exceptions.NoAuthError, exceptions.AuthFailedError, exceptions.InvalidACLError),
        rolled_back=(exceptions.RolledBackError, exceptions.RuntimeInconsistency),
    )


def acl(kazoo: Kazoo, settings: RegistrySettings) -> list[Any] | None:
    """Give who may do what with what is written; None where nothing can be written without credentials."""
    security = kazoo.security
    if settings.zookeeper_acl == "open":
        return list(security.OPEN_ACL_UNSAFE)
    if not settings.zookeeper_auth:
        return None
    return [*security.CREATOR_ALL_ACL, *(security.READ_ACL_UNSAFE if settings.zookeeper_acl == "guarded" else ())]


def client(kazoo: Kazoo, settings: RegistrySettings) -> Any:
    """Make a client that is not started.

    Raises:
        MisconfiguredError: the credentials are not written as they should be.
    """
    quiet = logging.getLogger(_LOG)
    quiet.setLevel(logging.ERROR)  # it tells of each attempt; the line tells of each change
    pairs = [tuple(entry.split(":", 1)) for entry in settings.zookeeper_auth.reveal().split()]
    if any(len(pair) != 2 for pair in pairs):
        raise errors.MisconfiguredError("registry.zookeeper_auth: write scheme:credential")
    return kazoo.client.KazooClient(
        hosts=settings.address,
        timeout=settings.zookeeper_session_timeout.total_seconds(),
        auth_data=pairs,
        connection_retry=kazoo.retry.KazooRetry(max_tries=-1, delay=0.05, max_delay=_RETRY_MAX_SECONDS),
        use_ssl=settings.zookeeper_tls,
        ca=settings.zookeeper_ca_file or None,
        certfile=settings.zookeeper_certificate_file or None,
        keyfile=settings.zookeeper_key_file or None,
        check_hostname=settings.zookeeper_tls,
        logger=quiet,
    )
