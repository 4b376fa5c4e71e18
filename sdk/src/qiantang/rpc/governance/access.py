"""Access: who may call a service. Who is refused may not, whatever else is said; deny by default where only subscribers may."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from qiantang.kernel import admission
from qiantang.rpc.governance.verdict import Refusal

REMEMBERED: Final = 10_000
"""Callers whose verdict is kept."""


class Access:
    """Of one method. Callers are an application of a center; lists name either."""

    __slots__ = ("_allowed", "_closed", "_known", "_refused", "_subscribers", "rule")

    def __init__(
        self,
        rule: str,
        allowed: Collection[str] = (),
        refused: Collection[str] = (),
        subscribers: Collection[str] | None = None,
        closed: str = "",
    ) -> None:
        """`subscribers`: who has subscribed, where only these may; None where all may. `closed`: why nobody may now."""
        self.rule = rule
        self._allowed = frozenset(allowed)
        self._refused = frozenset(refused)
        self._subscribers = None if subscribers is None else frozenset(subscribers)
        self._closed = closed
        self._known: dict[tuple[str, str], Refusal | None] = {}

    def enter(self, center: str, application: str) -> Refusal | None:
        """Let a caller in, or refuse it. Nothing is to be left afterwards."""
        who = (center, application)
        try:
            return self._known[who]
        except KeyError:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            verdict = self._known[who] = self._judge(center, application)
            return verdict

    def _judge(self, center: str, application: str) -> Refusal | None:
        if self._closed:
            return Refusal("access", self.rule, self._closed)
        if not admission.may(center, application, self._allowed, self._refused):
            return Refusal("access", self.rule, f"{center}/{application} may not call this")
        names = admission.names_of(center, application)
        if self._subscribers is not None and not any(name in self._subscribers for name in names):
            return Refusal("access", self.rule, f"{center}/{application} has not subscribed to the service")
        return None
