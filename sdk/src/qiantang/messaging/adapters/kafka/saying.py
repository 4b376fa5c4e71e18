"""Saying: what librdkafka says by itself, into our log, within bounds: it has a line for each attempt to connect."""

from __future__ import annotations

import logging
from typing import Final

from qiantang.kernel import observe

logger = logging.getLogger(__name__)
log = observe.BoundedLog(logger)


class Said:
    """What librdkafka takes for a logger."""

    def log(self, level: int, _form: str, kind: str, client: str, words: str) -> None:
        """Take a line of a client."""
        if level < logging.WARNING:
            logger.log(level, "librdkafka says", extra={"kind": kind, "client": client, "words": words})
        else:
            log.failure(f"{client} {kind}", "librdkafka says", level=logging.WARNING, extra={"words": words})


SAID: Final = Said()
