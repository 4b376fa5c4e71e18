"""Failures that are written down: a send that was not taken, a message that was not handled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from qiantang.messaging.model.estate import FailureKind, FailureRule
from qiantang.messaging.model.frame import Frame

FailureOutcome = Literal["refused", "unknown", "again", "dead"]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One of them.

    `number` is the store's, and rises; 0 before it is there. `at` is in seconds since 1970. A send was `refused` or its outcome is
    `unknown`; a handling is tried `again`, or its message is `dead`. `center` says who sent the message, `member` which process
    met the failure. `code` is that of a named error, else empty. `frame` is the message as it would have gone out, kept of a
    send alone: what was to be handled is with its broker, or a dead letter.
    """

    kind: FailureKind
    outcome: FailureOutcome
    at: float
    topic: str
    id: str
    number: int = 0
    group: str = ""
    key: str = ""
    tag: str = ""
    center: str = ""
    application: str = ""
    member: str = ""
    attempt: int = 1
    code: str = ""
    error: str = ""
    stack: str = ""
    frame: Frame | None = None

    @property
    def size(self) -> int:
        """Of what it holds, in bytes or more."""
        return 200 + len(self.error) + len(self.stack) + (self.frame.size if self.frame is not None else 0)


def kinds_of(rules: Iterable[FailureRule], topic: str, center: str) -> frozenset[FailureKind]:
    """Say which failures of a topic's messages that a center sent are written down: all where there are no rules.

    The rule for the topic counts, and of several the one that names the center as well; else the one for the center; else the one
    for all; else none are.
    """
    some = list(rules) or [FailureRule()]
    fitting = [one for one in some if one.topic in ("", topic) and one.center in ("", center)]
    best = max(fitting, key=lambda one: (one.topic != "", one.center != ""), default=None)
    if best is None:
        return frozenset()
    kinds: list[FailureKind] = ["send"] if best.send else []
    return frozenset([*kinds, "consume"] if best.consume else kinds)
