"""Settings of the HTTP server."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec


class WebSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the control plane listens, and what it takes in."""

    host: Annotated[str, msgspec.Meta(description="address to listen on; only this machine by default")] = "127.0.0.1"
    port: Annotated[
        int,
        msgspec.Meta(
            description="port to listen on; if it is taken, the next free one is used and said", ge=0, le=65535
        ),
    ] = 8900
    address: Annotated[
        str,
        msgspec.Meta(description="address at which others reach this server, as http://host:port; made up if empty"),
    ] = ""
    base_path: Annotated[
        str,
        msgspec.Meta(
            description="path below which the portal and the API are also found, as /qiantang, for a proxy that shares its host",
            pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        ),
    ] = ""
    max_body: Annotated[
        int,
        msgspec.Meta(
            description="largest body in bytes where drafts and imports are taken; elsewhere 1 MiB", ge=1 << 16
        ),
    ] = 24 << 20
    tls_certificate: Annotated[str, msgspec.Meta(description="file with the server's certificate chain (PEM)")] = ""
    tls_key: Annotated[str, msgspec.Meta(description="file with the certificate's private key (PEM)")] = ""
    insecure: Annotated[
        bool, msgspec.Meta(description="allow to listen beyond this machine without TLS, for a proxy that has it")
    ] = False
    trusted_proxies: Annotated[
        str, msgspec.Meta(description="addresses of proxies whose X-Forwarded-For is believed, comma separated")
    ] = ""
    close_within: Annotated[timedelta, msgspec.Meta(description="longest time for an orderly stop")] = timedelta(
        seconds=5
    )

    @property
    def over_tls(self) -> bool:
        """Whether others reach this server over TLS, its own or that of a proxy which `address` names."""
        return bool(self.tls_certificate) or self.address.lower().startswith("https://")
