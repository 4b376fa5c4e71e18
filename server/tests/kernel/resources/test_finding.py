"""What is found by what somebody types: resources by name, values, pasted requests; nothing of what may not be seen."""

from __future__ import annotations

import pytest

from qiantang.kernel import release
from qiantang_server.kernel import access
from qiantang_server.kernel.resources.finding import Finding
from server.tests.kernel.resources.notes import BUNDLE, EVERYONE, Life, user

ADA = user("ada")


def reader(pattern: str) -> access.Principal:
    grants = access.CompiledGrants([access.Grant(("test.note:read",), access.Target.parse(pattern))], EVERYONE)
    return access.Principal(kind="user", id="r", name="r", tenant="acme", grants=grants)


async def names(life: Life, words: str, who: access.Principal = ADA, limit: int = 8) -> list[str]:
    return sorted(one.name for one in await Finding(life.parts).resources(who, "acme", words, limit))


async def test_a_resource_is_found_by_a_part_of_its_name_from_draft_to_removal(life: Life) -> None:
    await life.edit(ADA, "pay-limits", "x", password="secret")
    assert await names(life, "LIMIT") == ["pay-limits"]
    await life.publish(ADA, 0)
    await life.edit(ADA, "pay-rates", "y")
    assert await names(life, "pay") == ["pay-limits", "pay-rates"], "each once, drafted or published"
    await life.publish(ADA, 1, gray=release.GrayRule(percent=10))
    assert await names(life, "pay") == ["pay-limits", "pay-rates"], "what runs as a gray release too"
    await life.resources.gray.abort(ADA, BUNDLE, release.GrayEndCommand(expected_revision=2))
    await life.resources.drafts.discard(ADA, BUNDLE, "note", "pay-rates", expected="*")
    assert await names(life, "pay") == ["pay-limits"]
    await life.resources.drafts.remove(ADA, BUNDLE, "note", "pay-limits", expected="*")
    await life.publish(ADA, 3)
    assert await names(life, "pay") == []
    await life.resources.publishing.roll_back(ADA, BUNDLE, release.RollbackCommand(to_revision=1, expected_revision=4))
    assert await names(life, "pay") == ["pay-limits"]


async def test_a_hit_says_where_it_is(life: Life) -> None:
    await life.edit(ADA, "limits", "five")
    await life.publish(ADA, 0)
    (hit,) = await Finding(life.parts).texts(ADA, "acme", "FIV", 8)
    assert (hit.type, hit.kind, hit.name, hit.path, hit.capability) == ("text", "note", "limits", "text", "test")
    assert (hit.tenant, hit.environment, hit.center, hit.application) == ("acme", "dev", "trade", "order")
    assert hit.detail.endswith("five")


async def test_nothing_is_found_that_may_not_be_seen(life: Life) -> None:
    await life.edit(ADA, "limits", "five", password="five-secret")
    await life.publish(ADA, 0)
    found = Finding(life.parts)
    for who, number in ((reader("acme/dev"), 1), (reader("acme/prod"), 0), (reader("other"), 0)):
        assert len(await names(life, "limits", who)) == number
        assert len(await found.texts(who, "acme", "five", 8)) == number
    assert await found.texts(ADA, "other", "five", 8) == []
    assert await found.texts(ADA, "acme", "five-secret", 8) == []


async def test_a_request_is_found_by_its_id_alone(life: Life) -> None:
    life.directory.protected = True
    await life.edit(ADA, "limits", "five")
    asked = (await life.publish(ADA, 0, message="please")).request
    assert asked is not None
    found = Finding(life.parts)
    (hit,) = await found.requests(reader("acme/dev"), "acme", f" {asked.id} ", 8)
    assert (hit.type, hit.name, hit.title) == ("request", asked.id, "please")
    assert await found.requests(reader("acme/prod"), "acme", asked.id, 8) == []
    assert await found.requests(ADA, "acme", asked.id[:-1], 8) == []


@pytest.mark.parametrize("words", ["%", "_", "\\", "/", "'", '"', "🌊", "'; --", "%/_"])
async def test_words_stand_for_themselves(life: Life, words: str) -> None:
    await life.edit(ADA, "plain", "plain")
    await life.publish(ADA, 0)
    found = Finding(life.parts)
    assert await found.texts(ADA, "acme", words, 8) == await found.resources(ADA, "acme", words, 8) == []
    await life.edit(ADA, "odd", f"a{words}b")
    await life.publish(ADA, 1)
    assert [one.name for one in await found.texts(ADA, "acme", words, 8)] == ["odd"]


async def test_hits_are_bounded(life: Life) -> None:
    for number in range(5):
        await life.edit(ADA, f"n{number}", "same")
    await life.publish(ADA, 0)
    assert len(await Finding(life.parts).texts(ADA, "acme", "same", 3)) == 3
    assert len(await names(life, "n", limit=2)) == 2
