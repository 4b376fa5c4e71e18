"""Bodies: the settings of the shop's services, as they were at one time or another."""

from __future__ import annotations

import json
from typing import Any

from qiantang.config import model

APPLICATION = "application"
SHARED = "shared"
RESERVATION = "reservation"
RATES = "rates"
CLUSTER = "hz-b"
INHERITS = f"trade/order/{SHARED}"

Body = dict[str, Any]

MONDAY = {"USD": 0.1399, "EUR": 0.1271, "GBP": 0.1092}
FRIDAY = {"USD": 0.1404, "EUR": 0.1268, "GBP": 0.1090, "HKD": 1.0930}

_SCHEMA = {
    "type": "object",
    "properties": {
        "base": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "rates": {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Z]{3}$"},
            "additionalProperties": {"type": "number", "minimum": 0},
        },
    },
    "required": ["rates"],
    "additionalProperties": False,
}

_RESERVATION = """\
# How goods are set aside for an order.
mode: {mode}  # strict: never more than there is; oversell: some percent more
hold_minutes: {hold}
oversell_percent: 10
shelf:
  longjing: 240
  oolong: {oolong}
  cups: 120
"""


def dsn(environment: str) -> str:
    """Give the address of the order service's database: a secret, though nobody listens there."""
    return f"postgresql://orders:made-up-for-the-demo@db.{environment}.internal/orders"


def shared(*, every: int) -> Body:
    """Give what all three services inherit."""
    items = {
        "report.every": number(every, "seconds between two lines of each instance"),
        "log.level": text("INFO", "DEBUG, INFO, WARNING or ERROR"),
        "shop.name": text("Qiantang Teahouse", "as it stands on bills"),
    }
    return {"format": "properties", "description": "what all services share", "public": True, "items": items}


def order(environment: str, *, per_minute: int, express: bool = False) -> Body:
    """Give the settings of the order service."""
    database = {"value": {"$secret": {"value": dsn(environment)}}, "comment": "where orders are written down"}
    items = {
        "orders.per_minute": number(per_minute, "how many orders are taken"),
        "orders.largest": number(6, "most items in one order"),
        "features.express": {"value": str(express).lower(), "type": "boolean", "comment": "small orders go by express"},
        "database.dsn": database,
    }
    return _properties("what the order service is told", items)


def stock() -> Body:
    """Give the plain settings of the stock service: those that it inherits."""
    return _properties("what the stock service is told", {"warehouse.name": text("Xixi", "where the goods are")})


def reservation(*, oolong: int = 160, mode: str = "strict", hold: int = 15) -> Body:
    """Give how goods are set aside."""
    document = _RESERVATION.format(mode=mode, hold=hold, oolong=oolong)
    return {"format": "yaml", "description": "how goods are set aside", "document": document}


def reservation_of_cluster() -> Body:
    """Give what is otherwise in the other cluster."""
    return {"format": "yaml", "document": "# hz-b has a small shelf of its own\nshelf:\n  longjing: 60\n  cups: 30\n"}


def billing(*, tax: int = 6) -> Body:
    """Give the plain settings of the billing service."""
    items = {
        "bills.per_minute": number(24, "how many bills are written"),
        "bills.tax_percent": number(tax, "value added tax"),
    }
    return _properties("what the billing service is told", items)


def rates(values: dict[str, float], *, description: str = "how much of each currency one yuan buys") -> Body:
    """Give rates, with the schema that they keep to. It lets zero through: what that leads to shows the demo."""
    document = {"base": "CNY", "rates": values}
    return {
        "format": "json",
        "description": description,
        "document": json.dumps(document, indent=2) + "\n",
        "schema": json.dumps(_SCHEMA, indent=2) + "\n",
    }


def rates_of_cluster(yen: float) -> Body:
    """Give the rates that the other cluster has besides."""
    return rates({"JPY": yen}, description="currencies of hz-b alone")


def cluster(namespace: str) -> str:
    """Give the name of a namespace as it is overridden for the other cluster."""
    return str(model.NamespaceName(namespace, CLUSTER))


def number(value: int, comment: str) -> Body:
    """Give a number."""
    return {"value": str(value), "type": "number", "comment": comment}


def text(value: str, comment: str) -> Body:
    """Give a text."""
    return {"value": value, "comment": comment}


def _properties(description: str, items: dict[str, Body]) -> Body:
    return {"format": "properties", "description": description, "inherits": INHERITS, "items": items}
