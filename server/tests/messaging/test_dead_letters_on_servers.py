"""Dead letters that a database server keeps, which is the broker as well: reached with the credentials that are published."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from qiantang.messaging.model import Cluster, DeadLetterSettings, Estate, Resource, Store, Topic
from qiantang.messaging.testing import until
from server.tests.messaging.shop import Shop, open_shop


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ],
)
async def test_an_edited_letter_is_handled(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    address = make_url(request.getfixturevalue(f"{kind}_url")).set(drivername=kind)
    if kind == "postgresql" and not address.password:
        address = address.set(password="any")  # a server that trusts everybody on this machine takes it
    url = address.render_as_string(hide_password=False)
    async with open_shop(tmp_path) as shop:
        _stands_on(shop, url)
        async with shop.running() as bus:
            (number,) = await shop.died(bus, {"bad": 1}, key="k")
            secret = {"$secret": {"value": url}}
            cluster = {"adapter": "sql", "resources": [{"name": "one", "url": secret}]}
            policy = {"store": {"url": secret}, "dead_letters": {}}
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


def _stands_on(shop: Shop, url: str) -> None:
    cluster = Cluster(name="main", adapter="sql", resources=[Resource(name="one", url=url)])
    topics = [Topic(name="orders", clusters=["main"]), Topic(name="raw", clusters=["main"])]
    shop.estate = lambda: Estate(
        clusters=[cluster], topics=topics, store=Store(url=url), dead_letters=DeadLetterSettings()
    )
