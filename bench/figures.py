"""Figures: goals, what was measured against them, the table of both, and one JSON object for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Value = float | int | None


@dataclass(frozen=True, slots=True)
class Goal:
    """A key, what it stands for, and the bound to keep: at most, or at least, or none."""

    key: str
    meaning: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def bound(self) -> str:
        """The bound as text."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return f"≥ {self.at_least:,g}" if self.at_least is not None else "stated"

    def verdict(self, value: Value) -> str:
        """Say whether a value keeps the bound."""
        if value is None:
            return "not measured"
        if self.at_most is not None and value > self.at_most:
            return "MISSED"
        if self.at_least is not None and value < self.at_least:
            return "MISSED"
        return "reached" if self.bound != "stated" else "—"


@dataclass(slots=True)
class Figures:
    """What was measured, and for what was not, why."""

    values: dict[str, Value] = field(default_factory=dict[str, Value])
    reasons: dict[str, str] = field(default_factory=dict[str, str])

    def take(self, found: Mapping[str, Value]) -> None:
        """Add measured values."""
        self.values.update(found)

    def miss(self, keys: Iterable[str], reason: str) -> None:
        """Say of keys that they could not be measured."""
        for key in keys:
            if self.values.get(key) is None:
                self.values[key] = None
                self.reasons[key] = reason

    def table(self, goals: Sequence[Goal]) -> str:
        """Give the table: the goals first, then whatever else was measured."""
        rows = [("key", "goal", "measured", "verdict", "what")]
        for goal in goals:
            value = self.values.get(goal.key)
            what = self.reasons.get(goal.key) or goal.meaning
            rows.append((goal.key, goal.bound, shown(value), goal.verdict(value), what))
        known = {goal.key for goal in goals}
        rows += [
            (key, "", shown(value), "", self.reasons.get(key, ""))
            for key, value in self.values.items()
            if key not in known
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [
            "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[4]]).rstrip()
            for row in rows
        ]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])

    def line(self, goals: Sequence[Goal]) -> str:
        """Give one JSON object: the keys of the goals in their order, then the others."""
        ordered = {goal.key: self.values.get(goal.key) for goal in goals}
        return json.dumps({**ordered, **{key: self.values[key] for key in self.values if key not in ordered}})


def shown(value: Value) -> str:
    """Give a value with as many digits as it deserves."""
    if value is None:
        return "—"
    if isinstance(value, int) or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def rounded(value: float, digits: int = 4) -> float:
    """Keep so many significant digits."""
    return round(value, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0.0


def quantile(samples: Sequence[float], share: float) -> float:
    """Give the smallest sample that at least `share` of all samples do not exceed (nearest rank).

    Raises:
        ValueError: there are no samples.
    """
    if not samples:
        raise ValueError("nothing was measured")
    return sorted(samples)[max(0, math.ceil(share * len(samples)) - 1)]
