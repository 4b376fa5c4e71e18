"""What all tests share: the fixtures of the real servers and of the product, and how long properties are searched.

`QIANTANG_TEST_EXAMPLES` sets how many examples a property is tried with that does not say so itself: few in `make check`, many in
`make test`, which also runs what is thorough. No example is judged by its time: the machine may be busy.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent
THOROUGH = frozenset(
    {
        "sdk/tests/app/test_application.py",
        "sdk/tests/app/test_processes.py",
        "sdk/tests/cli/test_commands.py",
        "sdk/tests/cli/test_config.py",
        "sdk/tests/cli/test_dead.py",
        "sdk/tests/kernel/mirror/test_mirror.py",
        "sdk/tests/kernel/mirror/test_simulation.py",
        "sdk/tests/messaging/adapters/test_activemq.py",
        "sdk/tests/messaging/adapters/test_activemq_faults.py",
        "sdk/tests/messaging/adapters/test_kafka_faults.py",
        "sdk/tests/messaging/adapters/test_memory.py",
        "sdk/tests/messaging/adapters/test_rabbitmq.py",
        "sdk/tests/messaging/adapters/test_rabbitmq_faults.py",
        "sdk/tests/messaging/adapters/test_sql.py",
        "sdk/tests/messaging/adapters/test_sql_faults.py",
        "sdk/tests/messaging/adapters/test_sql_keeping.py",
        "sdk/tests/messaging/adapters/test_sql_server_faults.py",
        "sdk/tests/messaging/client/spool/test_segments.py",
        "sdk/tests/messaging/client/spool/test_slots.py",
        "sdk/tests/messaging/client/test_dead_letters.py",
        "sdk/tests/messaging/client/test_failing_order.py",
        "sdk/tests/messaging/client/test_offline.py",
        "sdk/tests/messaging/client/test_quota.py",
        "sdk/tests/messaging/client/test_sheltering.py",
        "server/tests/app/test_demo.py",
        "server/tests/app/test_platform.py",
        "server/tests/catalog/test_listing.py",
        "server/tests/catalog/test_requests.py",
        "server/tests/config/rules/test_hostile.py",
        "server/tests/identity/test_api.py",
        "server/tests/identity/test_estate.py",
        "server/tests/identity/test_granting.py",
        "server/tests/identity/test_lists.py",
        "server/tests/identity/test_pages.py",
        "server/tests/identity/test_proof.py",
        "server/tests/identity/test_sign_in.py",
        "server/tests/identity/test_throttle.py",
        "server/tests/kernel/access/test_grants.py",
        "server/tests/kernel/coordination/test_database.py",
        "server/tests/kernel/coordination/test_fake.py",
        "server/tests/kernel/resources/test_life.py",
        "server/tests/kernel/web/test_finding.py",
        "server/tests/kernel/web/test_overview.py",
        "server/tests/kernel/web/test_watch.py",
        "server/tests/messaging/test_buses.py",
        "server/tests/messaging/test_dead_letters.py",
        "server/tests/registry/test_people.py",
        "tests/api/test_existence.py",
        "tests/migrations/test_migrations.py",
        "tests/servers/test_process.py",
    }
)
"""Files that take four fifths of the time (databases, passwords, forks): `make test` runs them, `make check` leaves them out."""

pytest_plugins = ["tests.servers.fixtures", "tests.servers.product"]

settings.register_profile(
    "house",
    max_examples=int(os.environ.get("QIANTANG_TEST_EXAMPLES", "20")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Read no file of which nothing would run: each process of a run reads all of them."""
    if "not thorough" in str(config.option.markexpr) and _is_thorough(collection_path):
        return True
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is thorough: whole files, and of what is tried with several seeds all but the first."""
    for item in items:
        call: Any = getattr(item, "callspec", None)
        if _is_thorough(item.path) or (call is not None and call.params.get("seed", 0)):
            item.add_marker(pytest.mark.thorough)


def _is_thorough(path: Path) -> bool:
    return path.is_relative_to(ROOT) and str(path.relative_to(ROOT)) in THOROUGH
