"""ZooKeeper as a directory of servers: the children of one node, each holding a server's address as JSON."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import msgspec

from qiantang.kernel import errors, runtime, wire

logger = logging.getLogger(__name__)

SERVERS_PATH = "/qiantang/servers"
CONNECT_SECONDS = 3.0
MAX_CHILDREN = 64
MAX_DATA_BYTES = 4096


class ServerNode(msgspec.Struct, frozen=True):
    """What a server writes into its node."""

    address: str


class ZooKeeperServers:
    """Reads the list when asked and holds no session between: changes are told by the servers themselves.

    Raises, when made:
        MissingExtraError: kazoo is not installed.
    """

    def __init__(self, hosts: str, path: str = SERVERS_PATH) -> None:
        try:
            from kazoo import client, exceptions  # noqa: PLC0415  # the driver
            from kazoo.handlers import threading as handlers  # noqa: PLC0415
        except ImportError as error:
            raise errors.MissingExtraError(
                "to find the servers in ZooKeeper, install the driver: pip install 'qiantang[zookeeper]'"
            ) from error
        self._new_client: Any = client.KazooClient
        self._no_node: type[Exception] = exceptions.NoNodeError
        self._failures: tuple[type[Exception], ...] = (
            exceptions.KazooException,
            handlers.KazooTimeoutError,
            OSError,
        )
        self._hosts = hosts
        self._path = path
        self._quiet = logger.getChild("driver")
        self._quiet.setLevel(logging.CRITICAL)  # what fails is told once, by who asked

    @property
    def name(self) -> str:
        """What it is called in logs."""
        return f"zookeeper {self._hosts}{self._path}"

    async def addresses(self) -> list[str]:
        """Give the addresses in the nodes; a node that is not ours is passed over.

        Raises:
            UnavailableError: ZooKeeper cannot be reached.
        """
        return await runtime.offload(self._read)

    def _read(self) -> list[str]:
        client = self._new_client(hosts=self._hosts, timeout=CONNECT_SECONDS, logger=self._quiet)
        try:
            client.start(timeout=CONNECT_SECONDS)
            return self._listed(client)
        except self._failures as error:
            raise errors.UnavailableError(f"{self.name} cannot be read: {error or type(error).__name__}") from error
        finally:
            client.stop()
            client.close()

    def _listed(self, client: Any) -> list[str]:
        try:
            children: list[str] = sorted(client.get_children(self._path))[:MAX_CHILDREN]
        except self._no_node:
            return []
        found: list[str] = []
        for child in children:
            with contextlib.suppress(self._no_node, errors.InvalidRequestError):
                data: bytes = client.get(f"{self._path}/{child}")[0]
                if len(data) <= MAX_DATA_BYTES:
                    found.append(wire.decode(data, ServerNode).address)
        return found
