"""Addresses: what reading the addresses of brokers has in common: servers, numbers, what is unknown, no secret shown."""

from __future__ import annotations

import difflib
import ssl
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from qiantang.kernel import errors
from qiantang.kernel.tls import client_context

TLS: Final = frozenset({"cafile", "capath", "certfile", "keyfile", "no_verify_ssl"})
"""Parameters of TLS, by the names of Python's `ssl`."""


class Written(NamedTuple):
    """An address of several servers as it is written; `user` is None where it names none. `said` are its parameters."""

    scheme: str
    hosts: str
    user: str | None
    password: str
    said: dict[str, str]


class Server(NamedTuple):
    """An address of one server as it is written; `user` and `password` are None where it names none. `said` are its parameters."""

    scheme: str
    host: str
    port: int
    path: str
    user: str | None
    password: str | None
    said: dict[str, str]


def of_hosts(url: str, schemes: Collection[str], broker: str, example: str) -> Written:
    """Read `scheme://name:password@host:1,other:2?parameters`.

    Raises:
        MisconfiguredError: it is none; it says how one is written, by the `example`.
    """
    begins, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    credentials, at, hosts = place.rpartition("@")
    hosts = hosts.strip("/")
    if begins not in schemes or not hosts:
        raise errors.MisconfiguredError(f"no {broker} is at {shown(url)!r}: write {example}")
    user, _, password = credentials.partition(":")
    return Written(begins, hosts, unquote(user) if at else None, unquote(password), _said(query))


def of_host(url: str, ports: Mapping[str, int], broker: str, example: str) -> Server:
    """Read `scheme://name:password@host:port/path?parameters`; `ports` are those of each scheme where none is written.

    Raises:
        MisconfiguredError: it is none; it says how one is written, by the `example`.
    """
    try:
        found = urlsplit(url)
        port = found.port
    except ValueError as error:
        raise errors.MisconfiguredError(f"{broker}'s address has no port that is a number") from error
    if found.scheme not in ports or not found.hostname:
        raise errors.MisconfiguredError(f"no {broker} is at {shown(url)!r}: write {example}")
    user = unquote(found.username) if found.username is not None else None
    password = unquote(found.password) if found.password is not None else None
    port = port or ports[found.scheme]
    return Server(found.scheme, found.hostname, port, found.path, user, password, _said(found.query))


def _said(query: str) -> dict[str, str]:
    return dict(parse_qsl(query, keep_blank_values=True))


def number(said: dict[str, str], broker: str, name: str, default: int, bounds: tuple[int, int]) -> int:
    """Take a number out of an address's parameters.

    Raises:
        MisconfiguredError: it is none, or out of its bounds.
    """
    written = said.pop(name, str(default))
    least, most = bounds
    if not (written.isascii() and written.isdigit() and len(written) < 12 and least <= int(written) <= most):
        raise errors.MisconfiguredError(f"{broker}'s {name} is a number from {least} to {most}, not {written[:20]!r}")
    return int(written)


def flag(said: dict[str, str], broker: str, name: str) -> bool:
    """Take a yes or no out of an address's parameters; no where it is left out.

    Raises:
        MisconfiguredError: it is neither true nor false.
    """
    written = said.pop(name, "false")
    if written not in ("true", "false"):
        raise errors.MisconfiguredError(f"{broker}'s {name} is true or false, not {written[:20]!r}")
    return written == "true"


def tls_context(said: dict[str, str], broker: str) -> ssl.SSLContext:
    """Take what is said of TLS out of an address's parameters; the server is known by its certificate unless that is refused.

    Raises:
        MisconfiguredError: a file cannot be read.
    """
    unchecked = flag(said, broker, "no_verify_ssl")
    authority, folder, own, key = (said.pop(name, None) for name in ("cafile", "capath", "certfile", "keyfile"))
    try:
        context = client_context(authority=authority, authorities=folder, certificate=own, key=key)
    except (OSError, ssl.SSLError) as error:
        raise errors.MisconfiguredError(
            f"TLS to {broker} cannot be set up: {error}; look at the files named"
        ) from error
    if unchecked:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def refuse_unknown(said: Collection[str], known: Collection[str], broker: str) -> None:
    """Refuse parameters that are not known.

    Raises:
        MisconfiguredError: there is one; it says which name is the nearest.
    """
    unknown = sorted(set(said) - set(known))
    if not unknown:
        return
    near = difflib.get_close_matches(unknown[0], known, n=1)
    hint = f": {near[0]!r} is" if near else f"; those are {', '.join(sorted(known))}"
    raise errors.MisconfiguredError(f"{unknown[0]!r} is no parameter of {broker}'s address{hint}")


def shown(url: str) -> str:
    """Give an address without what is secret in it."""
    before, at, after = url.rpartition("@")  # a name or a password may have a "?" in it, and parameters a secret
    place = after.partition("?")[0]
    scheme, parted, _ = before.partition("://")
    return f"{scheme}://…@{place}" if parted else f"…@{place}" if at else place
