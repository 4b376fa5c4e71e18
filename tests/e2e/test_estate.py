"""The demo estate as `qiantang up --demo` starts it: it runs, hears of publishes, says what it refuses, and ends in order."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.readme import blocks
from tests.servers.demo import Demo
from tests.servers.platform import Api
from tests.servers.process import HOST, environment
from tests.servers.product import eventually, memory

pytestmark = pytest.mark.process

ORDER, STOCK, BILLING = "demo/prod/trade/order", "demo/prod/trade/stock", "demo/prod/finance/billing"
DEV = [f"demo/dev/{one}" for one in ("trade/order", "trade/stock", "finance/billing")]
MEGABYTES = 450


@pytest.fixture(scope="module")
def estate() -> Iterator[Demo]:
    made = Demo()
    with socket.create_server((HOST, made.port)), made:
        made.administrator()  # by the one-time token, whoever there is in the demo's tenant
        eventually(lambda: made.complete, "the shop is set up")
        yield made


def instances(api: Api, scope: str) -> dict[str, dict[str, Any]]:
    page = api.call("GET", f"config/{scope}/instances?limit=100")
    return {row["instance"]["name"]: row for row in page["items"] if row["alive"]}


def test_everything_that_the_demo_promises_is_there(estate: Demo) -> None:
    lin = estate.sign_in("lin")
    eventually(lambda: set(instances(lin, ORDER)) == {"order-1", "order-2", "order-3"}, "three of order")
    eventually(lambda: set(instances(lin, STOCK)) == {"stock-1", "stock-2"}, "two of stock")
    eventually(lambda: [len(instances(lin, scope)) for scope in DEV] == [1, 1, 1], "one of each in dev")
    eventually(lambda: [name for name, row in instances(lin, ORDER).items() if row["gray"]] == ["order-3"])
    refused = eventually(lambda: [row for row in instances(lin, BILLING).values() if row["status"] == "failed"])
    assert [row["instance"]["name"] for row in refused] == ["billing-2"]
    assert "billing.Desk.take at revision 4: ValueError: the rate of JPY" in refused[0]["error"]
    for name in ("order-1", "stock-2", "billing-1"):
        eventually(lambda name=name: f"{name} | " in estate.said)
    eventually(lambda: re.search(r"stock-\d \| .*; [1-9]\d* parcels packed", estate.said))
    eventually(lambda: re.search(r"order-\d \| .*; [1-9]\d* promised by stock", estate.said))
    eventually(lambda: re.search(r"stock-\d \| .*, [1-9]\d* calls answered", estate.said))
    eventually(lambda: re.search(r"billing-\d \| .*; orders over [1-9]\d* yuan came in", estate.said))


def test_an_approval_mends_the_instance_that_refused(estate: Demo) -> None:
    mei = estate.sign_in("mei")
    (asked,) = mei.call("GET", f"config/{BILLING}/requests")
    mei.call("POST", f"config/{BILLING}/requests/{asked['id']}/approve", {"message": "right"})
    eventually(lambda: instances(mei, BILLING)["billing-2"]["current"])
    eventually(lambda: re.search(r"billing-2 \| revision 5 changes .*rates.JPY", estate.said))


def test_a_publish_of_what_is_shared_reaches_all_instances(estate: Demo) -> None:
    ada, mei = estate.sign_in("ada"), estate.sign_in("mei")
    body = ada.call("GET", f"config/{ORDER}/namespaces/shared")["published"]
    body["items"]["log.level"]["value"] = "DEBUG"
    ada.call("PUT", f"config/{ORDER}/namespaces/shared", {"body": body}, **{"If-Match": "*"})
    asked = ada.publish(ORDER)["request"]
    mei.call("POST", f"config/{ORDER}/requests/{asked['id']}/approve", {})
    for name, what in (("order-1", "order"), ("order-2", "order"), ("billing-1", "bill"), ("billing-2", "bill")):
        eventually(lambda name=name, what=what: f"{name} | {what} " in estate.said)
    assert "order-1 | revision 6: log.level 'INFO' -> 'DEBUG'" in estate.said
    assert not re.search(r"order-dev-1 \| order ", estate.said), "dev has settings of its own"


def test_a_service_that_dies_comes_back_with_what_it_refused_still_shown(estate: Demo) -> None:
    before = estate.services()
    assert len(before) == 3
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(set(estate.services()) - set(before)) == 3)
    ada = estate.sign_in("ada")
    eventually(lambda: all(instances(ada, scope) for scope in (ORDER, STOCK, BILLING)))
    assert estate.said.count("a service of the demo ended and is started again") == 3


@contextmanager
def program(text: str, variables: dict[str, str], folder: Path) -> Iterator[Callable[[], str]]:
    """Run a program of the guide that waits for Enter; give what it said so far."""
    said = folder / f"{variables['QIANTANG_CLIENT_INSTANCE']}.txt"
    with said.open("wb") as out:
        running = subprocess.Popen(
            [sys.executable, "-u", "-c", text],
            stdin=subprocess.PIPE,
            stdout=out,
            env={**environment(folder), **variables},
        )
    try:
        yield said.read_text
    finally:
        running.communicate(b"\n", timeout=30)


def test_the_guide_leads_to_a_canary_of_ones_own(estate: Demo, tmp_path: Path) -> None:
    (text,) = (one.text for one in blocks("docs/guide/five-minutes.md") if one.language == "python")
    admin, scope = estate.administrator(), "demo/dev/trade/hello"
    issued = admin.make_application(scope)
    told = {**issued["scope"], "servers": estate.address, "credential": issued["id"], "secret": issued["secret"]}
    variables = {f"QIANTANG_CLIENT_{name.upper()}": value for name, value in told.items()}
    first, second = ({**variables, "QIANTANG_CLIENT_INSTANCE": name} for name in ("hello-1", "hello-2"))
    with program(text, first, tmp_path) as one, program(text, second, tmp_path) as other:
        eventually(lambda: "at first hello" in one() and "at first hello" in other())
        eventually(lambda: len(instances(admin, scope)) == 2)
        admin.set(scope, {"greeting": "good day"})
        admin.publish(scope)
        eventually(lambda: "now good day" in one() and "now good day" in other())
        admin.set(scope, {"greeting": "good morning"})
        admin.publish(scope, gray={"count": 1})
        eventually(lambda: (one() + other()).count("now good morning") == 1)
        admin.call("POST", f"config/{scope}/gray/promote", {"expected_revision": 2})
        eventually(lambda: "now good morning" in one() and "now good morning" in other())
        admin.call("POST", f"config/{scope}/rollback", {"expected_revision": 3, "to_revision": 1})
        eventually(lambda: one().count("now good day") == other().count("now good day") == 2)


def test_it_is_light_and_ends_in_order(estate: Demo) -> None:
    services = estate.services()
    sizes = {pid: memory(pid)["VmRSS"] // 1024 for pid in (estate.pid, *services)}
    print(f"resident MiB: platform {sizes[estate.pid]}, services {[sizes[pid] for pid in services]}")  # noqa: T201
    assert sum(sizes.values()) <= MEGABYTES
    assert estate.stop() == 0
    eventually(lambda: not [pid for pid in services if Path(f"/proc/{pid}").exists()])
    assert "Traceback" not in estate.said
    assert "stopped [qiantang_server.app.start]" in estate.log_tail(1)
