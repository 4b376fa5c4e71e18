"""Target: the place an action is aimed at, and the pattern of places that a grant is good for."""

from __future__ import annotations

from typing import NamedTuple

from qiantang.kernel import errors, scope

ANY = scope.ANY
_PARTS = ("tenant", "environment", "center", "application")


class Target(NamedTuple):
    """A place in tenant / environment / center / application.

    Aimed at, `*` means "the level above as a whole": `Target("acme")` is the tenant itself, `PLATFORM` the
    platform. In a grant, `*` means "whatever stands here". So a whole is covered by a pattern with `*` in its
    place and by no other.
    """

    tenant: str
    environment: str = ANY
    center: str = ANY
    application: str = ANY

    def __str__(self) -> str:
        """Read as tenant/environment/center/application."""
        return "/".join(self)

    @classmethod
    def of(cls, place: scope.Scope) -> Target:
        """Aim at one application."""
        return cls(place.tenant, place.environment, place.center, place.application)

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read `acme`, `acme/dev` or `acme/*/sales/orders`; what is left out is `*`.

        Raises:
            InvalidRequestError: more than four parts, or a part that is neither a name nor `*`.
        """
        parts = text.split("/")
        if len(parts) > len(_PARTS):
            raise errors.InvalidRequestError(
                f"{text[:300]!r} is no scope pattern: write tenant/environment/center/application, '*' is any"
            )
        for part, what in zip(parts, _PARTS, strict=False):
            if part != ANY:
                scope.check_name(part, what)
        return cls(*parts)

    def covers(self, other: Target) -> bool:
        """Say whether this pattern is good for the whole of `other`."""
        return all(mine in (ANY, theirs) for mine, theirs in zip(self, other, strict=True))

    def overlaps(self, other: Target) -> bool:
        """Say whether some place lies in both."""
        return all(ANY in (mine, theirs) or mine == theirs for mine, theirs in zip(self, other, strict=True))

    def intersection(self, other: Target) -> Target | None:
        """Give the places that lie in both, or None."""
        if not self.overlaps(other):
            return None
        return Target(*(theirs if mine == ANY else mine for mine, theirs in zip(self, other, strict=True)))


PLATFORM = Target(ANY)
"""The platform as a whole: what no tenant's user is ever allowed to touch."""
