"""Bodies: how a resource's secrets are sealed on the way in, opened for whom they are meant, and masked for the rest."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from qiantang.kernel import errors, resource, secret, wire
from qiantang.kernel.secret import FIELD

MASK_ONLY = "a secret needs a value: what was written holds only a mask, and no secret with that mask is there"


class SecretKeeper(Protocol):
    """Seals values of a tenant; `context` ties a sealed value to its place, so that it opens nowhere else."""

    async def ready(self, tenant: str) -> None:
        """Load the tenant's keys; the other calls need it done before."""
        ...

    def seal(self, tenant: str, plaintext: bytes, context: str) -> str:
        """Encrypt."""
        ...

    def open(self, tenant: str, sealed: str, context: str) -> bytes:
        """Decrypt.

        Raises:
            QiantangError: altered, out of place, or the key is not there.
        """
        ...

    def mask(self, tenant: str, value: str) -> str:
        """Give a short mark that is equal for equal values of one tenant and says nothing else."""
        ...


def context_of(bundle: resource.Bundle, kind: str, name: str) -> str:
    """Name the place that a sealed value belongs to."""
    return f"{bundle}|{kind}|{name}"


def parse(body: bytes) -> Any:
    """Read a stored body."""
    return msgspec.json.decode(body)


class Bodies:
    """Seals, opens and masks bodies of one bundle's resources."""

    def __init__(self, keeper: SecretKeeper, bundle: resource.Bundle) -> None:
        self._keeper = keeper
        self._bundle = bundle
        self._tenant = bundle.scope.tenant

    async def ready(self) -> None:
        """Load the keys."""
        await self._keeper.ready(self._tenant)

    def seal(self, kind: str, name: str, body: Any, *earlier: bytes | None) -> bytes:
        """Give the canonical bytes to store. A secret that did not change keeps its sealed text, from `earlier` bodies.

        Raises:
            InvalidRequestError: a mask was written where no secret with that mask is known.
        """
        context = context_of(self._bundle, kind, name)
        known = self._sealed_by_mask(earlier)

        def sealed(path: str, inside: dict[str, Any]) -> Any:
            value = inside.get("value")
            if not isinstance(value, str):
                if inside.get("mask", "") in known:
                    return {FIELD: known[inside["mask"]]}
                raise errors.InvalidRequestError(
                    f"{kind} {name!r} has a secret without a value",
                    problems=[errors.Problem(MASK_ONLY, path)],
                )
            mark = self._keeper.mask(self._tenant, value)
            # a mark is short: another value may have it by chance, and must not be taken for this one
            if mark in known and self._keeper.open(self._tenant, known[mark]["sealed"], context) == value.encode():
                return {FIELD: known[mark]}
            text = self._keeper.seal(self._tenant, value.encode(), context)
            return {FIELD: {"mask": mark, "sealed": text}}

        return wire.encode(secret.replace_secrets(body, sealed))

    def opened(self, kind: str, name: str, body: bytes) -> Any:
        """Give the body with its secrets in plain text at `{"$secret": {"value": …}}`: for checks and revealing."""
        context = context_of(self._bundle, kind, name)

        def opened(_path: str, inside: dict[str, Any]) -> Any:
            plain = self._keeper.open(self._tenant, inside["sealed"], context).decode()
            return {FIELD: {"value": plain, "mask": inside["mask"]}}

        return secret.replace_secrets(parse(body), opened)

    def masked(self, body: bytes | None) -> Any:
        """Give the body for a reader who may not see secrets; None for none."""
        return None if body is None else secret.mask(parse(body))

    @staticmethod
    def _sealed_by_mask(bodies: tuple[bytes | None, ...]) -> dict[str, dict[str, Any]]:
        known: dict[str, dict[str, Any]] = {}

        def collect(_path: str, inside: dict[str, Any]) -> Any:
            known.setdefault(inside["mask"], {"mask": inside["mask"], "sealed": inside["sealed"]})
            return inside

        for body in bodies:
            if body is not None and FIELD.encode() in body:
                secret.replace_secrets(parse(body), collect)
        return known
