"""Streams of browsers: what each is told, that it is bounded, and that it ends with the session."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest

from qiantang.kernel import errors, resource, wire
from qiantang_server.kernel import access, audit, storage
from qiantang_server.kernel.watch.outgoing import HEARTBEAT
from qiantang_server.kernel.watch.settings import WatchSettings
from qiantang_server.kernel.watch.topics import Topics
from qiantang_server.kernel.watch.topics.follower import MAX_WAITING, Follower
from qiantang_server.kernel.watch.topics.survey import Survey
from qiantang_server.kernel.watch.topics.topics import Asked, rest
from server.tests.kernel.watch.overview.conftest import NOBODY, OWNER, PERMISSIONS, READER, Estate, bundle, person

ORDER, STOCK, PROD = "acme/dev/trade/order", "acme/dev/trade/stock", "acme/prod/bank/ledger"
BUNDLE = f"bundle:{ORDER}/test"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class House:
    """Topics over a database, with a clock that the test moves."""

    def __init__(self, estate: Estate, **settings: Any) -> None:
        self.estate = estate
        self.clock = Clock()
        self.others = False
        self.topics = Topics(
            estate.parts,
            WatchSettings(**settings),
            node="n1",
            version="1",
            has_others=lambda: self.others,
            steady=self.clock,
        )
        estate.parts.published = lambda one: self.topics.changed(one.bundle, "publish", one.position)
        estate.parts.edited = lambda one: self.topics.changed(one.bundle, one.what)

    def follow(self, who: access.Principal, *topics: str, last: str = "", admitted: Any = None) -> Follower:
        async def still() -> access.Principal:
            return who

        return self.topics.open(who, Asked(topics=topics, last=last), admitted or still)

    def later(self) -> None:
        """Let the time of gathered events come."""
        self.clock.now += 1
        for event in self.topics._board.due(self.clock.now):
            self.topics._fan_out(event)
        self.clock.now += 1


@pytest.fixture
def estate(any_database: storage.Database) -> Estate:
    return Estate(any_database)


@pytest.fixture
def house(estate: Estate) -> House:
    return House(estate)


async def heard(follower: Follower) -> list[tuple[str, dict[str, Any], str]]:
    """What a stream is told now: event, data and number."""
    chunk = await follower.take(0.001)
    found: list[tuple[str, dict[str, Any], str]] = []
    for block in filter(None, chunk.decode().split("\n\n")):
        if block.startswith(":"):
            continue
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((lines["event"], wire.decode(lines["data"], dict[str, Any]), lines.get("id", "")))
    return found


async def reasons(follower: Follower) -> dict[str, list[str]]:
    return {data["topic"]: data["reasons"] for event, data, _number in await heard(follower) if event == "changed"}


async def test_a_stream_is_greeted_and_told_what_it_does_not_follow(house: House) -> None:
    follower = house.follow(READER, "work:acme", "work:other", "bundle:acme/prod/bank/ledger/test", "nonsense")
    told = await heard(follower)
    assert (told[0][0], told[0][1]["node"], told[0][1]["version"]) == ("hello", "n1", "1")
    assert told[0][2].endswith("-0")
    refused = [data["topic"] for event, data, _number in told if event == "refused"]
    assert refused == ["work:other", "bundle:acme/prod/bank/ledger/test", "nonsense"]
    assert await follower.take(0.001) == HEARTBEAT


async def test_drafts_publishes_and_requests_are_told_where_they_may_be_seen(house: House) -> None:
    estate = house.estate
    owner = house.follow(OWNER, "work:acme", "bundles:acme", BUNDLE)
    reader = house.follow(READER, "work:acme", "bundles:acme", BUNDLE)
    member = house.follow(person("member", ("test.note:read", "acme/none")), "work:acme", "bundles:acme", BUNDLE)
    await heard(member)
    await heard(owner)
    await estate.edit(OWNER, ORDER)
    assert await reasons(owner) == {key: ["draft"] for key in (BUNDLE, "bundles:acme", "work:acme")}
    house.later()
    estate.life.directory.protected = True
    asked = (await estate.publish(OWNER, ORDER)).request
    assert asked is not None
    assert await reasons(owner) == {key: ["request"] for key in (BUNDLE, "bundles:acme", "work:acme")}
    house.later()
    await estate.life.resources.requests.decide(person("boss", ("*:*", "acme")), bundle(ORDER), asked.id, "approve")
    house.later()
    told = {data["topic"]: data for event, data, _number in await heard(owner) if event == "changed"}
    assert told[BUNDLE]["position"] == [1, 1]
    assert told[BUNDLE]["reason"] == "publish"
    assert told["work:acme"]["position"] is None
    estate.life.directory.protected = False
    await heard(reader)
    house.later()
    await estate.released(OWNER, PROD)
    assert await reasons(reader) == {}, "it may not know of that"
    assert await heard(member) == []
    assert set(await reasons(owner)) == {"bundles:acme", "work:acme"}


async def test_whoever_comes_back_hears_what_he_missed_or_that_it_is_not_known(house: House) -> None:
    follower = house.follow(READER, BUNDLE)
    ((_hello, _data, number),) = await heard(follower)
    house.topics.leave(follower)
    await house.estate.edit(OWNER, ORDER)
    await house.estate.edit(OWNER, PROD)
    house.later()
    back = house.follow(READER, BUNDLE, "bundles:acme", last=number)
    told = await heard(back)
    assert [event for event, _data, _number in told] == ["hello", "changed", "changed"]
    assert told[0][2] == number, "or what comes after it would be passed over when it breaks here"
    again = await heard(house.follow(READER, BUNDLE, last=told[-1][2]))
    assert [event for event, _data, _number in again] == ["hello"]
    for unknown in ("other-1", "x", number.replace("-0", "-999")):
        assert [event for event, _data, _number in await heard(house.follow(READER, BUNDLE, last=unknown))] == [
            "hello",
            "reset",
        ]


async def test_streams_are_bounded_for_the_server_and_for_each_person(estate: Estate) -> None:
    house = House(estate, max_browser_streams=3, max_browser_streams_per_principal=2)
    first = house.follow(READER, BUNDLE)
    house.follow(READER, BUNDLE)
    with pytest.raises(errors.ExhaustedError):
        house.follow(READER, BUNDLE)
    house.follow(OWNER, BUNDLE)
    with pytest.raises(errors.UnavailableError):
        house.follow(NOBODY, BUNDLE)
    house.topics.leave(first)
    house.topics.leave(first)
    house.follow(READER, BUNDLE)
    assert len(house.topics) == 3


async def test_what_waits_for_a_slow_reader_is_bounded(house: House) -> None:
    slow = house.follow(OWNER, "work:acme", "bundles:acme", BUNDLE)
    await heard(slow)
    for _number in range(4 * MAX_WAITING):
        house.topics.changed(bundle(ORDER), "draft")
        house.later()
    assert len(slow._events) <= MAX_WAITING
    told = await heard(slow)
    assert {data["topic"] for _event, data, _number in told} == {"work:acme", "bundles:acme", BUNDLE}
    assert "many" in {data["reason"] for _event, data, _number in told}
    numbers = [int(number.rpartition("-")[2]) for _event, _data, number in told]
    assert numbers == sorted(numbers)


async def test_a_session_that_ended_ends_its_stream_and_a_lost_grant_its_topic(house: House) -> None:
    said: dict[str, Any] = {"who": OWNER}

    async def admitted() -> access.Principal:
        if isinstance(said["who"], Exception):
            raise said["who"]
        return said["who"]

    follower = house.follow(OWNER, "work:acme", BUNDLE, f"bundle:{PROD}/test", admitted=admitted)
    await heard(follower)
    said["who"] = READER
    await house.topics.recheck_all()
    assert [(event, data["topic"]) for event, data, _n in await heard(follower)] == [("refused", f"bundle:{PROD}/test")]
    house.topics.changed(bundle(PROD), "publish")
    assert await heard(follower) == []
    said["who"] = errors.UnavailableError("the database is away")
    await house.topics.recheck_all()
    assert not follower.closed, "while nobody can say, it stays"
    said["who"] = errors.UnauthenticatedError("revoked")
    await house.topics.recheck_all()
    assert follower.closed
    assert await follower.take(10) == b""


async def test_a_server_that_stops_ends_all_and_what_comes_after(house: House) -> None:
    open_before = house.follow(OWNER, BUNDLE)
    house.topics.close()
    assert open_before.closed
    assert house.follow(OWNER, BUNDLE).closed


async def test_instances_are_looked_for_where_somebody_follows(house: House) -> None:
    estate = house.estate
    await estate.released(OWNER, ORDER)
    house.later()
    follower = house.follow(READER, BUNDLE, "bundles:acme")
    await heard(follower)
    await house.topics._look_at_bundles()
    await house.topics._look_at_tenants()
    assert await heard(follower) == [], "there are none"
    await estate.arrive(ORDER, "i1")
    await estate.arrive(ORDER, "i2", status="failed")
    await house.topics._look_at_bundles()
    ((_event, data, _number),) = await heard(follower)
    assert (data["topic"], data["reasons"]) == (BUNDLE, ["instances"])
    assert data["instances"] == {"total": 2, "current": 1, "failed": 1}
    await house.topics._look_at_tenants()
    assert await reasons(follower) == {"bundles:acme": ["instances"]}
    house.later()
    await house.topics._look_at_bundles()
    await house.topics._look_at_tenants()
    house.later()
    assert await heard(follower) == [], "nothing changed"


async def test_what_happened_between_reading_and_the_first_look_is_told(house: House) -> None:
    await house.estate.released(OWNER, ORDER)
    house.later()
    follower = house.follow(READER, BUNDLE, "work:acme")
    await heard(follower)
    await house.estate.arrive(ORDER, "i1", status="failed")
    await house.topics._look_at_bundles()
    await house.topics._look_at_tenants()
    assert await reasons(follower) == {BUNDLE: ["instances"], "work:acme": ["instances"]}


async def test_what_other_servers_do_is_looked_for_only_where_there_are_any(house: House) -> None:
    estate = house.estate
    await estate.released(OWNER, ORDER)
    house.later()
    follower = house.follow(READER, BUNDLE, "work:acme")
    await heard(follower)
    estate.parts.edited = lambda _edited: None  # as if another server did it
    house.others = True
    await house.topics._look_at_tenants()
    await estate.edit(OWNER, ORDER, "b")
    await house.topics._look_at_tenants()
    assert await reasons(follower) == {key: ["draft"] for key in (BUNDLE, "work:acme")}
    house.later()
    estate.life.directory.protected = True
    await estate.publish(OWNER, ORDER)
    await house.topics._look_at_tenants()
    assert await reasons(follower) == {key: ["request"] for key in (BUNDLE, "work:acme")}
    house.others = False
    house.later()
    await estate.edit(OWNER, ORDER, "c")
    await house.topics._look_at_tenants()
    assert await reasons(follower) == {}


async def test_rows_of_lists_are_told_to_who_may_list_them(house: House) -> None:
    database = house.estate.parts.database
    lister = house.follow(person("lister", ("test.note:list", "acme/dev")), "list:acme/test.note", "list:*/test.note")
    member = house.follow(person("member", ("test.note:read", "acme")), "list:acme/test.note", "list:*/test.note")
    stranger = house.follow(person("stranger"), "list:other/test.note")
    assert [event for event, _data, _number in await heard(stranger)] == ["hello", "refused"]
    await heard(lister)
    await heard(member)

    async def done(who: access.Principal, action: str, place: str, **more: Any) -> None:
        async def work(session: storage.Session) -> None:
            await audit.record(session, audit.AuditEvent.by(who, action, access.Target.parse(place), **more))

        await database.write(work)

    both = {"list:acme/test.note": ["rows"], "list:*/test.note": ["rows"]}
    await done(OWNER, "test.note:create", "acme/dev/trade/order")
    await house.topics._look_at_lists()
    assert await reasons(lister) == both, "though it was done before the first look"
    assert await heard(member) == [], "he may not list it"
    house.later()
    await house.topics._look_at_lists()
    house.later()
    assert await heard(lister) == [], "nothing changed"
    await done(OWNER, "test.note:delete", "acme/prod")
    await done(OWNER, "test.note:delete", "acme/dev", outcome="deny")
    await done(OWNER, "test.other:delete", "acme/dev")
    await house.topics._look_at_lists()
    house.later()
    assert await heard(lister) == [], "elsewhere, refused, of another kind"
    await done(member.principal, "test.note:update", "acme/prod")
    for _number in range(3):
        await done(OWNER, "test.note:update", "acme")
    await house.topics._look_at_lists()
    house.later()
    assert await reasons(lister) == both
    assert await reasons(member) == both, "he did it himself"


async def test_lists_of_all_tenants_hear_of_all_and_of_what_belongs_to_none(house: House) -> None:
    admin = access.system(PERMISSIONS, "admin")
    follower = house.follow(admin, "list:*/test.note")
    await heard(follower)
    for place in ("acme", "other/dev", "*"):

        async def work(session: storage.Session, place: str = place) -> None:
            await audit.record(session, audit.AuditEvent(action="test.note:create", target=access.Target.parse(place)))

        await house.estate.parts.database.write(work)
        await house.topics._look_at_lists()
        assert await reasons(follower) == {"list:*/test.note": ["rows"]}, place
        house.later()


async def test_a_survey_of_nothing_and_of_very_many_is_bounded(estate: Estate) -> None:
    survey = Survey(estate.parts)
    assert await survey.tenants(["acme", "'; --", "🌊"], edits=True) == []
    many = [msgspec.structs.replace(bundle(ORDER), capability=f"c{number}") for number in range(700)]
    assert await survey.bundles(many) == []
    assert len(survey._bundles) == 700


async def test_the_loop_tells_what_was_gathered(estate: Estate) -> None:
    topics = Topics(estate.parts, WatchSettings(), node="n1")

    async def still() -> access.Principal:
        return OWNER

    follower = topics.open(OWNER, Asked(topics=[BUNDLE]), still)
    loop = asyncio.create_task(topics.run())
    try:
        await heard(follower)
        began = time.monotonic()
        topics.changed(bundle(ORDER), "draft")
        topics.changed(bundle(ORDER), "publish", resource.Position(epoch=1, revision=2))
        assert await reasons(follower) == {BUNDLE: ["draft"]}
        chunk = await follower.take(5)
        assert b'"reason":"publish"' in chunk
        assert time.monotonic() - began < 2
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


@pytest.mark.parametrize(("took", "seconds"), [(0.001, 2.0), (0.2, 4.0), (3.0, 5.0), (600.0, 5.0)])
def test_a_survey_rests_longer_where_it_costs_more_but_never_for_long(took: float, seconds: float) -> None:
    assert rest(2.0, took) == seconds
