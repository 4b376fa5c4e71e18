"""Addresses: the network that one caller is taken to control."""

from __future__ import annotations

import ipaddress


def network(address: str) -> str:
    """Give the network to count a caller's attempts by: an IPv4 address itself, of IPv6 the /64 that a line
    is given.

    What is no address is counted under its own text, cut to a bound.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        if mapped is not None:
            return str(mapped)
        return str(ipaddress.IPv6Network((parsed, 64), strict=False))
    return str(parsed)
