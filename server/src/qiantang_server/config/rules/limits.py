"""Limits: how large and how deep a namespace may be."""

from __future__ import annotations

from dataclasses import dataclass

KEY_LENGTH = 256
DEPTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceLimits:
    """Sizes in bytes of UTF-8 and counts that a namespace keeps to.

    nodes: values of all kinds in a document once its aliases are expanded. schema_steps: keywords of the
    schema, weighed by what they look at, that one check may run; 100,000 take about a second at worst.
    """

    item_bytes: int = 64 << 10
    namespace_bytes: int = 1 << 20
    keys: int = 10_000
    nodes: int = 100_000
    schema_bytes: int = 64 << 10
    schema_steps: int = 250_000
    problems: int = 100


DEFAULT = NamespaceLimits()
