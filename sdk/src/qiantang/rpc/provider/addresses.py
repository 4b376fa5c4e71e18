"""Addresses: where a provider listens, and what others are told of that."""

from __future__ import annotations

from typing import NamedTuple

from qiantang.kernel import errors

UNIX = "unix:"
WILDCARDS = frozenset({"", "*", "0.0.0.0", "::"})  # noqa: S104  # what is refused to be told to others


class Place(NamedTuple):
    """A host and a port, or the path of a unix socket with port -1."""

    host: str
    port: int

    @property
    def is_unix(self) -> bool:
        """Whether it is a unix socket."""
        return self.port < 0


def place_of(text: str, setting: str) -> Place:
    """Read where to listen.

    Raises:
        MisconfiguredError: that is no address; the detail names the setting.
    """
    if text.startswith(UNIX) and len(text) > len(UNIX):
        return Place(text.removeprefix(UNIX), -1)
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65_535:
        raise errors.MisconfiguredError(f"{setting}: {text[:80]!r} is no address: write host:port, or unix:path")
    return Place("" if host == "*" else host.strip("[]"), int(port))


def told(listening: str, advertise: str, setting: str) -> str:
    """Give the address that others are told, of one that is listened on, as host:port.

    Raises:
        MisconfiguredError: it is listened on everywhere, and nobody said how others reach it.
    """
    host, _, port = listening.rpartition(":")
    if advertise:
        return f"[{advertise}]:{port}" if ":" in advertise else f"{advertise}:{port}"
    if host.strip("[]") in WILDCARDS:
        raise errors.MisconfiguredError(
            f"{setting}: it listens on every address of this machine: set rpc.advertise (QIANTANG_RPC_ADVERTISE) to the host"
            " that others reach it by"
        )
    return listening
