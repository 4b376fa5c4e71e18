"""Wanted: which grants of a list are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["", "platform", "tenant", "environment", "center", "application"]
State = Literal["", "now", "later", "ending", "over"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedGrants:
    """Which grants to show; an empty filter lets everything pass.

    `user` is an id or a name. `place` is written as a pattern, as `acme/prod`, its last part as far as it is typed; without a
    slash it is found in any part. `level` is the last part of a pattern that is named. `words` are looked for in what a grant
    shows: user, role, who gave it, why; a whole id finds its grant.
    """

    user: str = ""
    role: str = ""
    place: str = ""
    level: Level = ""
    state: State = ""
    words: str = ""
