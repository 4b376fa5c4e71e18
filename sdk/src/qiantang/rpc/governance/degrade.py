"""Degrade: what a call is answered with where its provider's answer is not to be had.

Only failures of the call count: what the service says with an error of its own is its answer, and stays one. The last good
answers are kept while a rule asks for them and no longer; they are bytes, so that nobody changes what others are given.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from qiantang.kernel import errors
from qiantang.rpc import errors as failures
from qiantang.rpc.governance.verdict import Outcome, outcome_of
from qiantang.rpc.model.rules import DegradeRule

BY_RULE: Final = "rule"
"""Why calls are not made at all."""
ENTRY_BYTES: Final = 200
"""What an answer takes beside its own bytes and those of its key."""
_REFUSED: Final = (
    (failures.LimitedError, "limit"),
    (failures.CircuitOpenError, "circuit"),
    (failures.InjectedError, "fault"),
    (failures.UnknownServiceError, "no_node"),
    (failures.UnknownMethodError, "no_node"),
)


def why_of(error: errors.QiantangError) -> str:
    """Say in a word why a call failed or was refused; nothing where the error is the service's answer, or the caller's fault."""
    for kind, why in _REFUSED:
        if isinstance(error, kind):
            return why
    outcome = outcome_of(error)
    return outcome.name.lower() if outcome > Outcome.CANCELLED else ""


class Degrade:
    """Of one method. `answered` counts by why what was answered instead, `failed` what could not be."""

    __slots__ = ("_bytes", "_kept", "answered", "failed", "rule", "settings")

    def __init__(self, rule: str, settings: DegradeRule) -> None:
        self.rule = rule
        self.answered: dict[str, int] = {}
        self.failed = 0
        self._kept: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()
        self._bytes = 0
        self.configure(settings)

    def __len__(self) -> int:
        """Count the answers that are kept."""
        return len(self._kept)

    def configure(self, settings: DegradeRule) -> None:
        """Take another way; what was counted stays, and answers that are kept as well where it still asks for them."""
        self.settings = settings
        if settings.how != "last_good":
            self.forget()
        self._shrink()

    @property
    def is_always(self) -> bool:
        """Whether calls are not made at all."""
        return self.settings.when == "always"

    @property
    def remembers(self) -> bool:
        """Whether good answers are to be told."""
        return self.settings.how == "last_good"

    def count(self, why: str) -> None:
        """A call was answered in place of its provider."""
        self.answered[why] = self.answered.get(why, 0) + 1

    def remember(self, now: float, key: bytes, answer: bytes) -> None:
        """Keep a good answer, in place of those that were of no use for longest; one that takes a quarter of the room is not."""
        if not self.remembers or len(answer) > self.settings.size // 4:
            return
        self._drop(key)
        self._kept[key] = (answer, now)
        self._bytes += _size(key, answer)
        self._shrink()

    def last_good(self, now: float, key: bytes) -> bytes | None:
        """Give the last good answer, if it is young enough."""
        answer, since = self._kept.get(key, (None, 0.0))
        if answer is None:
            return None
        if now - since > self.settings.age:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return answer

    def forget(self) -> None:
        """Keep no answers."""
        self._kept.clear()
        self._bytes = 0

    def _shrink(self) -> None:
        while len(self._kept) > self.settings.entries or self._bytes > self.settings.size:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: bytes) -> None:
        answer, _ = self._kept.pop(key, (None, 0.0))
        if answer is not None:
            self._bytes -= _size(key, answer)


def _size(key: bytes, answer: bytes) -> int:
    return len(key) + len(answer) + ENTRY_BYTES
