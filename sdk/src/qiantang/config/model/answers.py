"""Answers: what the configuration center says beyond the life that all resources share."""

from __future__ import annotations

from typing import Any, Literal

from qiantang.kernel import wire

Policy = Literal["fail", "skip", "overwrite", "merge"]


class ShadowedValue(wire.Wire, frozen=True):
    """A value that a higher layer covers; null where it is a secret that the reader may not see."""

    value: Any
    origin: str


class EffectiveValue(wire.Wire, frozen=True):
    """One effective setting: its value, where it comes from, and what it covers."""

    namespace: str
    key: str
    value: Any
    origin: str
    secret: bool = False
    inherited: bool = False
    gray: str = ""
    shadowed: list[ShadowedValue] = []


class EffectiveView(wire.Wire, frozen=True):
    """What one instance of an application sees now."""

    cluster: str
    values: list[EffectiveValue]
    missing: list[str] = []


class ImportLine(wire.Wire, frozen=True):
    """What an import does, or would do, to one namespace, and why."""

    namespace: str
    action: Literal["add", "change", "keep", "refuse"]
    reason: str = ""


class ImportResult(wire.Wire, frozen=True):
    """An import, line by line; with `dry_run` nothing was written. Imports make drafts, never releases."""

    dry_run: bool
    lines: list[ImportLine]


class SearchHit(wire.Wire, frozen=True):
    """A published key or value that holds the words."""

    bundle: str
    namespace: str
    key: str
    value: str
