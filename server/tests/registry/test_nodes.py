"""Nodes: under the own name alone, one per name, in the walls of a tenant and environment, and within the bounds."""

from __future__ import annotations

import asyncio

import pytest

from qiantang.registry.errors import (
    NameTakenError,
    NotOwnNameError,
    RegistryFullError,
    UnknownDefinitionError,
)
from qiantang.registry.model import Definition, Node, Vote, protocol
from qiantang_server.kernel import storage
from qiantang_server.registry.service import nodes as module
from qiantang_server.registry.store import tables
from server.tests.registry.town import EVIL, ORDER, OTHER, PROD, STOCK, Town, followed, taken


@pytest.fixture
def town(any_database: storage.Database) -> Town:
    return Town(any_database)


def vote(voter: str, value: str = "open") -> Vote:
    return Vote(service="s", node="n", voter=voter, value=value)


async def test_an_application_registers_and_publishes_under_its_own_name_alone(town: Town) -> None:
    session = await town.session(ORDER)
    foreign = protocol.Register(session=session, microservice="stock", node=Node(name="a", addresses={}))
    with pytest.raises(NotOwnNameError, match="order"):
        await town.nodes.register(ORDER, foreign)
    with pytest.raises(NotOwnNameError):
        await town.nodes.deregister(ORDER, protocol.Deregister(session=session, microservice="stock", node="a"))
    definition = Definition.of("s.S", {})
    with pytest.raises(NotOwnNameError):
        await town.nodes.publish(ORDER, protocol.Publish(microservice="stock", definition=definition))
    assert await town.rows(tables.nodes) == await town.rows(tables.definitions) == []


async def test_of_two_applications_of_one_name_the_second_is_refused(town: Town) -> None:
    first, second = await town.session(ORDER), await town.session(OTHER)
    await town.register(ORDER, first, "a")
    with pytest.raises(NameTakenError, match="center trade"):
        await town.register(OTHER, second, "b")
    with pytest.raises(NameTakenError):
        await town.nodes.publish(OTHER, protocol.Publish(microservice="order", definition=Definition.of("s.S", {})))
    town.directory.deleted.add(ORDER)
    assert await town.register(OTHER, second, "b"), "the first is none any more"
    with pytest.raises(NameTakenError, match="center bank"):
        await town.register(ORDER, first, "c")


async def test_the_same_names_elsewhere_are_something_else(town: Town) -> None:
    for caller in (ORDER, PROD, EVIL):
        session = await town.session(caller)
        await town.register(caller, session, "a", zone=f"{caller.tenant}-{caller.environment}")
        await town.nodes.vote(caller, protocol.Cast(session=session, microservice="order", vote=vote(caller.tenant)))
        body = {"of": f"{caller.tenant}-{caller.environment}"}
        await town.nodes.publish(caller, protocol.Publish(microservice="order", definition=Definition.of("s.S", body)))
    for caller in (STOCK, PROD, EVIL):
        of = f"{caller.tenant}-{caller.environment}"
        async with followed(town, caller, "order") as seat:
            ((_name, listed),) = await taken(seat)
            assert [one.zone for one in listed] == [of]
        assert [one.voter for one in (await town.nodes.votes(caller, "order")).votes] == [caller.tenant]
        (definition,) = (await town.nodes.definitions(caller, asked("order"))).definitions
        assert definition.document == {"of": of}


async def test_gently_a_name_is_left_to_a_later_process(town: Town) -> None:
    old, new = await town.session(ORDER), await town.session(ORDER)
    await town.register(ORDER, old, "a", started_at=1.0)
    await town.register(ORDER, new, "a", started_at=2.0)
    assert not await town.register(ORDER, old, "a", started_at=1.0, gently=True)
    assert not await town.register(ORDER, old, "a", started_at=3.0, gently=True, had=True)
    assert await town.register(ORDER, old, "a", started_at=3.0, gently=True)
    assert not await town.register(ORDER, new, "a", started_at=2.0, gently=True)
    await town.sessions.close(ORDER, old)
    assert await town.register(ORDER, new, "a", started_at=2.0, gently=True)


async def test_who_registers_again_what_is_there_keeps_nobody_waiting(town: Town) -> None:
    session = await town.session(ORDER)
    await town.register(ORDER, session, "a")
    (before,) = await town.rows(tables.places)
    await town.register(ORDER, session, "a", gently=True, had=True)
    assert await town.rows(tables.places) == [before]
    await town.register(ORDER, session, "a", weight=3)
    (after,) = await town.rows(tables.places)
    assert after.revision > before.revision


async def test_many_at_once_are_all_there(town: Town) -> None:
    sessions = [await town.session(ORDER) for _ in range(8)]
    await asyncio.gather(*(town.register(ORDER, session, f"n{number}") for number, session in enumerate(sessions)))
    assert sorted(row.name for row in await town.rows(tables.nodes)) == [f"n{number}" for number in range(8)]
    (place,) = await town.rows(tables.places)
    assert place.revision == 8


async def test_there_is_room_for_so_much(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await town.session(ORDER)
    monkeypatch.setattr(module, "MAX_NODES", 2)
    for name in ("a", "b"):
        await town.register(ORDER, session, name)
    with pytest.raises(RegistryFullError, match="2 nodes"):
        await town.register(ORDER, session, "c")
    assert await town.register(ORDER, session, "b", weight=1)
    monkeypatch.setattr(module, "MAX_LIST_BYTES", 300)
    with pytest.raises(RegistryFullError, match="300 bytes"):
        await town.register(ORDER, session, "b", zone="z" * 100, tags={"t": "x" * 100})
    monkeypatch.setattr(module, "MAX_VOTES", 1)
    await town.nodes.vote(ORDER, protocol.Cast(session=session, microservice="stock", vote=vote("a")))
    with pytest.raises(RegistryFullError):
        await town.nodes.vote(ORDER, protocol.Cast(session=session, microservice="stock", vote=vote("b")))
    await town.nodes.vote(ORDER, protocol.Cast(session=session, microservice="stock", vote=vote("a", "closed")))
    monkeypatch.setattr(module, "MAX_SERVICES", 1)
    await town.nodes.publish(ORDER, protocol.Publish(microservice="order", definition=Definition.of("s.A", {})))
    with pytest.raises(RegistryFullError):
        await town.nodes.publish(ORDER, protocol.Publish(microservice="order", definition=Definition.of("s.B", {})))


async def test_applications_do_not_vote_for_each_other(town: Town) -> None:
    ours, theirs = await town.session(ORDER), await town.session(STOCK)
    await town.nodes.vote(ORDER, protocol.Cast(session=ours, microservice="stock", vote=vote("v", "open")))
    await town.nodes.vote(STOCK, protocol.Cast(session=theirs, microservice="stock", vote=vote("v", "closed")))
    await town.nodes.vote(STOCK, protocol.Cast(session=theirs, microservice="stock", vote=vote("v", "")))
    assert (await town.nodes.votes(ORDER, "stock")).votes == (vote("v", "open"),)


async def test_definitions_come_in_parts_that_an_answer_takes(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEFINITIONS_AT_ONCE", 2)
    monkeypatch.setattr(module, "ANSWER_BYTES", 300)
    for number in range(7):
        definition = Definition.of(f"s.S{number}", {"number": number})
        await town.nodes.publish(ORDER, protocol.Publish(microservice="order", definition=definition))
    names, after, calls = list[str](), "", 0
    while True:
        answer = await town.nodes.definitions(STOCK, asked("order", after=after))
        names += [one.service for one in answer.definitions]
        calls, after = calls + 1, answer.next
        if not after:
            break
    assert names == [f"s.S{number}" for number in range(7)]
    assert calls > 1
    assert len((await town.nodes.definitions(STOCK, asked("order", service="s.S3"))).definitions) == 1
    with pytest.raises(UnknownDefinitionError):
        await town.nodes.definitions(STOCK, asked("order", service="s.None"))


def asked(microservice: str, **more: str) -> protocol.AskDefinitions:
    return protocol.AskDefinitions(microservice=microservice, **more)
