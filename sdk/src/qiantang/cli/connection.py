"""Connection: every call that the command line makes to a control plane."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from qiantang.cli import contexts
from qiantang.cli.contexts import Context
from qiantang.cli.session import Session
from qiantang.kernel import errors, resource, runtime, wire
from qiantang.kernel.uplink import Limits, Tls, Uplink

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
def connect(session: Session, context: Context | None = None) -> Generator[Connection]:
    """Give a connection to the control plane of a context, the one in use if none is given.

    Raises:
        MisconfiguredError: no context, or no server in it.
    """
    connection = Connection(context or contexts.in_use(session), session.timeout)
    try:
        yield connection
    finally:
        connection.close()


def trust(context: Context) -> Tls:
    """Say which authorities a context trusts."""
    return Tls(authority_file=Path(context.ca_file).expanduser() if context.ca_file else None)
