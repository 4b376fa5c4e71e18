"""Proof: who calls is who holds the key of a token that the platform signed, for this connection, now, in this tenant."""

from __future__ import annotations

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, OKPKey

from qiantang.kernel import errors, scope
from qiantang.rpc.wire import proof
from qiantang.rpc.wire.proof import CallerKey, LocalGate, TokenGate

TILL = scope.Scope.parse("acme/prod/bank/till")
NOW = 1_800_000_000.0
PLATFORM = OKPKey.generate_key("Ed25519", {"kid": "2026"})
PUBLIC = KeySet([OKPKey.import_key(PLATFORM.as_dict(private=False))])


def gate(now: float = NOW, tenant: str = "acme", environment: str = "prod") -> TokenGate:
    return TokenGate(tenant, environment, lambda: PUBLIC, lambda: now)


def token(key: CallerKey, platform: OKPKey = PLATFORM, application: scope.Scope = TILL) -> str:
    return proof.issue(application, key.public, platform, now=NOW, seconds=600)


def test_who_holds_the_key_of_his_token_is_admitted() -> None:
    key, said = CallerKey(), proof.nonce()
    assert gate().admit(token(key), key.prove(said, "n1"), said, "n1").application == TILL


@pytest.mark.parametrize("case", ["other key", "other connection", "other node", "no proof", "half a proof"])
def test_a_token_alone_or_an_old_proof_is_worth_nothing(case: str) -> None:
    key, said = CallerKey(), proof.nonce()
    shown = {
        "other key": CallerKey().prove(said, "n1"),
        "other connection": key.prove(proof.nonce(), "n1"),
        "other node": key.prove(said, "n2"),
        "no proof": b"",
        "half a proof": key.prove(said, "n1")[:32],
    }[case]
    with pytest.raises(errors.UnauthenticatedError, match="does not hold the key"):
        gate().admit(token(key), shown, said, "n1")


def test_tokens_end_and_clocks_may_differ_by_a_minute() -> None:
    key, said = CallerKey(), proof.nonce()
    shown = key.prove(said, "n1")
    for seconds in (-59, 0, 600, 659):
        gate(NOW + seconds).admit(token(key), shown, said, "n1")
    for seconds in (-3600, -62, 662, 86_400):
        with pytest.raises(errors.UnauthenticatedError, match="has ended"):
            gate(NOW + seconds).admit(token(key), shown, said, "n1")


def test_applications_of_other_tenants_and_environments_are_kept_out() -> None:
    key, said = CallerKey(), proof.nonce()
    for tenant, environment in (("other", "prod"), ("acme", "test")):
        with pytest.raises(errors.ForbiddenError, match="another tenant or environment"):
            gate(tenant=tenant, environment=environment).admit(token(key), key.prove(said, "n1"), said, "n1")


def forged(claims: dict[str, object], key: OKPKey | OctKey = PLATFORM, algorithm: str = "Ed25519") -> str:
    whole = {"aud": "rpc", "sub": str(TILL), "iat": NOW, "exp": NOW + 60, "cnf": {"jwk": {"x": "AAAA"}}, **claims}
    return jwt.encode({"alg": algorithm, "kid": "2026"}, whole, key, algorithms=[algorithm])


@pytest.mark.parametrize(
    "said",
    [
        "",
        "a",
        "a.b.c",
        "x" * 10_000,
        token(CallerKey(), OKPKey.generate_key("Ed25519", {"kid": "2026"})),
        token(CallerKey(), OKPKey.generate_key("Ed25519", {"kid": "unknown"})),
        forged({}, OctKey.import_key("secret-secret-secret-secret-secret"), "HS256"),
        forged({"aud": "config"}),
        forged({"exp": "soon"}),
        forged({"sub": "acme"}),
        forged({"sub": 7}),
        forged({"cnf": None}),
        forged({"cnf": {"jwk": {"x": "not a key"}}}),
        forged({}),
    ],
)
def test_what_is_no_token_of_this_platform_is_refused(said: str) -> None:
    with pytest.raises(errors.UnauthenticatedError):
        gate().admit(said, b"", proof.nonce(), "n1")


def test_a_machines_own_programs_are_what_they_say_they_are() -> None:
    assert LocalGate().admit(str(TILL), b"", b"", "n1").application == TILL
    with pytest.raises(errors.UnauthenticatedError, match="say which application calls"):
        LocalGate().admit("till", b"", b"", "n1")
    assert msgspec.structs.asdict(LocalGate().admit(str(TILL), b"", b"", "n1"))["instance"] == ""
