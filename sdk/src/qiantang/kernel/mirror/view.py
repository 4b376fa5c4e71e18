"""View: what an application reads: the frozen state of all its bundles, where it came from and how sure it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import msgspec

from qiantang.kernel import errors, protocol, resource

Source = Literal["center", "disk", "none"]
ContentKey = tuple[tuple[resource.Bundle, str], ...]


def _no_snapshots() -> Mapping[resource.Bundle, resource.Snapshot]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MirrorView:
    """One consistent state; it never changes, the mirror swaps in another one.

    `source` says where it came from: the control plane, the last good copy on disk, or nowhere. `stale_since` is when
    (seconds since 1970) it was last known to be what the control plane has; None while that is so. `problem` is what is
    wrong now, if anything: the content stays good for use.
    """

    snapshots: Mapping[resource.Bundle, resource.Snapshot] = field(default_factory=_no_snapshots)
    source: Source = "none"
    stale_since: float | None = None
    problem: errors.QiantangError | None = None

    def of(self, capability: str) -> dict[resource.Bundle, resource.Snapshot]:
        """Give the part of one capability: the application's own bundle and those that it links to."""
        return {bundle: one for bundle, one in self.snapshots.items() if bundle.capability == capability}

    def content_key(self, capability: str) -> ContentKey:
        """Give what is equal for equal contents of a capability, at whatever positions."""
        return tuple(sorted((bundle, one.digest) for bundle, one in self.of(capability).items()))


class Outcome(msgspec.Struct, frozen=True):
    """How taking a view went. The error is shown to the operator: no secrets in it."""

    status: Literal["applied", "failed", "rejected"] = "applied"
    error: str = ""
    took_ms: float = 0.0


APPLIED = Outcome()

Listener = Callable[[MirrorView, MirrorView], Awaitable[Outcome | None]]
"""Hears of a swap with the view it heard of last and the one in use now. None counts as applied."""
Prepare = Callable[[MirrorView, MirrorView], "Outcome | Awaitable[Outcome | None] | None"]
"""Is asked before a swap, with the view in use and the one proposed; an outcome that is not applied rejects it.

What answers without an awaitable is swapped in in the same turn of the loop: of many mirrors on one loop each is done before
the next is looked at."""


class BundleStatus(msgspec.Struct, frozen=True):
    """Where one bundle stands: the newest position heard of, the one in use, and how taking it went."""

    bundle: str
    seen: str
    applied: str
    status: str
    error: str = ""


class MirrorStatus(msgspec.Struct, frozen=True):
    """What a health page shows of a mirror."""

    scope: str
    instance: str
    connected: bool
    source: Source
    stale_since: float | None
    problem: str
    bundles: list[BundleStatus]


def described(error: BaseException) -> str:
    """Describe an exception that a listener raised, within the bound of an acknowledgement."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text[: protocol.MAX_ERROR_LENGTH]
