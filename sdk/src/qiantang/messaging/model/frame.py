"""Frame: a message as an adapter sees it: bytes, headers, and what a broker may act upon."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from qiantang.messaging.model.message import DEFAULT_PRIORITY
from qiantang.messaging.model.spreading import queue_of_key

HEADER_BYTES = 128
"""What a header is taken to hold, name and value."""


class Frame(msgspec.Struct, kw_only=True, gc=False):
    """A message on its way to or from a broker. Times are in milliseconds since 1970, 0 where there is none.

    What stands in the fields stands in the headers as well: a broker without a notion of tags or priorities carries them
    all the same. `text` and `binary` are the headers by their kind; a broker that knows only text writes the binary ones
    in base64, under the names listed in the header `mf-bin`. `queue` is the physical queue that was chosen, -1 where the
    broker is to choose.
    """

    topic: str
    id: str
    body: bytes
    tag: str = ""
    key: str = ""
    priority: int = DEFAULT_PRIORITY
    deliver_at: int = 0
    expires_at: int = 0
    text: dict[str, str] = {}
    binary: dict[str, bytes] = {}
    queue: int = -1

    def queue_of(self, count: int, turns: Iterator[int]) -> int:
        """Choose among so many queues: the one that was chosen already, else by key, else the next in turn."""
        if self.queue >= 0:
            return self.queue % count
        return queue_of_key(self.key, count) if self.key else next(turns) % count

    @property
    def rank(self) -> int:
        """Its priority as it counts among others: of a message with a key the order counts more, so it has the default one."""
        return DEFAULT_PRIORITY if self.key else self.priority

    @property
    def size(self) -> int:
        """About how many bytes it holds, for budgets of memory: headers are not measured one by one, which would cost more
        than all else that is done to a message.
        """
        return len(self.body) + HEADER_BYTES * (len(self.text) + len(self.binary))


class Taken(msgspec.Struct, kw_only=True):
    """A frame that a broker delivered, with what settling it needs.

    `handle` belongs to the adapter. `attempt` counts the broker's deliveries from 1, and is 1 where the broker does not
    count. `position` rises within a queue on brokers that keep positions, and is -1 elsewhere. `hold` is the hold of the queue
    under which it was taken: it rises when what was taken before is delivered anew, from its beginning.
    """

    frame: Frame
    handle: Any = None
    queue: str = ""
    position: int = -1
    attempt: int = 1
    hold: int = 0
