"""The main flow once more, on PostgreSQL, Redis and ZooKeeper."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser as Chromium

from tests.pages.main_flow import from_the_link_to_all_instances
from tests.servers.product import Platforms
from tests.servers.zookeeper import ZooKeeper

pytestmark = [pytest.mark.postgresql, pytest.mark.redis, pytest.mark.zookeeper]


def test_the_main_flow(
    screen: Chromium,
    platforms_of_module: Platforms,
    postgresql_url: str,
    redis_url: str,
    zookeeper_server: ZooKeeper,
) -> None:
    platform = platforms_of_module.new(
        f"--database-url={postgresql_url}", f"--redis={redis_url}", f"--zookeeper={zookeeper_server.hosts}"
    )
    try:
        from_the_link_to_all_instances(screen, platform.start())
    finally:
        platform.close()  # before its database goes
