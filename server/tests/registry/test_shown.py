"""Shown: what people see of what services offer, in lists and one by one."""

from __future__ import annotations

import pytest

from qiantang.registry.errors import UnknownDefinitionError
from qiantang.registry.model import Definition, protocol
from qiantang_server.kernel import storage
from qiantang_server.registry.service.overrides import Asked
from qiantang_server.registry.store import views
from qiantang_server.registry.store.tables import Place
from server.tests.registry.town import ORDER, OTHER, STOCK, Town


@pytest.fixture
async def town(any_database: storage.Database) -> Town:
    town = Town(any_database)
    for caller, services in ((ORDER, ("s.A", "s.B")), (STOCK, ("s.C",))):
        for service in services:
            definition = Definition.of(service, {"name": service})
            await town.nodes.publish(caller, protocol.Publish(microservice=caller.application, definition=definition))
    return town


async def test_a_definition_is_read_as_it_is_listed(town: Town) -> None:
    listed = (await town.overrides.definitions(ORDER, Asked())).items
    assert [one.service for one in listed] == ["s.A", "s.B"]
    read = await town.overrides.definition(ORDER, "s.A")
    assert read.view == listed[0]
    assert read.view.size > 0
    assert read.definition.document == {"name": "s.A"}
    with pytest.raises(UnknownDefinitionError):
        await town.overrides.definition(OTHER, "s.A")


async def test_services_are_counted_for_each_microservice(town: Town) -> None:
    place = Place.of(ORDER)
    async with town.database.reading() as session:
        counted = await views.count_definitions(session, place, ["order", "stock", "nothing"])
        assert counted == {"order": 2, "stock": 1}
        assert await views.count_definitions(session, Place(place.tenant, "prod"), ["order"]) == {}
