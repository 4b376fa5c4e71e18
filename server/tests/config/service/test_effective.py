"""Effective values: whose secrets are shown to whom, and what is written down of it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from qiantang.kernel import errors, release, resource, scope
from qiantang_server.config.capability import NAMESPACE
from qiantang_server.config.service.effective import MASK, EffectiveSettings
from qiantang_server.kernel import access, storage
from qiantang_server.kernel.audit import store as audit_store
from qiantang_server.kernel.cache.adapters.memory import MemoryReleaseCache
from qiantang_server.kernel.cache.settings import CacheSettings
from qiantang_server.kernel.coordination.adapters.database import DatabaseCoordination
from qiantang_server.kernel.coordination.settings import CoordinationSettings
from qiantang_server.kernel.resources import Ground, Kinds, Resources
from qiantang_server.kernel.watch import Watch, WatchSettings
from server.tests.kernel.resources.notes import Keeper

KINDS = Kinds([NAMESPACE])
PERMISSIONS = access.Permissions(KINDS.permissions())
INSTANCE = scope.Instance(name="i1")


def bundle(application: str) -> resource.Bundle:
    return resource.Bundle(scope=scope.Scope.parse(f"acme/dev/trade/{application}"), capability="config")


def person(*places: str) -> access.Principal:
    grants = [access.Grant(("*:*",), access.Target.parse(place), role="owner") for place in places]
    return access.Principal(
        kind="user", id="ada", name="ada", tenant="acme", grants=access.CompiledGrants(grants, PERMISSIONS)
    )


def secret(value: str) -> dict[str, Any]:
    return {"value": {"$secret": {"value": value}}}


@pytest.fixture
async def effective(any_database: storage.Database) -> EffectiveSettings:
    """An order application with a secret of its own, which inherits a public namespace with another one."""
    life = Resources(Ground(database=any_database, kinds=KINDS, keeper=Keeper()))
    written = {
        "common": {"format": "properties", "public": True, "items": {"shared": secret("of common")}},
        "order": {"format": "properties", "inherits": "trade/common/application", "items": {"own": secret("of order")}},
    }
    for application, body in written.items():
        place = bundle(application)
        await life.drafts.save(person("acme"), place, "namespace", "application", body, expected="0")
        await life.publishing.publish(person("acme"), place, release.PublishCommand(expected_revision=0))
    watch = Watch(
        WatchSettings(),
        life,
        cache=MemoryReleaseCache(CacheSettings()),
        coordination=DatabaseCoordination(any_database, CoordinationSettings()),
        principal=person("acme"),
        node="n1",
    )
    return EffectiveSettings(watch, any_database)


@pytest.mark.parametrize(
    ("places", "shared"),
    [(["acme/dev/trade/order"], MASK), (["acme/dev/trade/order", "acme/dev/trade/common"], "of common")],
)
async def test_what_is_inherited_is_shown_to_those_who_may_see_it_where_it_comes_from(
    effective: EffectiveSettings, any_database: storage.Database, places: list[str], shared: str
) -> None:
    found = await effective.reveal(person(*places), bundle("order"), INSTANCE)
    assert {one.key: one.value for one in found.values} == {"own": "of order", "shared": shared}
    async with any_database.reading() as session:
        rows = await session.all(
            sa.select(audit_store.records.c.application).where(audit_store.records.c.action.endswith(":reveal"))
        )
    assert sorted(row.application for row in rows) == sorted(place.rpartition("/")[2] for place in places)


async def test_whoever_may_not_reveal_sees_masks_and_is_refused_more(effective: EffectiveSettings) -> None:
    found = await effective.view(bundle("order"), INSTANCE)
    assert {one.key: one.value for one in found.values} == {"own": MASK, "shared": MASK}
    with pytest.raises(errors.ForbiddenError):
        await effective.reveal(person("acme/dev/trade/common"), bundle("order"), INSTANCE)
