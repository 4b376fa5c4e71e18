"""`qiantang consume`: finds the bus, runs its handlers, and stops when told to with everything finished."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from qiantang.cli.program import program

APP = textwrap.dedent(
    """
    import time
    from pathlib import Path
    from qiantang.kernel.scope import Scope
    from qiantang.messaging import Cluster, Estate, MessageBus, Resource, Topic

    estate = Estate(
        clusters=[Cluster(name="main", adapter="sql", resources=[Resource(name="one", url="sqlite:///messages.sqlite3")])],
        topics=[Topic(name="orders", clusters=["main"], queues=2), Topic(name="bills", clusters=["main"])],
    )
    bus = MessageBus(estate, Scope(tenant="demo", environment="dev", center="trade", application="shop"))


    @bus.subscribe("orders")
    def order(body: int) -> None:
        Path(f"begun-{body}").touch()
        time.sleep(0.5)
        Path(f"done-{body}").touch()


    @bus.subscribe("bills")
    async def bill(body: int) -> None:
        Path(f"bill-{body}").touch()
    """
)
SEND = "import shop\nwith shop.bus.sync as bus:\n    print(bus.send('orders', 1).ok, bus.send('bills', 1).ok)\n"


def wait_for(file: Path) -> None:
    for _ in range(1000):
        if file.exists():
            return
        time.sleep(0.02)
    raise AssertionError(f"{file.name} is not there after 20 s")


@pytest.mark.process
def test_it_runs_the_handlers_of_a_topic_and_ends_in_order(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "send.py").write_text(SEND)
    environment = {**os.environ, "QIANTANG_APP": "shop:bus"}
    command = [sys.executable, "-c", "from qiantang.cli import main; main()", "consume", "orders"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as child:
        for _ in range(100):  # a group begins with what is sent once it is there
            subprocess.run([sys.executable, "send.py"], cwd=tmp_path, check=True, capture_output=True)
            if (tmp_path / "begun-1").exists():
                break
            time.sleep(0.05)
        wait_for(tmp_path / "begun-1")
        child.send_signal(signal.SIGTERM)
        _, said = child.communicate(timeout=30)
        assert child.returncode == 0, said
    assert (tmp_path / "done-1").exists(), "what was begun is finished"
    assert not (tmp_path / "bill-1").exists(), "only the topic that was named"
    assert "consuming orders as shop-" in said
    assert "stopped: what was begun is finished" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--app", "nowhere:bus"], "there is no module 'nowhere'"),
        (["--app", "json:bus"], "the module json has no 'bus'"),
        (["--app", "json:dumps"], "is a function, not a MessageBus"),
    ],
)
def test_a_bus_that_is_not_there_is_said(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(program, ["consume", *arguments])
    assert done.exit_code != 0
    assert words in done.output


@pytest.mark.process
def test_a_topic_that_no_handler_subscribes_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    command = [sys.executable, "-c", "from qiantang.cli import main; main()", "consume", "--app", "shop:bus", "refunds"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "no handler subscribes to the topic 'refunds'; they do to bills, orders" in done.stderr
