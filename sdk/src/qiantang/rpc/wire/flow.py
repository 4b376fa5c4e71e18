"""Flow: how much may be on its way in one direction of a stream. Pure: what each end counts of the bytes that it sends or keeps.

The sender may send what fits into the window of `WINDOW` bytes; the receiver renews it when what reads there has taken half of it.
An item that does not fit may go while half of the window is free: once everything that was sent has been read, that much always is,
so no item waits for ever. What a receiver has to keep is never more than `kept_at_most`.
"""

from __future__ import annotations

from typing import Final

from qiantang.rpc.errors import ProtocolError

WINDOW: Final = 1 << 20
HALF: Final = WINDOW // 2
OVERHEAD: Final = 64
"""What an item costs beside its bytes: its frame, and what holds it where it waits."""

SLACK: Final = 32 << 10
"""What may come late of a stream beside its items: its end, and credit; each counts as an item without bytes."""


def cost(size: int) -> int:
    """Give what an item of so many bytes counts."""
    return size + OVERHEAD


def kept_at_most(max_frame: int) -> int:
    """Give the bytes that one direction of a stream can have a receiver keep."""
    return max(WINDOW, HALF + cost(max_frame))


class Sending:
    """What the sender knows. `left` may be below nothing after a large item."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = WINDOW

    def may_send(self, size: int) -> bool:
        """Say whether an item of so many bytes may go now."""
        return size + OVERHEAD <= self.left or self.left >= HALF

    def sent(self, size: int) -> None:
        """An item went."""
        self.left -= size + OVERHEAD

    def renewed(self, more: int) -> None:
        """The receiver lets so much more go.

        Raises:
            ProtocolError: that is more than was sent.
        """
        if self.left + more > WINDOW:
            raise ProtocolError(f"credit of {more:,} bytes is more than was sent: {WINDOW:,} are the most of a stream")
        self.left += more


class Receiving:
    """What the receiver knows. `kept` counts what came and was not taken; `left` what the sender may still send."""

    __slots__ = ("_taken", "kept", "left")

    def __init__(self) -> None:
        self.left = WINDOW
        self.kept = 0
        self._taken = 0

    def received(self, size: int) -> None:
        """An item came.

        Raises:
            ProtocolError: it is beyond what may be sent.
        """
        counts = size + OVERHEAD
        if counts > self.left and self.left < HALF:
            raise ProtocolError(
                f"an item of {size:,} bytes came beyond the credit of its stream: {self.left:,} were left"
            )
        self.left -= counts
        self.kept += counts

    def taken(self, size: int) -> int:
        """An item was taken by who reads; give how much the sender is let send more now, mostly nothing."""
        counts = size + OVERHEAD
        self.kept -= counts
        self._taken += counts
        if self._taken < HALF:
            return 0
        more, self._taken = self._taken, 0
        self.left += more
        return more


class Late:
    """What may still come for streams that have ended here, since the other end did not know: bounded by what each had left."""

    __slots__ = ("_may_come", "_most")

    def __init__(self, max_frame: int) -> None:
        self._may_come = 0
        self._most = max_frame

    def ended(self, left: int = WINDOW) -> None:
        """A stream ended that may have had so much more sent, or was refused at once."""
        self._may_come += max(left, cost(self._most) if left >= HALF else 0) + SLACK

    def came(self, size: int) -> None:
        """A frame of so many bytes came for a stream that is not here.

        Raises:
            ProtocolError: no stream that was here explains it.
        """
        self._may_come -= size + OVERHEAD
        if self._may_come < 0:
            raise ProtocolError("more came for a stream that has ended, or never began, than it could have on its way")
