"""What a grant would change, told before it does, and by the grants that the guard checks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.identity import model
from qiantang.kernel import errors
from qiantang_server.identity.rules.effects import effect
from qiantang_server.kernel import access
from qiantang_server.kernel.access import CompiledGrants, Grant, Target
from server.tests.identity.estate import DECLARED, ROOT, Clock, Estate

READ, UPDATE, PUBLISH = "config.namespace:read", "config.namespace:update", "config.namespace:publish"
_part = st.sampled_from(["*", "a", "b"])
_pattern = st.builds(Target, st.sampled_from(["*", "t"]), _part, _part, _part)
_lines = st.lists(st.sampled_from([READ, UPDATE, "config.*:*", "*:read", "!*:update"]), min_size=1, max_size=3)
_grant = st.builds(lambda lines, pattern: Grant(tuple(lines), pattern, "r"), _lines, _pattern)


@given(_grant, st.lists(_grant, max_size=4), st.sampled_from(["", "t"]))
def test_what_only_the_grant_gives_is_what_the_guard_refuses_without_it(
    grant: Grant, others: list[Grant], tenant: str
) -> None:
    alone, without = CompiledGrants([grant], DECLARED, tenant), CompiledGrants(others, DECLARED, tenant)
    together = CompiledGrants([grant, *others], DECLARED, tenant)
    found = effect(alone, without)
    for place, permissions in found.only.items():
        for permission in permissions:
            assert together.allows(permission, place)
            assert not without.allows(permission, place)
    for place, permissions in found.also.items():
        for permission in permissions:
            assert without.allows(permission, place)
            assert alone.allows(permission, place)
    for permission in DECLARED:
        for place in alone.patterns(permission):
            assert (permission in found.only.get(place, [])) != without.allows(permission, place)


async def preview(estate: Estate, user: model.User, role: str, pattern: str, **more: int) -> model.GrantEffect:
    command = model.NewGrant(user=user.id, role=role, pattern=pattern, **more)
    return await estate.identity.effects.preview(ROOT, command)


def on(lines: list[model.EffectLine]) -> dict[str, set[str]]:
    return {one.pattern: set(one.permissions) for one in lines}


async def test_a_grant_tells_what_it_would_add(any_estate: Estate) -> None:
    ann = await any_estate.user("ann", ("viewer", "acme/dev"))
    found = await preview(any_estate, ann, "developer", "acme/dev")
    assert UPDATE in on(found.gained)["acme/dev/*/*"]
    assert READ in on(found.already)["acme/dev/*/*"]
    assert READ not in on(found.gained)["acme/dev/*/*"]
    assert (found.lost, found.replaces_nothing) == ([], False), "a developer may all that a viewer may"
    assert (await preview(any_estate, ann, "developer", "acme/prod")).replaces_nothing
    wider = await preview(any_estate, ann, "tenant-admin", "acme")
    assert READ in on(wider.gained)["acme/*/*/*"], "the whole is new where a part was held"
    assert READ in on(wider.already)["acme/dev/*/*"]
    assert not wider.replaces_nothing, "the viewer's grant would be superfluous"
    same = await preview(any_estate, ann, "viewer", "acme/dev/sales/orders")
    assert same.gained == []
    assert READ in on(same.already)["acme/dev/sales/orders"]
    before = await any_estate.identity.granting.list_grants(ROOT, "acme")
    await any_estate.identity.granting.grant(ROOT, model.NewGrant(user=ann.id, role="developer", pattern="acme/dev"))
    assert len(before.items) == 1, "nothing was given by asking"
    principal = await any_estate.sign_in("ann")
    assert all(principal.allows(one, Target("acme", "dev")) for one in on(found.gained)["acme/dev/*/*"])
    assert (await preview(any_estate, ann, "developer", "acme/dev")).gained == []


async def test_taking_back_tells_what_would_be_lost(any_estate: Estate, clock: Clock) -> None:
    ann = await any_estate.user("ann", ("viewer", "acme/dev"), ("developer", "acme/dev/sales/orders"))
    grants = {one.role: one for one in (await any_estate.identity.granting.list_grants(ROOT, "acme")).items}
    effects = any_estate.identity.effects
    developer = await effects.preview_removal(ROOT, grants["developer"].id)
    assert UPDATE in on(developer.lost)["acme/dev/sales/orders"]
    assert READ not in on(developer.lost)["acme/dev/sales/orders"]
    assert READ in on(developer.already)["acme/dev/sales/orders"]
    assert developer.gained == []
    viewer = await effects.preview_removal(ROOT, grants["viewer"].id, "acme")
    assert READ in on(viewer.lost)["acme/dev/*/*"]
    assert READ in on(viewer.already)["acme/dev/sales/orders"]
    with pytest.raises(errors.NotFoundError):
        await effects.preview_removal(ROOT, grants["viewer"].id, "beta")
    with pytest.raises(errors.NotFoundError):
        await effects.preview_removal(ROOT, "0" * 32)
    await any_estate.identity.granting.take_back(ROOT, grants["developer"].id)
    principal = await any_estate.sign_in("ann")
    orders = Target("acme", "dev", "sales", "orders")
    assert not any(principal.allows(one, orders) for one in on(developer.lost)["acme/dev/sales/orders"])
    soon = model.NewGrant(user=ann.id, role="publisher", pattern="acme/prod", expires=clock() + 60_000)
    publisher = await any_estate.identity.granting.grant(ROOT, soon)
    assert PUBLISH in on((await effects.preview_removal(ROOT, publisher.id)).lost)["acme/prod/*/*"]
    clock.pass_(minutes=2)
    assert (await effects.preview_removal(ROOT, publisher.id)).lost == [], "it is over already"


async def test_what_does_not_fit_together_is_refused_as_when_it_is_given(estate: Estate, clock: Clock) -> None:
    ann = await estate.user("ann")
    carl = await estate.user("carl", tenant="beta")
    for user, role, pattern in (
        (carl, "viewer", "acme"),
        (ann, "nothing", "acme"),
        (ann, "platform-admin", "acme"),
        (ann, "viewer", "acme/nowhere"),
        (ann, "viewer", "acme/*/*/orders"),
        (ann, "viewer", "a/b/c/d/e"),
    ):
        with pytest.raises(errors.InvalidRequestError):
            await preview(estate, user, role, pattern)
    with pytest.raises(errors.InvalidRequestError):
        await preview(estate, ann, "viewer", "acme", expires=clock() - 1)
    command = model.NewGrant(user=ann.id, role="viewer", pattern="acme")
    with pytest.raises(errors.InvalidRequestError):
        await estate.identity.effects.preview(ROOT, command, "beta")


async def test_only_who_may_see_all_grants_of_a_place_is_told(estate: Estate) -> None:
    ann = await estate.user("ann", ("viewer", "acme"))
    await estate.user("carl", ("tenant-admin", "beta"), tenant="beta")
    await estate.user("lead", ("app-owner", "acme/dev/sales/orders"))
    grant = (await estate.identity.granting.list_grants(ROOT, "acme")).items[0]
    viewer, lead = await estate.sign_in("ann"), await estate.sign_in("lead")
    stranger = await estate.sign_in("carl", tenant="beta")
    effects = estate.identity.effects

    async def asked(who: access.Principal, pattern: str) -> model.GrantEffect:
        return await effects.preview(who, model.NewGrant(user=ann.id, role="viewer", pattern=pattern))

    assert (await asked(lead, "acme/dev/sales/orders")).gained == []
    for who, pattern in ((viewer, "acme/dev"), (lead, "acme/dev"), (lead, "acme"), (lead, "*")):
        with pytest.raises(access.NotPermittedError) as refused:
            await asked(who, pattern)
        assert refused.value.facts["permission"] == "identity.grant:list"
    with pytest.raises(access.NotPermittedError):
        await effects.preview_removal(lead, grant.id)
    with pytest.raises(errors.NotFoundError) as hidden:
        await asked(stranger, "acme/dev")
    with pytest.raises(errors.NotFoundError) as missing:
        await asked(stranger, "nowhere/dev")
    assert hidden.value.detail.replace("acme", "X") == missing.value.detail.replace("nowhere", "X")
    with pytest.raises(errors.NotFoundError) as foreign:
        await effects.preview_removal(stranger, grant.id)
    with pytest.raises(errors.NotFoundError) as none:
        await effects.preview_removal(stranger, "0" * 32)
    assert foreign.value.detail.replace(grant.id, "X") == none.value.detail.replace("0" * 32, "X")


async def test_an_explanation_names_the_grant_that_decides_or_those_that_came_near(
    any_estate: Estate, clock: Clock
) -> None:
    ann = await any_estate.user("ann", ("viewer", "acme/dev"))
    until = clock() + 3_600_000
    given = await any_estate.identity.granting.grant(
        ROOT, model.NewGrant(user=ann.id, role="publisher", pattern="acme/prod", expires=until)
    )
    people = any_estate.identity.people
    yes = await people.explain("acme", ann.id, model.AccessQuestion(permission=PUBLISH, pattern="acme/prod/sales"))
    assert yes.allowed
    assert yes.path == model.AccessPath(
        role="publisher", pattern="acme/prod/*/*", grant=given.id, granted_by=given.granted_by, expires=until
    )
    assert yes.near == []
    no = await people.explain("acme", ann.id, model.AccessQuestion(permission=PUBLISH, pattern="acme/dev"))
    assert (no.allowed, no.path, len(no.near)) == (False, None, len(no.misses))
    assert [(one.role, one.lacks) for one in no.near] == [("publisher", "scope"), ("viewer", "permission")]
    assert no.near[0].grant == given.id
    principal = await any_estate.sign_in("ann")
    own = await people.answer(principal, model.AccessQuestion(permission=PUBLISH, pattern="acme/prod"))
    assert own.path == yes.path
    issued = await any_estate.credential()
    application = await any_estate.who(await any_estate.bearer(issued))
    question = model.AccessQuestion(permission="watch.bundle:read", pattern="acme/dev/sales/orders")
    its = await people.answer(application, question)
    assert its.path == model.AccessPath(role="application", pattern="acme/dev/sales/orders")
