"""Services: what the programs of the estate call of each other, as Python types. Both sides import this file; nothing is generated.

What one learns here: a class under `@service` is the whole definition of a service; `Protocol` says that whoever has these methods
answers for it. Types are checked on both ends, and `qiantang service export services:Stock` writes them down for the platform.
"""

from __future__ import annotations

from typing import Protocol

from qiantang.rpc import method, service


@service("trade.Stock", version="1.0.0")
class Stock(Protocol):
    """Goods that orders are made of."""

    @method(timeout=1.0)
    def reserve(self, goods: str, pieces: int) -> bool:
        """Set pieces aside; says whether they are there. Made again elsewhere only where it certainly did not begin."""
        ...

    @method(timeout=0.5, idempotent=True)
    def left(self, goods: str) -> int:
        """Give how many may still be set aside."""
        ...
