"""What somebody finds by typing: the very name first, nothing that he may not see."""

from __future__ import annotations

import pytest

from qiantang.identity import model
from qiantang.kernel import errors
from qiantang.kernel.release import Hit
from server.tests.identity.estate import ROOT, Estate


async def test_the_very_name_comes_before_what_begins_so_and_what_holds_it(any_estate: Estate) -> None:
    life = any_estate.identity.estate
    for name, title in (("a-order", ""), ("order", ""), ("order-b", ""), ("pay", "after the Order")):
        await life.create_application(ROOT, "acme", "sales", model.NewApplication(name=name, title=title))
    finding = any_estate.identity.finding
    found = await finding.applications(ROOT, "acme", "ORDER", 10)
    assert [one.name for one in found] == ["order", "order-b", "orders", "a-order", "pay"]
    assert [one.name for one in await finding.applications(ROOT, "acme", "order", 2)] == ["order", "order-b"]
    assert found[-1] == Hit(
        type="application",
        title="after the Order",
        detail="sales/pay",
        tenant="acme",
        center="sales",
        application="pay",
        name="pay",
    )
    assert [one.name for one in await finding.environments(ROOT, "acme", "RO", 10)] == ["prod"]
    ann = await any_estate.user("anna")
    assert await finding.users(ROOT, "acme", "nn", 10) == [
        Hit(type="user", title="anna", detail="anna", tenant="acme", name=ann.id)
    ]


async def test_a_credential_is_found_by_its_whole_id(any_estate: Estate) -> None:
    issued = await any_estate.credential()
    finding = any_estate.identity.finding
    (found,) = await finding.credentials(ROOT, "acme", f" {issued.id} ", 10)
    assert (found.type, found.name, found.environment, found.application) == ("credential", issued.id, "dev", "orders")
    assert issued.secret not in repr(found)
    for words in (issued.id[:-1], "qtc-", "qtc-%", "", "orders"):
        assert await finding.credentials(ROOT, "acme", words, 10) == []
    assert await finding.credentials(ROOT, "beta", issued.id, 10) == []


async def test_nobody_finds_what_he_may_not_see(any_estate: Estate) -> None:
    issued = await any_estate.credential()
    await any_estate.user("boss", ("tenant-admin", "beta"), tenant="beta")
    await any_estate.user("dev", ("viewer", "acme/dev/sales/stock"))
    stranger, viewer = await any_estate.sign_in("boss", tenant="beta"), await any_estate.sign_in("dev")
    finding = any_estate.identity.finding
    for find, words in (
        (finding.applications, "o"),
        (finding.environments, "d"),
        (finding.users, "d"),
        (finding.credentials, issued.id),
    ):
        assert await find(stranger, "acme", words, 10) == []
    assert [one.name for one in await finding.applications(viewer, "acme", "s", 10)] == ["stock"]
    assert await finding.users(viewer, "acme", "dev", 10) == []
    assert await finding.credentials(viewer, "acme", issued.id, 10) == []


@pytest.mark.parametrize("words", ["%", "_", "\\", "'", '"; --'])
async def test_signs_that_mean_something_to_a_database_find_nothing(any_estate: Estate, words: str) -> None:
    finding = any_estate.identity.finding
    for find in (finding.applications, finding.environments, finding.users, finding.credentials):
        assert await find(ROOT, "acme", words, 10) == []
    with pytest.raises(errors.InvalidRequestError):
        await finding.applications(ROOT, "acme", "a\0", 10)
