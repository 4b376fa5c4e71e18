"""Finding: one thing that a change of a definition means, where in it, and for whom."""

from __future__ import annotations

from typing import Final, Literal

from qiantang.kernel import wire

Level = Literal["breaking", "unclear", "compatible"]
BREAKING: Final = "breaking"
UNCLEAR: Final = "unclear"
COMPATIBLE: Final = "compatible"


class Finding(wire.Wire, frozen=True):
    """What changed at a place of a definition. `breaking`: somebody who calls or is called by the earlier one would fail;
    `unclear`: whether it does cannot be read from definitions.
    """

    level: Level
    path: str
    what: str

    def __str__(self) -> str:
        """Read as level, place and what."""
        return f"{self.level}: {self.path}: {self.what}" if self.path else f"{self.level}: {self.what}"
