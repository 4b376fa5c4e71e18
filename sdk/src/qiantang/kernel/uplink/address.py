"""Address: where a server listens, as an operator writes it: http://host:port or https://host."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from qiantang.kernel import errors

MAX_ADDRESS_LENGTH = 300
_PORTS = {"http": 80, "https": 443}


class Address(msgspec.Struct, frozen=True, order=True):
    """One server's address; equal addresses are the same server."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """Read as scheme://host:port."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port, as the Host header says them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def encrypted(self) -> bool:
        """Whether the line is under TLS."""
        return self.scheme == "https"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address.

        Raises:
            InvalidRequestError: it is not one; the detail says what is wrong.
        """
        shown = text[:MAX_ADDRESS_LENGTH]
        try:
            parts = urlsplit(text.strip() if len(text) <= MAX_ADDRESS_LENGTH else "")
            port = parts.port
        except ValueError as error:
            raise errors.InvalidRequestError(f"{shown!r} is not a server's address: {error}") from error
        if parts.scheme not in _PORTS or not parts.hostname:
            raise errors.InvalidRequestError(
                f"{shown!r} is not a server's address: write http://host:port or https://host:port"
            )
        if parts.username is not None or parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise errors.InvalidRequestError(
                "a server's address has a scheme, a host and a port, and nothing else: no user, no path"
            )
        return cls(scheme=parts.scheme, host=parts.hostname, port=port or _PORTS[parts.scheme])
