"""Explanation: why somebody may, or what he lacks. Walks the same grants that the check was compiled from."""

from __future__ import annotations

from dataclasses import dataclass

from qiantang_server.kernel.access.grants import Grant
from qiantang_server.kernel.access.principal import Principal
from qiantang_server.kernel.access.target import Target

_MISSES = 3


@dataclass(frozen=True, slots=True)
class Miss:
    """A grant that would have been enough but for one thing: its place (`"scope"`) or its role
    (`"permission"`).
    """

    grant: Grant
    lacks: str

    def __str__(self) -> str:
        """Read as the sentence that an operator needs."""
        role = self.grant.role or "a grant"
        if self.lacks == "scope":
            return f"role {role} holds it on {self.grant.pattern} only"
        return f"role {role} covers {self.grant.pattern} without this permission"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer to "why may he" or "why not": the grant that decides, else the nearest misses, best
    first.
    """

    permission: str
    target: Target
    grant: Grant | None
    misses: tuple[Miss, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether a grant decides for it."""
        return self.grant is not None

    def __str__(self) -> str:
        """Read as one sentence."""
        if self.grant is not None:
            role = self.grant.role or "unnamed"
            return f"{self.permission} on {self.target}: role {role} on {self.grant.pattern}"
        near = f"; {self.misses[0]}" if self.misses else ""
        return f"{self.permission} on {self.target} is not granted{near}"


def explain(principal: Principal, permission: str, target: Target) -> Explanation:
    """Give the grant by which a principal may, or the nearest misses."""
    held = [grant for grant in principal.grants.grants if permission in grant.permissions]
    for grant in held:
        if grant.pattern.covers(target):
            return Explanation(permission, target, grant)
    elsewhere = sorted(held, key=lambda grant: _distance(grant.pattern, target))
    here = [grant for grant in principal.grants.grants if grant.pattern.covers(target)]
    misses = [Miss(grant, "scope") for grant in elsewhere] + [Miss(grant, "permission") for grant in here]
    return Explanation(permission, target, None, tuple(misses[:_MISSES]))


def _distance(pattern: Target, target: Target) -> int:
    return sum(mine not in ("*", theirs) for mine, theirs in zip(pattern, target, strict=True))
