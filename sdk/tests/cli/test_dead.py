"""`qiantang dead`: lists, shows, sends again and deletes what an application's bus could not handle, with codes for scripts."""

from __future__ import annotations

import asyncio
import json
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from qiantang.cli.program import program
from qiantang.messaging import MessageBus
from qiantang.messaging.adapters.sql import parking
from qiantang.messaging.model import DeadLetter, Resource

APP = textwrap.dedent(
    """
    from qiantang.kernel.scope import Scope
    from qiantang.messaging import Cluster, Estate, MessageBus, Resource, RetryPolicy, Store, Topic
    from qiantang.messaging.model import DeadLetterSettings

    estate = Estate(
        clusters=[Cluster(name="main", adapter="sql", resources=[Resource(name="one", url="sqlite:///messages.sqlite3")])],
        topics=[Topic(name="orders", clusters=["main"], queues=1)],
        store=Store(url="sqlite:///store.sqlite3"),
        dead_letters=DeadLetterSettings(),
    )
    place = Scope(tenant="demo", environment="dev", center="trade", application="shop")
    bus = MessageBus(estate, place)
    handled = []


    def serve() -> MessageBus:
        made = MessageBus(estate, place)

        @made.subscribe("orders", group="billing", concurrency=1, retry=RetryPolicy(attempts=1))
        async def bill(body: dict[str, int]) -> None:
            if body["n"] < 0:
                raise ValueError(f"cannot bill {body['n']}")
            handled.append(body)

        return made
    """
)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The application, in whose store are four letters of one cause."""
    (tmp_path / "dead_shop.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QIANTANG_APP", "dead_shop:bus")
    monkeypatch.syspath_prepend(tmp_path)  # pyright: ignore[reportUnknownMemberType]
    import dead_shop  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    asyncio.run(fill(dead_shop))
    yield dead_shop
    del sys.modules["dead_shop"]


async def fill(shop: Any) -> None:
    async with shop.serve() as bus:
        await joined(bus)
        for number in range(1, 5):
            await bus.send("orders", {"n": -number}, id=f"order-{number}", key="k", headers={"h": "v"})
        while len(await bus.dead_letters()) < 4:
            await asyncio.sleep(0.02)


async def joined(bus: MessageBus) -> None:
    while not all(one.joined for one in bus.consumers("orders", "billing")):
        await asyncio.sleep(0.01)


def run(shop: Any, *arguments: str, input: str | None = None) -> Result:
    """Run the command as a process would: with a bus of its own."""
    shop.bus = MessageBus(shop.estate, shop.place)
    return CliRunner().invoke(program, ["dead", *arguments], input=input)


def read(done: Result) -> Any:
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_letters_are_listed_shown_edited_sent_again_and_deleted(shop: Any) -> None:
    letters = read(run(shop, "list", "--group", "billing", "-o", "json"))
    assert [one["id"] for one in letters] == ["order-4", "order-3", "order-2", "order-1"]
    numbers = [str(one["number"]) for one in letters]
    assert len(read(run(shop, "list", "--before", numbers[1], "--count", "1", "-o", "json"))) == 1
    table = run(shop, "list", "--words", "BILL -3").stdout.splitlines()
    assert len(table) == 2
    assert "ValueError: cannot bill -3" in table[1]

    (cause,) = read(run(shop, "causes", "-o", "json"))
    assert (cause["count"], cause["group"], cause["newest"]) == (4, "billing", letters[0]["number"])

    shown = read(run(shop, "show", numbers[0], "-o", "json"))
    assert (shown["body"], shown["headers"], shown["letter"]["attempts"]) == ({"n": -4}, {"h": "v"}, 1)
    assert "in bill" in run(shop, "show", numbers[0]).stdout

    (edited,) = read(
        run(shop, "resend", numbers[0], "--body", "-", "--tag", "new", "--by", "li", "-o", "json", input='{"n": 4}')
    )
    assert edited == {"number": int(numbers[0]), "outcome": "done", "detail": ""}
    (deleted,) = read(run(shop, "delete", numbers[1], "--yes", "--by", "li", "--reason", "no use", "-o", "json"))
    assert deleted["outcome"] == "done"
    assert len(read(run(shop, "resend", "--cause", cause["fingerprint"], "--by", "wang", "-o", "json"))) == 2
    assert run(shop, "list").stdout == ""

    history = read(run(shop, "history", "-o", "json"))
    assert [(one["what"], one["by"], one["reason"]) for one in history[2:]] == [
        ("deleted", "li", "no use"),
        ("resent", "li", ""),
    ]
    assert history[-1]["changed"] == ["body", "tag"]
    assert asyncio.run(handled(shop)) == [{"n": 4}], "what was not edited dies again, and is collected again"


async def handled(shop: Any) -> list[Any]:
    ends = time.monotonic() + 30
    async with shop.serve() as bus:
        await joined(bus)
        while len(await bus.dead_letters()) < 2 or not shop.handled:
            assert time.monotonic() < ends
            await asyncio.sleep(0.02)
    return shop.handled


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["show", "999"], 3, "there is no dead letter 999"),
        (["resend", "999"], 3, "there is no dead letter 999"),
        (["delete", "999", "--yes"], 3, "there is no dead letter 999"),
        (["delete", "1"], 2, "nobody can be asked"),
        (["delete", "--yes"], 2, "which ones?"),
        (["resend"], 2, "which ones?"),
        (["resend", "1", "2", "--key", "k"], 2, "only one message can be edited"),
        (["resend", "1", "--body", "-"], 2, "is no JSON"),
        (["list", "--app", "json:dumps"], 2, "is a function, not a MessageBus"),
    ],
)
def test_what_fails_is_said_with_its_code(shop: Any, arguments: list[str], code: int, words: str) -> None:
    done = run(shop, *arguments, input="{")
    assert done.exit_code == code, done.output
    assert words in done.output


def test_one_that_somebody_else_has_is_a_conflict(shop: Any) -> None:
    async def claim() -> int:
        bus = MessageBus(shop.estate, shop.place)
        await bus.open(receive=False)
        (letter, *_) = await bus.dead_letters()
        store = bus._ground.store
        assert store is not None
        await store.dead.claim(letter.number, "somebody", 30)
        await bus.close()
        return letter.number

    done = run(shop, "resend", str(asyncio.run(claim())), "-o", "json")
    assert done.exit_code == 5, done.output
    assert json.loads(done.stdout)[0]["outcome"] == "messaging.dead_letter_busy"


async def keep(letter: DeadLetter) -> None:
    store = parking.make(Resource(name="store", url="sqlite:///store.sqlite3"))
    await store.open()
    await store.dead.keep([letter], 1000, 1000)
    await store.close()


def test_one_whose_message_is_not_in_the_store_says_so(shop: Any) -> None:
    aside = DeadLetter(topic="orders", group="billing", id="aside", error="its message lies in dead.mf-dead", queue="0")
    asyncio.run(keep(aside))
    (number,) = [one["number"] for one in read(run(shop, "list", "-o", "json")) if one["id"] == "aside"]
    shown = read(run(shop, "show", f"{number}", "-o", "json"))
    assert (shown["body"], shown["unread"]) == ("", "its message is not in the store: the error says where it is")
    (outcome,) = json.loads(run(shop, "resend", f"{number}", "--by", "li", "-o", "json").stdout)
    assert "lies in dead.mf-dead" in outcome["detail"]
