"""Trust: callers prove who they are, nodes are known by their certificates, and nothing listens to others without both."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Protocol

import pytest
from joserfc.jwk import KeySet, OKPKey

from qiantang.kernel import errors, scope, tls
from qiantang.registry.model import Node, Provided
from qiantang.rpc import errors as rpc_errors
from qiantang.rpc.client.calling import Caller
from qiantang.rpc.client.introducing import by_name, by_token
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import service
from qiantang.rpc.provider.serving import Provider
from qiantang.rpc.wire import proof
from qiantang.rpc.wire.proof import CallerKey, TokenGate
from tests.servers import certificates

TILL = scope.Scope.parse("acme/prod/bank/till")
PLATFORM = OKPKey.generate_key("Ed25519", {"kid": "2026"})


@service("test.Who")
class Who(Protocol):
    """Says who calls."""

    async def calls(self) -> str: ...


class Says:
    """Answers."""

    async def calls(self) -> str:
        return current.get().caller


def gate() -> TokenGate:
    return TokenGate("acme", "prod", lambda: KeySet([PLATFORM]))


def token(key: CallerKey, seconds: float = 600) -> str:
    return proof.issue(TILL, key.public, PLATFORM, now=time.time() - 300, seconds=seconds)


def node(address: str) -> list[Node]:
    return [Node(name="n1", addresses={"csf1": address}, services={"test.Who": Provided()})]


async def test_a_caller_with_a_token_is_known_over_tls(tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate, made.key)
    key = CallerKey()
    async with Provider("n1", gate=gate()).add(Who, Says()) as provider:
        address = await provider.listen("127.0.0.1", tls=context)
        trusting = tls.client_context(authority=made.authority)
        async with Caller(by_token(lambda: token(key), key), node(address), tls=trusting) as caller:
            assert await caller.client(Who).calls() == str(TILL)
        async with Caller(by_token(lambda: token(key), key), node(address), tls=tls.client_context()) as caller:
            with pytest.raises(rpc_errors.NodeAwayError, match="certificate"):
                await caller.client(Who).calls()
        async with Caller(by_token(lambda: token(key), key), node(address)) as caller:
            with pytest.raises(errors.QiantangError):
                await caller.client(Who).calls()


async def test_who_does_not_prove_who_he_is_calls_nothing() -> None:
    key = CallerKey()
    async with Provider("n1", gate=gate()).add(Who, Says()) as provider:
        address = await provider.listen("127.0.0.1")
        for who in (
            by_name(str(TILL)),
            by_token(lambda: token(key), CallerKey()),
            by_token(lambda: token(key, seconds=1), key),
        ):
            async with Caller(who, node(address)) as caller:
                with pytest.raises(errors.UnauthenticatedError):
                    await caller.client(Who).calls()


async def test_nothing_listens_to_others_without_a_gate_and_tls() -> None:
    with pytest.raises(errors.MisconfiguredError, match="without TLS"):
        await Provider("n1", gate=gate()).add(Who, Says()).listen("0.0.0.0")
    with pytest.raises(errors.MisconfiguredError, match="without a gate"):
        await Provider("n1").add(Who, Says()).listen("", tls=ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
