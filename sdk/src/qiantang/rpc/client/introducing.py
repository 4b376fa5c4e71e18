"""Introducing: what a caller says of itself to each node it connects to."""

from __future__ import annotations

from collections.abc import Callable

from qiantang.rpc.client.connection import Introduces
from qiantang.rpc.wire import headers
from qiantang.rpc.wire.proof import CallerKey


def by_name(application: str, instance: str = "") -> Introduces:
    """Say which application calls, `tenant/environment/center/application`, to nodes that believe whoever is on their machine."""
    hello = headers.Hello(headers.VERSION, application, b"", instance)
    return lambda _challenge: hello


def by_token(token: Callable[[], str], key: CallerKey, instance: str = "") -> Introduces:
    """Show the token that the platform signed for the key, and prove for each connection that the caller holds that."""

    def introduce(challenge: headers.Challenge) -> headers.Hello:
        return headers.Hello(headers.VERSION, token(), key.prove(challenge.nonce, challenge.node), instance)

    return introduce
