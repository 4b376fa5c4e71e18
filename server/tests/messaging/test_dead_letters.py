"""Dead letters in the console: looked at, sent again, deleted, by whoever may, and all of it in the trail and the history."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qiantang.messaging.testing import until
from server.tests.messaging.shop import SCOPE, Shop, open_shop

EXECUTE, REVEAL = "messaging.deadletter:execute", "messaging.deadletter:reveal"
ROUTES = [
    ("GET", "dead-letter-causes"),
    ("GET", "dead-letters"),
    ("GET", "dead-letters/1"),
    ("GET", "dead-letters/1/message"),
    ("POST", "dead-letters/1/resend"),
    ("POST", "dead-letters/resend"),
    ("POST", "dead-letters/delete"),
    ("GET", "dead-letter-history"),
    ("GET", "dead-letter-history/1"),
    ("GET", "dead-letter-history/1/messages"),
]


def command(path: str) -> dict[str, Any]:
    """A body that the route takes."""
    return {"numbers": [1], "reason": "r"} if path.startswith("dead-letters/") and "1" not in path else {}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(tmp_path) as made:
        yield made


async def test_letters_by_their_causes_page_by_page(shop: Shop) -> None:
    async with shop.running() as bus:
        numbers = await shop.died(bus, *({"bad": n} for n in range(5)), key="k", tag="t")
        await shop.publish(shop.bodies())
        (cause,) = (await shop.ask("GET", "dead-letter-causes"))["items"]
        assert (cause["count"], cause["topic"], cause["group"]) == (5, "orders", "billing")
        assert cause["newest"] == numbers[-1]
        assert cause["first"] <= cause["last"]
        seen: list[int] = []
        after = ""
        while True:
            page = await shop.ask("GET", f"dead-letters?limit=2&cause={cause['cause']}&after={after}")
            seen += [one["number"] for one in page["items"]]
            after = page["next"]
            if not after:
                break
        assert seen == sorted(numbers, reverse=True)
        (found,) = (await shop.ask("GET", "dead-letters?words=CANNOT+BILL+%7B%27bad%27:+3"))["items"]
        assert (found["key"], found["tag"], found["application"], found["attempts"]) == ("k", "t", "order", 1)
        assert (await shop.ask("GET", "dead-letters?group=shipping"))["items"] == []
        assert (await shop.ask("GET", "dead-letters?topic=none"))["items"] == []
        whole = await shop.ask("GET", f"dead-letters/{found['number']}")
        assert "in bill" in whole["stack"]
        assert "body" not in whole


async def test_a_message_is_shown_as_what_it_is(shop: Shop) -> None:
    async with shop.running() as bus:
        big = 12345678901234567
        (number,) = await shop.died(bus, {"bad": big}, headers={"h": "v", "b": b"\xff"})
        (raw,) = await shop.died(bus, b"bad", topic="raw")
        await shop.publish(shop.bodies())
        shown = await shop.ask("GET", f"dead-letters/{number}/message")
        assert (shown["format"], json.loads(shown["body"])) == ("json", {"bad": big})
        assert str(big) in shown["body"]
        assert shown["headers"] == {"h": "v", "b": base64.b64encode(b"\xff").decode()}
        assert (shown["binary"], shown["whole"], shown["exact"], shown["unread"]) == (["b"], True, True, "")
        text = await shop.ask("GET", f"dead-letters/{raw}/message")
        assert (text["format"], text["body"], text["exact"]) == ("text", "bad", True)
        (row, *_) = await shop.trail(REVEAL)
        assert row["resource"] == f"messaging/dead-letters/{raw}"
        assert "bad" not in str(row)


async def test_a_letter_that_is_edited_is_handled_by_its_group_alone(shop: Shop) -> None:
    async with shop.running() as bus:
        (number,) = await shop.died(bus, {"bad": 1}, headers={"h": "v"}, key="k")
        await until(lambda: len(shop.shipped.bodies) == 1)
        await shop.publish(shop.bodies())
        edit = {
            "reason": "a slip",
            "body": {"format": "json", "text": '{"good": 1}'},
            "headers": {"values": {"h": "w", "b": "/w=="}, "binary": ["b"]},
            "tag": "mended",
        }
        sent = await shop.ask("POST", f"dead-letters/{number}/resend", edit)
        assert sent["outcome"] == "accepted"
        await until(lambda: len(shop.billed.bodies) == 1)
        body, context = shop.billed.bodies[0], shop.billed.contexts[0]
        assert (body, context.tag, context.key) == ({"good": 1}, "mended", "k")
        assert context.headers == {"h": "w", "b": b"\xff"}
        assert (await shop.ask("GET", "dead-letters"))["items"] == []
        assert len(shop.shipped.bodies) == 1
        (action,) = (await shop.ask("GET", "dead-letter-history"))["items"]
        assert (action["what"], action["by"], action["reason"]) == ("resent", "chief", "a slip")
        assert action["changed"] == ["body", "headers", "tag"]
        assert action["letter"]["number"] == number
        assert "in bill" in (await shop.ask("GET", f"dead-letter-history/{action['number']}"))["stack"]
        both = await shop.ask("GET", f"dead-letter-history/{action['number']}/messages")
        assert (json.loads(both["died"]["body"]), json.loads(both["sent"]["body"])) == ({"bad": 1}, {"good": 1})
        (row, *_) = await shop.trail(EXECUTE)
        assert (row["outcome"], row["reason"], row["actor_name"]) == ("allow", "a slip", "chief")
        assert row["changes"] == [{"what": "resent", "numbers": [number], "changed": ["body", "headers", "tag"]}]
        assert "good" not in str(row)
        gone = await shop.answer("POST", f"dead-letters/{number}/resend", {})
        assert (gone.status_code, gone.json()["code"]) == (404, "messaging.dead_letter_gone")


async def test_text_of_a_topic_of_bytes_is_sent_as_bytes(shop: Shop) -> None:
    async with shop.running() as bus:
        (number,) = await shop.died(bus, b"bad", topic="raw")
        await shop.publish(shop.bodies())
        await shop.ask("POST", f"dead-letters/{number}/resend", {"body": {"format": "text", "text": "good"}})
        await until(lambda: len(shop.billed.bodies) == 1)
        assert shop.billed.bodies[0] == b"good"


async def test_several_at_once_and_what_became_of_each(shop: Shop) -> None:
    async with shop.running() as bus:
        one, other, third = await shop.died(bus, {"bad": 1}, {"bad": 2}, {"bad": 3})
        await shop.publish(shop.bodies())
        outcomes = await shop.ask("POST", "dead-letters/resend", {"numbers": [one, 999, other], "reason": "again"})
        assert [(each["number"], each["done"], each["code"]) for each in outcomes] == [
            (one, True, ""),
            (999, False, "messaging.dead_letter_gone"),
            (other, True, ""),
        ]
        (deleted,) = await shop.ask("POST", "dead-letters/delete", {"numbers": [third], "reason": "of no use"})
        assert deleted == {"number": third, "done": True, "code": "", "detail": ""}
        actions = (await shop.ask("GET", "dead-letter-history"))["items"]
        assert {(each["letter"]["number"], each["what"]) for each in actions} == {
            (one, "resent"),
            (other, "resent"),
            (third, "deleted"),
        }
        away = await shop.ask("GET", f"dead-letter-history/{actions[0]['number']}/messages")
        assert away["sent"] is None
        rows = await shop.trail(EXECUTE)
        assert [(row["outcome"], row["changes"][0]["numbers"]) for row in rows] == [
            ("allow", [third]),
            ("error", [999]),
            ("allow", [one, 999, other]),
        ]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("dead-letters/delete", {"numbers": [1], "reason": ""}, 422),
        ("dead-letters/delete", {"numbers": [], "reason": "r"}, 422),
        ("dead-letters/resend", {"numbers": list(range(1, 102))}, 422),
        ("dead-letters/resend", {"numbers": [2**60]}, 422),
        ("dead-letters/1/resend", {"by": "somebody"}, 422),
        ("dead-letters/1/resend", {"body": {"format": "json", "text": "{"}}, 422),
        ("dead-letters/1/resend", {"body": {"format": "base64", "text": "?"}}, 422),
        ("dead-letters/1/resend", {"headers": {"values": {"mf-for": "x"}}}, 422),
        ("dead-letters/1/resend", {"headers": {"values": {"b": "?"}, "binary": ["b"]}}, 422),
        (f"dead-letters/{2**70}/resend", {}, 404),
    ],
)
async def test_what_is_wrong_is_refused_and_nothing_is_done(shop: Shop, path: str, body: Any, status: int) -> None:
    async with shop.running() as bus:
        assert await shop.died(bus, {"bad": 1}) == [1]
        await shop.publish(shop.bodies())
        answer = await shop.answer("POST", path, body)
        assert answer.status_code == status, answer.text
        assert [one["number"] for one in (await shop.ask("GET", "dead-letters"))["items"]] == [1]
        assert (await shop.ask("GET", "dead-letter-history"))["items"] == []


@pytest.mark.parametrize("query", ["after=x", "after=-1", f"after={2**60}", "words=%00", "limit=0", "limit=201"])
async def test_a_list_that_nobody_could_ask_for_is_refused(shop: Shop, query: str) -> None:
    await shop.publish(shop.bodies())
    for path in ("dead-letter-causes", "dead-letters", "dead-letter-history"):
        assert (await shop.answer("GET", f"{path}?{query}")).status_code == 422


async def test_each_may_what_his_role_says(shop: Shop) -> None:
    people = {
        role: await shop.plane.person(role, role, SCOPE, tenant="acme")
        for role in ("viewer", "operator", "developer", "app-owner")
    }
    async with shop.running() as bus:
        await shop.died(bus, {"bad": 1}, {"bad": 2}, {"bad": 3})
        await shop.publish(shop.bodies())
        edit = {"body": {"format": "json", "text": "1"}}

        async def told(role: str, method: str, path: str, body: Any = None) -> tuple[int, str]:
            answer = await shop.answer(method, path, body, who=people[role])
            said = answer.json()
            facts: dict[str, str] = said.get("facts", {}) if isinstance(said, dict) else {}
            return answer.status_code, facts.get("permission", "")

        for role in people:
            assert (await told(role, "GET", "dead-letters"))[0] == 200
        for role in ("viewer", "operator", "developer"):
            assert await told(role, "GET", "dead-letters/1/message") == (403, REVEAL)
            assert await told(role, "GET", "dead-letter-history/1/messages") == (403, REVEAL)
        for role in ("viewer", "developer"):
            assert await told(role, "POST", "dead-letters/1/resend", {}) == (403, EXECUTE)
            assert await told(role, "POST", "dead-letters/delete", {"numbers": [1], "reason": "r"}) == (403, EXECUTE)
        assert await told("operator", "POST", "dead-letters/1/resend", edit) == (403, "messaging.deadletter:update")
        assert await told("operator", "POST", "dead-letters/1/resend", {}) == (200, "")
        assert await told("app-owner", "POST", "dead-letters/2/resend", edit) == (200, "")
        assert await told("app-owner", "GET", "dead-letters/3/message") == (200, "")
        actions = (await shop.ask("GET", "dead-letter-history"))["items"]
        assert [one["by"] for one in actions] == ["app-owner", "operator"]


async def test_another_tenants_dead_letters_are_not_there(shop: Shop) -> None:
    stranger = await shop.plane.person("eve", "tenant-admin", "globex", tenant="globex")
    async with shop.running() as bus:
        await shop.died(bus, {"bad": 1})
        await shop.publish(shop.bodies())
        for method, path in ROUTES:
            body = command(path) if method == "POST" else None
            answer = await shop.answer(method, path, body, who=stranger)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
            own = await shop.answer(method, f"/api/v1/messaging/globex/dev/trade/order/{path}", body, who=stranger)
            assert (own.status_code, own.json()["code"]) == (409, "messaging.no_dead_letter_store"), path
        assert len(await bus.dead_letters()) == 1


async def test_an_application_without_a_store_is_told_what_to_publish(shop: Shop) -> None:
    bodies = shop.bodies()
    del bodies["policies/default"]
    for publish in (False, True):
        if publish:
            await shop.publish(bodies)
        answer = await shop.answer("GET", "dead-letters")
        assert (answer.status_code, answer.json()["code"]) == (409, "messaging.no_dead_letter_store")
        assert "policy" in answer.json()["detail"]


async def test_a_store_that_is_away_is_told_and_nothing_of_its_address(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    secret = {"$secret": {"value": "postgresql://app:hunter2@127.0.0.1:9/none"}}
    await shop.publish(shop.bodies(**{"policies/default": {"store": {"url": secret}, "dead_letters": {}}}))
    answer = await shop.answer("GET", "dead-letters")
    assert (answer.status_code, answer.json()["code"]) == (503, "messaging.dead_letters_away")
    assert "ConnectionRefusedError" in answer.json()["detail"]
    for told in ("hunter2", "127.0.0.1", "app:"):
        assert told not in answer.text
        assert "hunter2" not in caplog.text


async def test_what_was_not_done_is_in_the_trail_as_well(shop: Shop) -> None:
    async with shop.running() as bus:
        await shop.died(bus, {"bad": 1})
        cluster = {
            "adapter": "rabbitmq",
            "resources": [{"name": "one", "url": {"$secret": {"value": "amqp://a:hunter2@127.0.0.1:9"}}}],
        }
        await shop.publish(shop.bodies(**{"clusters/main": cluster}))
        answer = await shop.answer("POST", "dead-letters/1/resend", {"reason": "try"})
        assert (answer.status_code, answer.json()["code"]) == (503, "messaging.dead_letters_away")
        assert "hunter2" not in answer.text
        outcomes = await shop.ask("POST", "dead-letters/resend", {"numbers": [1], "reason": "try all"})
        assert outcomes[0]["code"] == "messaging.dead_letters_away"
        assert "127.0.0.1" not in str(outcomes)
        *_, failed, asked = await shop.trail(EXECUTE)
        assert (asked["outcome"], failed["outcome"]) == ("allow", "error")
        assert failed["reason"] == "messaging.broker_away"
        assert len(await bus.dead_letters()) == 1


async def test_a_letter_of_a_broker_in_memory_stays(shop: Shop) -> None:
    async with shop.running() as bus:
        await shop.died(bus, {"bad": 1})
        cluster = {"adapter": "memory", "resources": [{"name": "one", "url": "memory://x"}]}
        await shop.publish(shop.bodies(**{"clusters/main": cluster}))
        answer = await shop.answer("POST", "dead-letters/1/resend", {})
        assert (answer.status_code, answer.json()["code"]) == (409, "messaging.not_reachable")
        assert "memory of a process" in answer.json()["detail"]
        (outcome,) = await shop.ask("POST", "dead-letters/resend", {"numbers": [1]})
        assert (outcome["done"], outcome["code"]) == (False, "messaging.not_reachable")
        assert len(await bus.dead_letters()) == 1


async def test_a_store_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    async def listens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side has given it up
        writer.close()

    silent = await asyncio.start_server(listens, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with open_shop(tmp_path, {"QIANTANG_MESSAGING_ANSWER_WITHIN": "1s"}) as shop:
        url = {"$secret": {"value": f"postgresql://app:pw@127.0.0.1:{port}/none"}}
        await shop.publish(shop.bodies(**{"policies/default": {"store": {"url": url}, "dead_letters": {}}}))
        answer = await shop.answer("GET", "dead-letters")
        assert (answer.status_code, answer.json()["code"]) == (503, "messaging.dead_letters_away")
        answer = await shop.answer("POST", "dead-letters/delete", {"numbers": [1], "reason": "r"})
        assert (answer.status_code, answer.json()["code"]) == (504, "messaging.outcome_unknown")
    silent.close()
    await silent.wait_closed()
