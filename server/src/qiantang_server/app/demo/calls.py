"""Calls: what the shop's services call of each other, and what its people have published of that."""

from __future__ import annotations

from qiantang.rpc.model import kinds
from qiantang_server.app.demo.bodies import Body
from qiantang_server.app.demo.shop import ORDER, STOCK, Service
from qiantang_server.kernel.resources.state import Key

STOCK_SERVICE = "trade.Stock"
CALLING = (STOCK, ORDER)
"""Who calls whom: order asks stock for each order."""


def bodies(service: Service) -> dict[Key, Body]:
    """Give what a service's bundle of calls holds."""
    if service is STOCK:
        quick = {
            "target": {"service": STOCK_SERVICE, "side": "client"},
            "public": True,
            "timeout": {"seconds": 0.8},
            "retry": {"attempts": 2},
            "description": "who asks stock gets an answer soon, or goes on without one",
        }
        few = {
            "target": {"service": STOCK_SERVICE, "side": "server"},
            "concurrency": {"most": 64},
            "description": "more at a time than the shelf could serve are refused at once",
        }
        return {(kinds.RULE, "stock-answers-soon"): quick, (kinds.RULE, "stock-not-too-many"): few}
    return {(kinds.SOURCE, STOCK.name): {"center": STOCK.center, "application": STOCK.name}}
