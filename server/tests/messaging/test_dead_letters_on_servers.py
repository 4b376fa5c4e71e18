"""Dead letters that a database server keeps, of that database or of another broker, reached as it is published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from qiantang.messaging.model import Cluster, DeadLetterSettings, Estate, Resource, Store, Topic
from qiantang.messaging.testing import until
from server.tests.messaging.shop import Shop, open_shop


@pytest.mark.parametrize(
    ("store", "adapter"),
    [
        pytest.param("postgresql", "sql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", "sql", marks=pytest.mark.mariadb),
        pytest.param("postgresql", "rabbitmq", marks=[pytest.mark.postgresql, pytest.mark.rabbitmq]),
    ],
)
async def test_an_edited_letter_is_handled(
    store: str, adapter: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = _database(request.getfixturevalue(f"{store}_url"), store)
    broker = url if adapter == "sql" else request.getfixturevalue(f"{adapter}_url")
    async with open_shop(tmp_path) as shop:
        _stands_on(shop, url, adapter, broker)
        async with shop.running() as bus:
            (number,) = await shop.died(bus, {"bad": 1}, key="k")
            cluster = {"adapter": adapter, "resources": [{"name": "one", "url": _secret(broker)}]}
            policy = {"store": {"url": _secret(url)}, "dead_letters": {}}
            await shop.publish(shop.bodies(**{"clusters/main": cluster, "policies/default": policy}))
            (cause,) = (await shop.ask("GET", "dead-letter-causes"))["items"]
            assert (cause["count"], cause["newest"]) == (1, number)
            edit = {"body": {"format": "json", "text": '{"good": "ü"}'}, "reason": "a slip"}
            await shop.ask("POST", f"dead-letters/{number}/resend", edit)
            await until(lambda: shop.billed.bodies == [{"good": "ü"}])
            (action,) = (await shop.ask("GET", "dead-letter-history?words=BILL"))["items"]
            assert (action["what"], action["by"]) == ("resent", "chief")
            missing = await shop.answer("GET", f"dead-letters/{2**53 - 1}")
            assert (missing.status_code, missing.json()["code"]) == (404, "messaging.dead_letter_gone")


def _database(url: str, kind: str) -> str:
    address = make_url(url).set(drivername=kind)
    if kind == "postgresql" and not address.password:
        address = address.set(password="any")  # a server that trusts everybody on this machine takes it
    return address.render_as_string(hide_password=False)


def _secret(url: str) -> dict[str, Any]:
    return {"$secret": {"value": url}}


def _stands_on(shop: Shop, url: str, adapter: str, broker: str) -> None:
    cluster = Cluster(name="main", adapter=adapter, resources=[Resource(name="one", url=broker)])
    topics = [Topic(name="orders", clusters=["main"]), Topic(name="raw", clusters=["main"])]
    shop.estate = lambda: Estate(
        clusters=[cluster], topics=topics, store=Store(url=url), dead_letters=DeadLetterSettings()
    )
