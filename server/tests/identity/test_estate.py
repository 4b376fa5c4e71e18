"""Tenants and what belongs to them: life, lists, and walls between tenants."""

from __future__ import annotations

import pytest

from qiantang.identity import errors as identity_errors
from qiantang.identity import model
from qiantang.kernel import errors, scope
from qiantang_server.kernel import access
from server.tests.identity.estate import ORDERS, ROOT, Estate


async def test_the_estate_lives(any_estate: Estate) -> None:
    life = any_estate.identity.estate
    with pytest.raises(identity_errors.ExistsError):
        await life.create_tenant(ROOT, model.NewTenant(name="acme"))
    changed = await life.change_environment(ROOT, "acme", "prod", model.EnvironmentChange(protected=True))
    assert (changed.protected, changed.title) == (True, "")
    with pytest.raises(identity_errors.NotEmptyError):
        await life.delete_environment(ROOT, "acme", "prod")
    with pytest.raises(identity_errors.NotEmptyError):
        await life.delete_center(ROOT, "acme", "sales")
    owner = await any_estate.user("olga")
    application = await life.change_application(
        ROOT, "acme", "sales", "orders", model.ApplicationChange(owner=owner.id)
    )
    assert application.owner == owner.id
    carl = await any_estate.user("carl", tenant="beta")
    with pytest.raises(errors.InvalidRequestError):
        await life.change_application(ROOT, "acme", "sales", "orders", model.ApplicationChange(owner=carl.id))
    await life.delete_application(ROOT, "acme", "sales", "orders")
    with pytest.raises(errors.NotFoundError):
        await life.read_application("acme", "sales", "orders")
    for missing in (
        life.create_center(ROOT, "nobody", model.NewCenter(name="x")),
        life.create_application(ROOT, "acme", "nothing", model.NewApplication(name="x")),
        life.change_tenant(ROOT, "nobody", model.TenantChange(title="x")),
    ):
        with pytest.raises(errors.NotFoundError):
            await missing


async def test_lists_page_in_order_and_show_what_may_be_seen(any_estate: Estate) -> None:
    life = any_estate.identity.estate
    for number in range(7):
        await life.create_center(ROOT, "acme", model.NewCenter(name=f"center-{number}"))
    seen: list[str] = []
    after = ""
    while True:
        page = await life.list_centers(ROOT, "acme", after, 3)
        seen += [center.name for center in page.items]
        after = page.next
        if not after:
            break
    assert seen == [*(f"center-{number}" for number in range(7)), "sales"]
    await any_estate.user("ann", ("developer", "acme/dev/sales/orders"))
    ann = await any_estate.sign_in("ann")
    assert [one.name for one in (await life.list_tenants(ann)).items] == ["acme"]
    assert [one.name for one in (await life.list_environments(ann, "acme")).items] == ["dev"]
    assert [one.name for one in (await life.list_centers(ann, "acme")).items] == ["sales"]
    assert [one.name for one in (await life.list_applications(ann, "acme", "sales")).items] == ["orders"]
    for empty in (await life.list_environments(ann, "beta"), await life.list_applications(ann, "beta", "sales")):
        assert empty.items == []


@pytest.mark.parametrize("name", ["servers", "search"])
async def test_a_name_that_means_something_else_is_no_tenants(estate: Estate, name: str) -> None:
    with pytest.raises(errors.InvalidRequestError, match="cannot be a tenant"):
        await estate.identity.estate.create_tenant(ROOT, model.NewTenant(name=name))


async def test_people_and_grants_of_another_tenant_are_not_seen(any_estate: Estate) -> None:
    estate = any_estate
    await estate.user("boss", ("tenant-admin", "acme"))
    carl = await estate.user("carl", ("tenant-admin", "beta"), tenant="beta")
    await estate.user("root1", ("platform-admin", "*"), tenant="")
    boss = await estate.sign_in("boss")
    people, grants = estate.identity.people, estate.identity.granting
    assert {user.name for user in (await people.list_users(boss)).items} == {"boss"}
    assert (await people.list_users(boss, "beta")).items == []
    assert {one.user_name for one in (await grants.list_grants(boss)).items} == {"boss"}
    for call in (
        people.read_user("acme", carl.id),
        people.change_user(boss, "acme", carl.id, model.UserChange(title="x")),
        people.delete_user(boss, "acme", carl.id),
    ):
        with pytest.raises(errors.NotFoundError):
            await call
    foreign = next(one.id for one in (await grants.list_grants(ROOT, "beta")).items)
    with pytest.raises(errors.NotFoundError) as hidden:
        await grants.take_back(boss, foreign)
    with pytest.raises(errors.NotFoundError) as absent:
        await grants.take_back(boss, "0" * 32)
    assert hidden.value.detail.replace(foreign, "") == absent.value.detail.replace("0" * 32, "")
    assert {user.name for user in (await people.list_users(ROOT)).items} == {"boss", "carl", "root1"}


async def test_the_directory_answers_the_kernel(any_estate: Estate) -> None:
    identity = any_estate.identity
    await identity.estate.change_environment(ROOT, "acme", "prod", model.EnvironmentChange(protected=True))
    await identity.estate.delete_application(ROOT, "acme", "sales", "stock")
    async with identity.ground.database.reading() as session:
        await identity.require_application(session, ORDERS)
        assert not await identity.needs_approval(session, ORDERS)
        assert await identity.needs_approval(session, scope.Scope.parse("acme/prod/sales/orders"))
        with pytest.raises(errors.GoneError):
            await identity.require_application(session, scope.Scope.parse("acme/dev/sales/stock"))
        for unknown in ("acme/nowhere/sales/orders", "acme/dev/sales/nothing", "nobody/dev/sales/orders"):
            with pytest.raises(errors.NotFoundError):
                await identity.require_application(session, scope.Scope.parse(unknown))


async def test_the_directory_knows_what_a_user_may_now(any_estate: Estate) -> None:
    identity = any_estate.identity
    ada = await any_estate.user("ada", ("publisher", "acme/dev/sales/orders"))

    async def may(permission: str = "config.namespace:publish", place: scope.Scope = ORDERS) -> bool:
        async with identity.ground.database.reading() as session:
            return await identity.may(session, ada.id, permission, place)

    assert await may()
    assert not await may("config.namespace:update")
    assert not await may(place=scope.Scope.parse("acme/prod/sales/orders"))
    await identity.people.change_user(ROOT, "acme", ada.id, model.UserChange(disabled=True))
    assert not await may()
    await identity.people.change_user(ROOT, "acme", ada.id, model.UserChange(disabled=False))
    assert await may()
    await identity.people.delete_user(ROOT, "acme", ada.id)
    assert not await may()


async def test_bootstrapping_twice_changes_nothing(any_estate: Estate) -> None:
    bootstrap = any_estate.identity.bootstrap
    place = scope.Scope.parse("demo/local/shop/storefront")
    await bootstrap.ensure_application(place, "Storefront")
    first = await bootstrap.ensure_credential(place, "demo")
    await bootstrap.ensure_application(place, "Storefront")
    again = await bootstrap.ensure_credential(place, "demo", (first.id, first.secret))
    assert (again.id, again.secret) == (first.id, first.secret)
    principal = await any_estate.who(await any_estate.bearer(again))
    assert principal.scope == place
    lost = await bootstrap.ensure_credential(place, "demo", (first.id, "another secret"))
    assert lost.id != first.id
    active = [one.id for one in await any_estate.identity.credentials.list_credentials(place) if one.active]
    assert active == [lost.id]


async def test_grants_end_with_what_they_are_for(estate: Estate) -> None:
    await estate.user("ann", ("developer", "acme/dev"), ("viewer", "acme/*/sales/orders"), ("viewer", "acme/prod"))
    await estate.identity.estate.delete_environment(ROOT, "acme", "dev")
    await estate.identity.estate.delete_application(ROOT, "acme", "sales", "orders")
    left = await estate.identity.granting.list_grants(ROOT, "acme")
    assert [one.pattern for one in left.items] == ["acme/prod/*/*"]
    ann = await estate.sign_in("ann")
    assert ann.grants.patterns("config.namespace:read") == (access.Target("acme", "prod"),)


async def test_text_that_a_database_cannot_hold_is_never_the_servers_fault(any_estate: Estate) -> None:
    for call in (
        any_estate.identity.estate.change_tenant(ROOT, "acme", model.TenantChange(title="a\0b")),
        any_estate.identity.people.read_user("acme", "x\0"),
        any_estate.cookie("ann\0"),
    ):
        try:
            await call
        except errors.QiantangError as error:
            assert error.status < 500, error
