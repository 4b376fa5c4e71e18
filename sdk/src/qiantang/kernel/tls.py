"""TLS: what every client of ours asks of a server, and proves to it; and where it may be done without."""

from __future__ import annotations

import ipaddress
import ssl
from os import PathLike

File = str | PathLike[str] | None


def client_context(
    *, authority: File = None, authorities: File = None, certificate: File = None, key: File = None
) -> ssl.SSLContext:
    """Give a context that knows servers by their certificates: TLS 1.2 at least.

    `authority` is a file and `authorities` a folder of those that are trusted; the system's where none is named. `certificate`,
    with its `key`, proves who we are.

    Raises:
        OSError, ssl.SSLError: a file cannot be read or is not what it should be.
    """
    context = ssl.create_default_context(cafile=authority, capath=authorities)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
