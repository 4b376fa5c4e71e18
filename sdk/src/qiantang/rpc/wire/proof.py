"""Proof: how a caller proves which application it is, to providers that know none of its secrets.

The platform signs a token for an application that has shown its credential: a JWT (RFC 7519, Ed25519) that names the application,
ends soon, and holds the public key of a pair that the caller made for itself (`cnf`, RFC 7800). For each connection the provider
sends bytes that nobody has seen; the caller signs them with its own key. Whoever reads a token on its way cannot use it, and a
proof is good for one connection.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from qiantang.kernel import errors, scope

NONCE: Final = 32
MAX_TOKEN: Final = 4096
LEEWAY: Final = 60.0
"""Seconds by which the clocks of platform and provider may differ."""
_ALGORITHM: Final = "Ed25519"
_PURPOSE: Final = "rpc"
_SAID: Final = b"csf1 caller proof\0"


class Caller(msgspec.Struct, frozen=True):
    """Who calls: an application, and which process of it."""

    application: scope.Scope
    instance: str = ""


class CallerKey:
    """A pair of keys that a caller makes when it starts, and keeps in memory alone."""

    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()

    @property
    def public(self) -> str:
        """The public key, in base64 without padding as in a JWK."""
        return _text(self._private.public_key().public_bytes_raw())

    def prove(self, nonce: bytes, node: str) -> bytes:
        """Sign what a node sent."""
        return self._private.sign(_SAID + nonce + node.encode())


class Admits(Protocol):
    """Says who may connect to a provider."""

    def admit(self, token: str, proof: bytes, nonce: bytes, node: str) -> Caller:
        """Give who proved itself.

        Raises:
            UnauthenticatedError: nobody did; ForbiddenError: who did may not call here.
        """
        ...

    def admit_bearer(self, token: str, node: str) -> Caller:
        """Give whose token it is, of those that name no key: for HTTP, where nobody signs anything. Raises what `admit` does."""
        ...


def nonce() -> bytes:
    """Make bytes that nobody has seen."""
    return os.urandom(NONCE)


def issue(application: scope.Scope, public: str, key: OKPKey, *, now: float, seconds: float) -> str:
    """Sign a token for an application that has shown its credential, and for the pair whose public key it sent; with none, one
    that whoever holds it may show over HTTP.
    """
    claims: dict[str, Any] = {"aud": _PURPOSE, "sub": str(application), "iat": int(now), "exp": int(now + seconds)}
    if public:
        claims["cnf"] = {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": public}}
    return jwt.encode({"alg": _ALGORITHM, "kid": str(key.kid)}, claims, key, algorithms=[_ALGORITHM])


class TokenGate:
    """Admits applications of one tenant and environment whose token the platform signed; `keys` gives its public keys.

    Pure but for the clock, which is `now`, in seconds since 1970.
    """

    def __init__(
        self, tenant: str, environment: str, keys: Callable[[], KeySet], now: Callable[[], float] = time.time
    ) -> None:
        self._place = (tenant, environment)
        self._keys = keys
        self._now = now

    def admit(self, token: str, proof: bytes, nonce: bytes, node: str) -> Caller:
        """See `Admits`. Why a token is refused is said no closer than its holder can know himself."""
        if not token:
            raise errors.UnauthenticatedError(f"{node} asks callers for a token: call with an application's credential")
        claims = self._claims(token)
        caller = self._of_this_place(claims, node)
        try:
            _public(claims).verify(proof, _SAID + nonce + node.encode())
        except (InvalidSignature, ValueError) as error:
            raise errors.UnauthenticatedError("the caller does not hold the key that its token names") from error
        return caller

    def admit_bearer(self, token: str, node: str) -> Caller:
        """See `Admits`."""
        if not token:
            raise errors.UnauthenticatedError(f"{node} asks callers for a token: Authorization: Bearer …")
        claims = self._claims(token)
        if "cnf" in claims:
            raise errors.UnauthenticatedError("the token is bound to a key: over HTTP show one that is not")
        return self._of_this_place(claims, node)

    def _of_this_place(self, claims: dict[str, Any], node: str) -> Caller:
        application = _application(claims)
        if (application.tenant, application.environment) != self._place:
            raise errors.ForbiddenError(f"{application} is of another tenant or environment than {node}")
        return Caller(application)

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            found = jwt.decode(token[:MAX_TOKEN], self._keys(), algorithms=[_ALGORITHM]).claims
        except (JoseError, ValueError) as error:
            raise errors.UnauthenticatedError("the token was not signed by this platform") from error
        ends, began = found.get("exp"), found.get("iat")
        now = self._now()
        if found.get("aud") != _PURPOSE or not isinstance(ends, int | float) or not isinstance(began, int | float):
            raise errors.UnauthenticatedError("the token is none for calls")
        if ends + LEEWAY < now or began - LEEWAY > now:
            raise errors.UnauthenticatedError("the token has ended, or the clocks differ by more than a minute")
        return found


class LocalGate:
    """Admits whoever is on this machine, as what it says it is: for programs of one person, never for an address of others."""

    def admit(self, token: str, proof: bytes, nonce: bytes, node: str) -> Caller:
        """See `Admits`; the token is the application's name."""
        del proof, nonce
        return self.admit_bearer(token, node)

    def admit_bearer(self, token: str, node: str) -> Caller:
        """See `Admits`; the token is the application's name."""
        del node
        try:
            return Caller(scope.Scope.parse(token))
        except errors.InvalidRequestError as error:
            raise errors.UnauthenticatedError(f"say which application calls: {error.detail}") from error


def _application(claims: dict[str, Any]) -> scope.Scope:
    try:
        return scope.Scope.parse(str(claims.get("sub", "")))
    except errors.InvalidRequestError as error:
        raise errors.UnauthenticatedError("the token names no application") from error


def _public(claims: dict[str, Any]) -> Ed25519PublicKey:
    said: Any = claims.get("cnf")
    try:
        text = str(said["jwk"]["x"])
        return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (KeyError, TypeError, ValueError) as error:
        raise errors.UnauthenticatedError("the token names no key") from error


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
