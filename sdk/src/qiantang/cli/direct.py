"""Direct: the few calls to one chosen server, without a token: signing in as a browser does, and asking how it is."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec

from qiantang.kernel import errors, wire
from qiantang.kernel.uplink import Address, Tls

T = TypeVar("T")

MAX_ANSWER_BYTES = 1 << 20


class Health(msgspec.Struct, frozen=True):
    """How a server answered. `clock_offset` is how far its clock is before ours, in seconds, None where it did not say."""

    status: int
    body: bytes
    seconds: float
    clock_offset: float | None = None


class Direct:
    """One server, spoken to with a browser's cookies."""

    def __init__(self, server: str, tls: Tls, timeout: float) -> None:
        self.address = Address.parse(server)
        self._tls = tls
        self._timeout = timeout
        self._cookies: dict[str, str] = {}

    @property
    def private(self) -> bool:
        """Say whether a password may go there: the line is under TLS, or stays on this machine."""
        return self.address.encrypted or self.address.host in {"localhost", "127.0.0.1", "::1"}

    def post(self, target: str, body: msgspec.Struct | None, answer_type: type[T]) -> T:
        """Make a call with the cookies so far, and take those of the answer.

        Raises:
            QiantangError: what the server rendered, or that it did not answer.
        """
        headers = {
            "Content-Type": "application/json",
            "Origin": str(self.address),
            "X-Qiantang": "1",
        }
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        answer, data = self._exchange("POST", target, b"" if body is None else wire.encode(body), headers)
        if 200 <= answer.status < 300:
            return wire.decode(data or b"null", answer_type)
        if answer.headers.get_content_type() != "application/problem+json":
            raise errors.UnavailableError(
                f"{self.address} answered with status {answer.status}: is it a control plane?"
            )
        raise errors.from_document(wire.decode(data, errors.ProblemDocument))

    def ask(self, target: str) -> Health:
        """Read a public page, whatever its status.

        Raises:
            UnavailableError: the server does not answer.
        """
        began, asked = time.monotonic(), time.time()
        answer, data = self._exchange("GET", target, b"", {})
        took = time.monotonic() - began
        return Health(answer.status, data, took, _offset(answer.headers.get("Date"), asked + took / 2))

    def _exchange(
        self, method: str, target: str, content: bytes, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        line = self._line()
        try:
            line.request(method, target, content or None, {"User-Agent": "qiantang-cli", **headers})
            answer = line.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie") or []:
                name, _, value = cookie.partition(";")[0].partition("=")
                self._cookies[name.strip()] = value.strip()
            return answer, answer.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise errors.UnavailableError(f"{self.address} does not answer: {reason}") from error
        finally:
            line.close()

    def _line(self) -> http.client.HTTPConnection:
        host, port = self.address.host, self.address.port
        if not self.address.encrypted:
            return http.client.HTTPConnection(host, port, timeout=self._timeout)
        try:
            trusted = ssl.create_default_context(cafile=self._tls.authority_file)
        except OSError as error:
            raise errors.MisconfiguredError(f"{self._tls.authority_file} cannot be used: {error}") from error
        return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=trusted)


def _offset(date: str | None, local: float) -> float | None:
    try:
        # the header counts whole seconds, cut off: half a second is added to be right in the middle
        return None if date is None else parsedate_to_datetime(date).timestamp() + 0.5 - local
    except ValueError:
        return None
