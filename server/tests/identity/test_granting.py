"""Who may give what: nobody more than he has, nowhere but where he has it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiantang.identity import errors as identity_errors
from qiantang.identity import model
from qiantang.kernel import errors
from qiantang_server.identity.rules import granting, roles
from qiantang_server.kernel import access, audit
from server.tests.identity.estate import DECLARED, ORDERS, PASSWORD, ROOT, Estate

ACME = access.Target("acme")


def grant(user: model.User, role: str, pattern: str, **more: int) -> model.NewGrant:
    return model.NewGrant(user=user.id, role=role, pattern=pattern, **more)


async def test_a_tenant_admin_rules_his_tenant_and_nothing_else(any_estate: Estate) -> None:
    estate = any_estate
    await estate.user("boss", ("tenant-admin", "acme"))
    boss = await estate.sign_in("boss")
    ann = await estate.user("ann")
    made = await estate.identity.granting.grant(boss, grant(ann, "developer", "acme/dev"))
    assert (made.pattern, made.granted_by, made.user_name) == ("acme/dev/*/*", "boss", "ann")
    stranger = await estate.user("carl", tenant="beta")
    with pytest.raises(errors.NotFoundError):
        await estate.identity.granting.grant(boss, grant(stranger, "developer", "beta/dev"))
    with pytest.raises(access.NotPermittedError):
        await estate.identity.granting.grant(boss, grant(ann, "platform-admin", "*"))
    with pytest.raises(errors.InvalidRequestError):
        await estate.identity.granting.grant(boss, grant(stranger, "developer", "acme/dev"))


async def test_an_app_owner_gives_away_his_application_alone(estate: Estate) -> None:
    await estate.user("olga", ("app-owner", "acme/*/sales/orders"))
    olga, ann = await estate.sign_in("olga"), await estate.user("ann")
    await estate.identity.granting.grant(olga, grant(ann, "publisher", "acme/dev/sales/orders"))
    for pattern in ("acme/dev/sales/stock", "acme/dev", "acme"):
        with pytest.raises(access.NotPermittedError):
            await estate.identity.granting.grant(olga, grant(ann, "viewer", pattern))
    with pytest.raises(identity_errors.BeyondOwnRightsError) as caught:
        await estate.identity.granting.grant(olga, grant(ann, "auditor", "acme/*/sales/orders"))
    assert caught.value.facts["missing"] == ["audit.chain:execute", "audit.record:list"]


held = st.lists(
    st.tuples(
        st.sampled_from(sorted(roles.BUILT_IN)),
        st.sampled_from(["*", "acme", "acme/dev", "acme/*/sales", "acme/dev/sales/orders"]),
    ),
    max_size=3,
)


@given(held, st.sampled_from(sorted(roles.BUILT_IN)), st.sampled_from(["acme", "acme/dev", "acme/dev/sales/orders"]))
@settings(max_examples=200, deadline=None)
def test_what_may_be_given_adds_nothing_to_what_is_held(own: list[tuple[str, str]], role: str, pattern: str) -> None:
    grants = [access.Grant(roles.BUILT_IN[name].permissions, access.Target.parse(where)) for name, where in own]
    giver = access.Principal(kind="user", id="u", name="u", grants=access.CompiledGrants(grants, DECLARED))
    target = access.Target.parse(pattern)
    wanted = DECLARED.expand(roles.BUILT_IN[role].permissions)
    try:
        granting.require_held(giver, wanted, target, role)
    except identity_errors.BeyondOwnRightsError:
        assert any(not giver.allows(name, target) for name in wanted)
        return
    gained = access.CompiledGrants([access.Grant(tuple(wanted), target)], DECLARED)
    for name in DECLARED:
        for place in (access.PLATFORM, ACME, access.Target.of(ORDERS), access.Target("acme", "prod")):
            assert giver.allows(name, place) or not gained.allows(name, place)


async def test_grants_begin_and_end(any_estate: Estate) -> None:
    estate = any_estate
    ann = await estate.user("ann")
    cookie = await estate.cookie("ann")
    now = estate.clock()
    new = grant(ann, "developer", "acme/dev", not_before=now + 60_000, expires=now + 120_000)
    await estate.identity.granting.grant(ROOT, new)

    async def allowed() -> bool:
        principal = await estate.identity.authenticate(access.Presented(cookie=cookie))
        return principal.allows("config.namespace:update", access.Target.of(ORDERS))

    assert not await allowed()
    estate.clock.pass_(seconds=60)
    assert await allowed()
    estate.clock.pass_(seconds=60)
    assert not await allowed()
    with pytest.raises(errors.InvalidRequestError):
        await estate.identity.granting.grant(ROOT, grant(ann, "viewer", "acme", expires=now))


@pytest.mark.parametrize(
    "pattern", ["acme/nowhere", "acme/dev/nowhere", "acme/dev/sales/nothing", "acme/*/*/orders", "nobody", "*/dev"]
)
async def test_a_misspelt_place_is_refused(estate: Estate, pattern: str) -> None:
    ann = await estate.user("ann")
    platform = await estate.user("root2", tenant="")
    for user in (ann, platform):
        with pytest.raises(errors.InvalidRequestError):
            await estate.identity.granting.grant(ROOT, grant(user, "viewer", pattern))


async def test_roles_of_a_tenant_live_and_change_rights_at_once(any_estate: Estate) -> None:
    estate = any_estate
    await estate.user("boss", ("tenant-admin", "acme"))
    boss = await estate.sign_in("boss")
    roles_of = estate.identity.granting
    await roles_of.create_role(boss, "acme", model.NewRole(name="reader", permissions=["config.*:read"]))
    with pytest.raises(identity_errors.ExistsError):
        await roles_of.create_role(boss, "acme", model.NewRole(name="viewer", permissions=["config.*:read"]))
    with pytest.raises(errors.InvalidRequestError):
        await roles_of.create_role(boss, "acme", model.NewRole(name="odd", permissions=["config.*:fly"]))
    ann = await estate.user("ann", ("reader", "acme/dev"))
    bearer = await estate.cookie("ann")

    async def may(permission: str) -> bool:
        principal = await estate.identity.authenticate(access.Presented(cookie=bearer))
        return principal.allows(permission, access.Target.of(ORDERS))

    assert await may("config.namespace:read")
    assert not await may("config.namespace:update")
    await roles_of.change_role(boss, "acme", "reader", model.RoleChange(permissions=["config.*:update"]))
    assert await may("config.namespace:update")
    assert not await may("config.namespace:read")
    with pytest.raises(identity_errors.NotEmptyError):
        await roles_of.delete_role(boss, "acme", "reader")
    page = await roles_of.list_grants(boss, "acme")
    await roles_of.take_back(boss, next(one.id for one in page.items if one.user == ann.id))
    await roles_of.delete_role(boss, "acme", "reader")
    assert [role.name for role in await roles_of.list_roles("acme") if role.tenant] == []


async def test_nobody_widens_a_role_beyond_himself(estate: Estate) -> None:
    await estate.identity.granting.create_role(
        ROOT, "acme", model.NewRole(name="roler", permissions=["identity.role:*", "identity.grant:*"])
    )
    await estate.user("rita", ("roler", "acme"))
    rita = await estate.sign_in("rita")
    widen = model.RoleChange(permissions=["identity.*:*"])
    with pytest.raises(identity_errors.BeyondOwnRightsError):
        await estate.identity.granting.change_role(rita, "acme", "roler", widen)
    with pytest.raises(identity_errors.BeyondOwnRightsError):
        await estate.identity.granting.create_role(rita, "acme", model.NewRole(name="all", permissions=["*:*"]))


async def test_nobody_takes_over_somebody_who_holds_more(estate: Estate) -> None:
    await estate.identity.granting.create_role(
        ROOT, "acme", model.NewRole(name="helpdesk", permissions=["identity.user:*"])
    )
    await estate.user("hal", ("helpdesk", "acme"))
    hal = await estate.sign_in("hal")
    boss, ann = await estate.user("boss", ("tenant-admin", "acme")), await estate.user("ann")
    change = model.UserChange(password="a brand new secret")
    with pytest.raises(identity_errors.BeyondOwnRightsError):
        await estate.identity.people.change_user(hal, "acme", boss.id, change)
    with pytest.raises(identity_errors.BeyondOwnRightsError):
        await estate.identity.people.delete_user(hal, "acme", boss.id)
    await estate.identity.people.change_user(hal, "acme", ann.id, change)
    assert await estate.cookie("ann", password="a brand new secret")


async def test_the_last_administrator_stays(any_estate: Estate) -> None:
    estate = any_estate
    people = estate.identity.people
    one = await estate.user("one", ("platform-admin", "*"), tenant="")
    principal = await estate.sign_in("one", tenant="")
    grants = await estate.identity.granting.list_grants(principal)
    own = next(found.id for found in grants.items if found.user == one.id)
    for forbidden in (
        people.delete_user(principal, "", one.id),
        people.change_user(principal, "", one.id, model.UserChange(disabled=True)),
        estate.identity.granting.take_back(principal, own),
    ):
        with pytest.raises(identity_errors.LastAdminError):
            await forbidden
    await estate.user("two", ("platform-admin", "*"), tenant="")
    await estate.identity.granting.take_back(principal, own)
    assert not (await estate.sign_in("one", tenant="")).allows("identity.tenant:create", access.PLATFORM)


def test_built_in_roles_keep_secrets_apart() -> None:
    can_reveal = {
        name for name, role in roles.BUILT_IN.items()
        if {"config.namespace:reveal", "watch.bundle:read"} & DECLARED.expand(role.permissions)
    }  # fmt: skip
    assert can_reveal == {"platform-admin", "tenant-admin", "app-owner"}
    of = {name: DECLARED.expand(role.permissions) for name, role in roles.BUILT_IN.items()}
    assert "config.namespace:publish" not in of["developer"]
    assert "config.namespace:update" not in of["publisher"]
    assert "audit.record:list" in of["auditor"]
    assert {name for name in of if "audit.record:list" in of[name]} == {"platform-admin", "tenant-admin", "auditor"}
    for name in ("viewer", "auditor", "publisher", "developer", "operator"):
        assert not {one for one in of[name] if one.startswith("identity.") and not one.endswith((":read", ":list"))}
    assert roles.APPLICATION == ("watch.bundle:read",)


async def test_rights_are_explained(estate: Estate) -> None:
    ann = await estate.user("ann", ("developer", "acme/dev"))
    question = model.AccessQuestion(permission="config.namespace:update", pattern="acme/prod/sales/orders")
    answer = await estate.identity.people.explain("acme", ann.id, question)
    assert not answer.allowed
    assert answer.misses[0] == "role developer holds it on acme/dev/*/* only"
    with pytest.raises(errors.NotFoundError):
        await estate.identity.people.explain("beta", ann.id, question)


async def test_each_change_is_in_the_trail_with_its_difference(estate: Estate) -> None:
    ann = await estate.user("ann", ("developer", "acme/dev"))
    await estate.identity.people.change_user(
        ROOT, "acme", ann.id, model.UserChange(title="Ann", password="new " + PASSWORD)
    )
    found, _ = await audit.timeline(estate.identity.ground.database, ROOT, audit.Timeline(chain="acme"), limit=3)
    assert [record.action for record in found] == [
        "identity.user:update",
        "identity.grant:grant",
        "identity.user:create",
    ]
    assert found[0].changes == [{"path": "title", "before": "", "after": "Ann"}]
    assert found[0].reason == "password set"
    assert PASSWORD not in str(found)
    assert (await audit.verify(estate.identity.ground.database, "acme")).intact
