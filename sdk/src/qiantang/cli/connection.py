"""Connection: every call that the command line makes to a control plane."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from qiantang.cli import contexts
from qiantang.cli.contexts import Context
from qiantang.cli.session import Session
from qiantang.kernel import errors, resource, runtime, scope, wire
from qiantang.kernel.uplink import Address, Limits, Tls, Uplink

T = TypeVar("T")

API = "/api/v1"
MAX_ANSWER_BYTES = 64 << 20
MAX_PAGES = 1000


def path(*parts: str, **query: Any) -> str:
    """Write a path of the API; parts are quoted, query values that are None are left out."""
    written = "/".join([API, *(quote(part, safe="@") for part in parts)])
    asked = {key: _query(value) for key, value in query.items() if value is not None}
    return f"{written}?{urlencode(asked)}" if asked else written


def bundle_path(bundle: resource.Bundle, *parts: str, **query: Any) -> str:
    """Write a path below an application's bundle."""
    place = bundle.scope
    names = (place.tenant, place.environment, place.center, place.application)
    return path(bundle.capability, *names, *parts, **query)


def _query(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Page(wire.Wire, frozen=True):
    """One page of a list, its items not looked at yet."""

    items: list[msgspec.Raw]
    next: str = ""


class Connection:
    """A line to one control plane, for blocking calls."""

    def __init__(self, context: Context, timeout: float) -> None:
        if not context.servers:
            raise errors.MisconfiguredError("the context names no server: run qiantang login http://HOST:PORT")
        self.servers = context.servers
        self._timeout = timeout
        self._uplink = Uplink(
            context.servers,
            token=context.token,
            tls=trust(context),
            limits=Limits(deadline=timeout, connect=min(5.0, timeout), answer_bytes=MAX_ANSWER_BYTES),
        )

    def close(self) -> None:
        """Let the line go."""
        runtime.call(self._uplink.close(), self._timeout)

    def call(
        self,
        method: str,
        target: str,
        body: msgspec.Struct | bytes | None,
        answer_type: type[T],
        *,
        version: str = "",
        idempotent: bool | None = None,
    ) -> T:
        """Make a call; `version` is the one that the caller saw of what it changes.

        Raises:
            QiantangError: what the server rendered, or that none could be reached in time.
        """
        headers = [("if-match", f'"{version}"')] if version else []
        request = self._uplink.request(
            method, target, body, answer_type, deadline=self._timeout, idempotent=idempotent, headers=headers
        )
        return runtime.call(request, self._timeout + 1)

    def get(self, target: str, answer_type: type[T]) -> T:
        """Read something."""
        return self.call("GET", target, None, answer_type)

    def post(self, target: str, body: msgspec.Struct | None, answer_type: type[T], *, idempotent: bool = False) -> T:
        """Do something. What is not idempotent is sent once: where the line breaks, look before you repeat it."""
        return self.call("POST", target, body, answer_type, idempotent=idempotent)

    def pages(self, target: str, item_type: type[T], *, most: int | None = None) -> list[T]:
        """Read a whole list, or its first `most` items, page by page."""
        found: list[T] = []
        following = target
        for _ in range(MAX_PAGES):
            page = self.get(following, Page)
            found += [wire.decode(bytes(item), item_type) for item in page.items]
            if not page.next or (most is not None and len(found) >= most):
                break
            following = f"{target}{'&' if '?' in target else '?'}{urlencode({'after': page.next})}"
        return found if most is None else found[:most]


@contextmanager
def connect(session: Session) -> Generator[Connection]:
    """Give a connection to the control plane of the context.

    Raises:
        MisconfiguredError: no context, or no server in it.
    """
    connection = Connection(contexts.in_use(session), session.timeout)
    try:
        yield connection
    finally:
        connection.close()


def trust(context: Context) -> Tls:
    """Say which authorities a context trusts."""
    return Tls(authority_file=Path(context.ca_file).expanduser() if context.ca_file else None)


class SignIn:
    """The few calls of signing in, which go to one server with a browser's cookie, since no token is there yet."""

    def __init__(self, server: str, tls: Tls, timeout: float) -> None:
        self._address = Address.parse(server)
        self._tls = tls
        self._timeout = timeout
        self._cookies: dict[str, str] = {}

    def post(self, target: str, body: msgspec.Struct | None, answer_type: type[T]) -> T:
        """Make a call with the cookies so far, and take those of the answer.

        Raises:
            QiantangError: what the server rendered, or that it did not answer.
        """
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "qiantang-cli",
            "Origin": str(self._address),
            "X-Qiantang": "1",
        }
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        content = b"" if body is None else wire.encode(body)
        status, kind, data = self._exchange(target, content, headers)
        if 200 <= status < 300:
            return None if answer_type is type(None) else wire.decode(data, answer_type)  # type: ignore[return-value]
        if kind != "application/problem+json":
            raise errors.UnavailableError(f"{self._address} answered with status {status}: is it a control plane?")
        raise errors.from_document(wire.decode(data, errors.ProblemDocument))

    def _exchange(self, target: str, content: bytes, headers: Mapping[str, str]) -> tuple[int, str, bytes]:
        line = self._line()
        try:
            line.request("POST", target, content, dict(headers))
            answer = line.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie") or []:
                name, _, value = cookie.partition(";")[0].partition("=")
                self._cookies[name.strip()] = value.strip()
            kind = answer.headers.get_content_type()
            return answer.status, kind, answer.read(1 << 20)
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise errors.UnavailableError(f"{self._address} does not answer: {reason}") from error
        finally:
            line.close()

    def _line(self) -> http.client.HTTPConnection:
        host, port = self._address.host, self._address.port
        if not self._address.encrypted:
            return http.client.HTTPConnection(host, port, timeout=self._timeout)
        try:
            trusted = ssl.create_default_context(cafile=self._tls.authority_file)
        except OSError as error:
            raise errors.MisconfiguredError(f"{self._tls.authority_file} cannot be used: {error}") from error
        return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=trusted)


def is_loopback(server: str) -> bool:
    """Say whether an address is this machine's own, or its line is encrypted: whether a password may go there."""
    address = Address.parse(server)
    return address.host in {"localhost", "127.0.0.1", "::1"}


def is_encrypted(server: str) -> bool:
    """Say whether the line to an address is under TLS."""
    return Address.parse(server).encrypted


def parse_scope(tenant: str, environment: str, center: str, application: str) -> scope.Scope:
    """Make a scope of its names.

    Raises:
        InvalidRequestError: one is not a name.
    """
    return scope.Scope.parse("/".join((tenant, environment, center, application)))


def to_json(value: Any) -> bytes:
    """Write a plain value as a body."""
    return json.dumps(value).encode()
