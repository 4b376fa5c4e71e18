"""HTTP's headers: what a request says of a call beside its arguments, and how an error is answered."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from qiantang.kernel import errors
from qiantang.rpc.model.context import CallContext
from qiantang.rpc.model.definition import LONGEST_TIMEOUT, PRIORITIES, MethodDefinition
from qiantang.rpc.model.openapi import TIMEOUT_HEADER


def context_of(method: MethodDefinition, said: Mapping[str, str], caller: str) -> CallContext:
    """Give what is known of a call whose request has these headers.

    Raises:
        InvalidRequestError: its time is none.
    """
    timeout = method.options.timeout
    asked = said.get(TIMEOUT_HEADER, "")
    if asked:
        if not (asked.isascii() and asked.isdigit() and 0 < int(asked[:10]) <= LONGEST_TIMEOUT * 1000):
            raise errors.InvalidRequestError(f"{TIMEOUT_HEADER} is {asked[:40]!r}: write milliseconds, an hour at most")
        timeout = int(asked[:10]) / 1000
    return CallContext(
        service=method.service,
        method=method.name,
        caller=caller,
        deadline=time.monotonic() + timeout,
        trace=said.get("traceparent", "")[:100],
        priority=PRIORITIES.index(method.options.priority),
    )


def bearer_of(said: Mapping[str, str]) -> str:
    """Give the token that the caller shows, or nothing."""
    scheme, _, token = said.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def problem_of(error: errors.QiantangError) -> tuple[str, bytes, int, list[tuple[str, str]]]:
    """Give an error as it is answered: its type of content, its bytes, its status and further headers."""
    document = error.document()
    more: list[Any] = [] if error.retry_after is None else [("retry-after", f"{max(1, round(error.retry_after))}")]
    return "application/problem+json", msgspec.json.encode(document), document.status, more
