"""Voting: what many consumers find of a node counts for all, what one finds for itself; over the registries there are."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from qiantang.kernel import errors, runtime
from qiantang.registry.adapters import memory
from qiantang.registry.client import Directory, registry_of
from qiantang.registry.model import Node, Provided, Vote
from qiantang.registry.port import Registry
from qiantang.registry.settings import RegistrySettings
from qiantang.registry.testing import fresh_name, until
from qiantang.rpc.client import voting as module
from qiantang.rpc.client.blocking import BlockingCaller
from qiantang.rpc.client.calling import Caller
from qiantang.rpc.client.introducing import by_name
from qiantang.rpc.client.voting import PRESENCE, Voting
from qiantang.rpc.governance.verdict import Outcome, Ticket
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import definition_of, method, service
from qiantang.rpc.provider.serving import Provider

WHO = by_name("acme/prod/bank/till")
NAMES = ("n1", "n2", "n3", "n4")


@service("test.Mill")
class Mill(Protocol):
    """What is called here."""

    @method(idempotent=True, timeout=30.0)
    async def grind(self) -> str: ...


GRIND = definition_of(Mill).methods["grind"]


def node(name: str, address: str = "127.0.0.1:1") -> Node:
    return Node(name=name, addresses={"csf1": address}, services={"test.Mill": Provided()})


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Consumer:
    """A caller that votes, whose breakers are moved by hand."""

    def __init__(self, name: str, caller: Caller | BlockingCaller, voting: Voting, clock: Clock) -> None:
        self.name = name
        self.caller = caller
        self.voting = voting
        self.clock = clock

    def report(self, name: str, outcome: Outcome, calls: int = 5) -> None:
        """Have calls to a node end so."""
        governor = self.caller.governor
        target = self.caller._targets._of["mill"][name]
        breaker = governor.chain(GRIND).node_breaker(target)
        assert breaker is not None
        for _ in range(calls):
            ticket = Ticket(self.clock.now, self.clock.now + 3)
            if breaker.enter(self.clock.now, ticket) is None and breaker.reserve(self.clock.now, ticket) is None:
                breaker.leave(self.clock.now, ticket, outcome)

    def asked(self, calls: int = 40) -> set[str]:
        """Say which nodes calls would go to now."""
        found: Counter[str] = Counter()
        for number in range(calls):
            now = self.clock.now + number / 1e6
            going = self.caller.governor.begin(GRIND, GRIND.arguments(), current.get(), now)
            found[going.target(now).node.name] += 1
            going.end(now, asyncio.CancelledError())
        return set(found)


class Room:
    """Consumers of one microservice, and their registries."""

    def __init__(self, stack: AsyncExitStack, clock: Clock) -> None:
        self.stack = stack
        self.clock = clock
        self.consumers: list[Consumer] = []

    async def join(self, registry: Registry, name: str, nodes: Sequence[Node] = ()) -> Consumer:
        caller = await self.stack.enter_async_context(Caller(WHO))
        caller.use(nodes or [node(one) for one in NAMES], "mill")
        caller.governor.rule({"r": b'{"adaptive": {"mode": "off"}, "outlier": {"mode": "off"}}'})
        caller.governor.chain(GRIND)
        voting = Voting(registry, "mill", caller, name, clock=self.clock)
        self.consumers.append(Consumer(name, caller, voting, self.clock))
        return self.consumers[-1]

    async def look(self, times: int = 2) -> None:
        """Have all say what they have to say, and hear what all have said."""
        for _ in range(times):
            for one in self.consumers:
                await one.voting.look()

    def out(self) -> dict[str, set[str]]:
        return {one.name: set(NAMES) - one.asked() for one in self.consumers}


@asynccontextmanager
async def room(consumers: int, address: str = "") -> AsyncGenerator[Room]:
    address = address or fresh_name("mill")
    async with AsyncExitStack() as stack:
        found = Room(stack, Clock())
        for number in range(1, consumers + 1):
            registry = await stack.enter_async_context(memory.make(RegistrySettings(address=address)))
            await found.join(registry, f"c{number}")
        yield found


async def test_one_consumer_with_a_broken_network_takes_no_node_from_the_others() -> None:
    async with room(5) as some:
        for name in NAMES[:2]:
            some.consumers[0].report(name, Outcome.UNAVAILABLE)
        await some.look()
        out = some.out()
        assert out.pop("c1") == {"n1", "n2"}
        assert out == {name: set() for name in ("c2", "c3", "c4", "c5")}


async def test_three_of_five_take_a_node_from_all_but_the_one_that_tries_it() -> None:
    async with room(5) as some:
        for one in some.consumers[:3]:
            one.report("n1", Outcome.UNAVAILABLE)
        await some.look()
        assert some.out() == {f"c{number}": {"n1"} for number in range(1, 6)}
        some.clock.now += 8  # the breakers' wait is over, and only c1 tries
        await some.look()
        out = some.out()
        assert out.pop("c1") == set()
        assert out == {f"c{number}": {"n1"} for number in range(2, 6)}


async def test_when_it_goes_well_again_one_after_the_other_takes_its_vote_back() -> None:
    async with room(3) as some:
        for one in some.consumers:
            one.report("n1", Outcome.UNAVAILABLE)
        await some.look()
        some.clock.now += 8
        some.consumers[0].report("n1", Outcome.OK)
        await some.look(1)
        assert {name for name, out in some.out().items() if out} == {"c1", "c3"}, "c2 tries now"
        some.consumers[1].report("n1", Outcome.OK)
        some.clock.now += 6
        await some.look()
        assert not any(some.out().values()), "one vote is no quorum"


async def test_over_half_of_the_nodes_stay_in_whatever_is_voted() -> None:
    async with room(5) as some:
        for one in some.consumers[:3]:
            for name in NAMES[:3]:
                one.report(name, Outcome.UNAVAILABLE)
        await some.look()
        out = some.out()
        assert out["c4"] == out["c5"] == set()


async def test_a_vote_is_written_once_in_a_while_and_again_while_it_holds() -> None:
    async with room(2) as some:
        one = some.consumers[0]
        said: list[Vote] = []
        real = one.voting._registry.vote

        async def vote(microservice: str, vote: Vote) -> None:
            said.append(vote)
            await real(microservice, vote)

        one.voting._registry.vote = vote  # type: ignore[method-assign]
        one.report("n1", Outcome.UNAVAILABLE)
        await some.look(10)
        assert [(one.node, one.value) for one in said] == [(PRESENCE, "here"), ("n1", "open 1")]
        for _ in range(10):
            some.clock.now += 8
            one.report("n1", Outcome.UNAVAILABLE)  # whoever tries it finds it as before
            await some.look(1)
        assert [one.value for one in said[2:]] == ["open 2", "open 3", "open 4"], "each third of a lifetime"
        some.clock.now += 70
        one.report("n1", Outcome.OK)
        await some.look()
        assert (said[-1].node, said[-1].value) == ("n1", "")


async def test_a_vote_that_nobody_renews_ends_though_the_registry_shows_it() -> None:
    async with room(3) as some:
        for one in some.consumers[:2]:
            one.report("n1", Outcome.UNAVAILABLE)
        await some.look()
        assert some.out()["c3"] == {"n1"}
        some.clock.now += 59
        await some.consumers[2].voting.look()
        assert some.out()["c3"] == {"n1"}
        some.clock.now += 2
        await some.consumers[2].voting.look()
        assert some.out()["c3"] == set()
        assert len(await some.consumers[2].voting._registry.votes("mill")) == 5


async def test_while_the_registry_is_away_what_is_known_counts_for_its_lifetime() -> None:
    address = fresh_name("mill")
    async with room(3, address) as some:
        for one in some.consumers[:2]:
            one.report("n1", Outcome.UNAVAILABLE)
        await some.look()
        memory.space_of(address).away = True
        last = some.consumers[2]
        for later, out in ((30, {"n1"}), (31, set[str]())):
            some.clock.now += later
            with pytest.raises(errors.UnavailableError):
                await last.voting.look()
            assert some.out()["c3"] == out


async def test_who_leaves_takes_back_what_it_said_and_forgets_what_it_heard() -> None:
    async with room(3) as some:
        for one in some.consumers[:2]:
            one.report("n1", Outcome.UNAVAILABLE)
        await some.look()
        registry = some.consumers[2].voting._registry
        assert {one.voter for one in await registry.votes("mill")} == {"c1", "c2", "c3"}
        await some.consumers[2].voting.__aexit__()
        assert some.out()["c3"] == set()
        await some.consumers[0].voting.__aexit__()
        assert {one.voter for one in await registry.votes("mill")} == {"c2"}


async def test_a_rule_may_have_nobody_vote_or_only_say_what_votes_would_do() -> None:
    async with room(3) as some:
        for one in some.consumers:
            one.caller.governor.rule({"v": b'{"votes": {"mode": "off"}}'})
        for one in some.consumers[:2]:
            one.report("n1", Outcome.UNAVAILABLE)
        some.consumers[2].caller.governor.chain(GRIND)
        await some.look()
        registry = some.consumers[2].voting._registry
        assert {one.node for one in await registry.votes("mill")} == {PRESENCE}
        assert some.out()["c3"] == set()


async def test_a_list_in_a_file_has_no_votes_and_the_log_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "nodes.toml"
    file.write_text('[[mill.nodes]]\nname = "n1"\naddresses = { csf1 = "127.0.0.1:1" }\n')
    caplog.set_level(logging.INFO, "qiantang.rpc.client.voting")
    async with registry_of(RegistrySettings(adapter="file", address=str(file))) as registry, AsyncExitStack() as stack:
        some = Room(stack, Clock())
        one = await some.join(registry, "c1")
        one.report("n1", Outcome.UNAVAILABLE)
        await some.look(5)
        assert some.out() == {"c1": {"n1"}}
        await one.voting.__aexit__()
    assert caplog.text.count("does not tell others") == 1


async def test_a_registry_that_takes_no_more_votes_is_heard_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async with room(3) as some:
        for one in some.consumers[:2]:
            one.report("n1", Outcome.UNAVAILABLE)
        await some.look()
        monkeypatch.setattr(memory, "MAX_VOTES", 5)
        some.consumers[2].report("n2", Outcome.UNAVAILABLE)
        await some.look()
        registry = some.consumers[2].voting._registry
        assert len(await registry.votes("mill")) == 5
        assert some.out()["c3"] == {"n1", "n2"}, "n2 by what it found itself"


async def test_voting_goes_on_by_itself_on_another_loop_than_its_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    address = fresh_name("mill")
    registry = memory.make(RegistrySettings(address=address))
    async with AsyncExitStack() as stack:
        some = Room(stack, Clock())
        here = [await some.join(registry, f"c{number}") for number in (1, 2)]
        blocking = BlockingCaller(WHO)
        blocking.use([node(one) for one in NAMES], "mill")
        blocking.governor.chain(GRIND)
        third = Consumer("c3", blocking, Voting(registry, "mill", blocking, "c3", clock=some.clock), some.clock)

        async def begin() -> None:
            await registry.__aenter__()
            for one in (*here, third):
                await one.voting.__aenter__()

        async def end() -> None:
            for one in (*here, third):
                await one.voting.__aexit__()
            await registry.__aexit__(None, None, None)

        await runtime.bridge(begin())
        try:
            for one in here:
                one.report("n1", Outcome.UNAVAILABLE)
            await until(lambda: third.asked() == {"n2", "n3", "n4"})
            await until(lambda: here[0].asked() == {"n2", "n3", "n4"})
        finally:
            await runtime.bridge(end())
        assert third.asked() == set(NAMES)


@pytest.mark.zookeeper
async def test_votes_over_zookeeper_count_for_all_and_end_with_their_voter(zookeeper_server: Any) -> None:
    tenant = fresh_name("tenant")
    settings = RegistrySettings(
        adapter="zookeeper", address=zookeeper_server.hosts, tenant=tenant, zookeeper_acl="open"
    )
    async with AsyncExitStack() as stack:
        some, registries = Room(stack, Clock()), [registry_of(settings) for _ in range(5)]
        for number, registry in enumerate(registries, 1):
            await some.join(await stack.enter_async_context(registry), f"c{number}")
        some.consumers[0].report("n1", Outcome.UNAVAILABLE)
        await some.look()
        assert some.out() == {"c1": {"n1"}} | {f"c{number}": set() for number in range(2, 6)}
        for one in some.consumers[1:3]:
            one.report("n1", Outcome.UNAVAILABLE)
        await some.look()
        assert some.out() == {f"c{number}": {"n1"} for number in range(1, 6)}
        for registry in registries[:2]:
            await registry.__aexit__(None, None, None)  # gone without a word
        del some.consumers[:2]
        await some.look()
        assert some.out() == {"c3": {"n1"}, "c4": set(), "c5": set()}


class Worker:
    """A node over a real socket."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ill = False

    async def grind(self) -> str:
        if self.ill:
            raise RuntimeError("ill")
        return self.name


async def test_two_that_meet_a_node_that_fails_spare_the_third_and_all_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    rule = {
        "node_breaker": {"consecutive": 2, "wait": 0.3, "jitter": 0, "probes": 1},
        "votes": {"pause": 0.1},
        "outlier": {"mode": "off"},
        "adaptive": {"mode": "off"},
        "retry": {"on": ["internal", "unavailable"], "budget": 1, "least": 1000},
    }
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(memory.make(RegistrySettings(address=fresh_name("mill"))))
        workers = {name: Worker(name) for name in ("n1", "n2", "n3")}
        for name, worker in workers.items():
            provider = Provider(name).add(Mill, worker)
            await registry.register("mill", node(name, await provider.listen("127.0.0.1")))
            stack.push_async_callback(provider.close)
        directory = await stack.enter_async_context(Directory(registry, "mill"))
        await until(lambda: len(directory.snapshot.nodes) == 3)
        callers = [await stack.enter_async_context(Caller(WHO)) for _ in range(3)]
        for number, caller in enumerate(callers):
            caller.follow(directory)
            caller.governor.rule({"r": msgspec.json.encode(rule)})
            await stack.enter_async_context(Voting(registry, "mill", caller, f"c{number}"))
        clients = [caller.client(Mill) for caller in callers]
        assert await clients[2].grind() in workers
        workers["n1"].ill = True

        def barred(caller: Caller) -> frozenset[str]:
            return caller.governor.chain(GRIND).barred

        async with asyncio.timeout(60):
            while not barred(callers[2]):
                for client in clients[:2]:
                    assert await client.grind() != "n1"
                await asyncio.sleep(0.005)
        for _ in range(50):
            assert await clients[2].grind() in {"n2", "n3"}
        workers["n1"].ill = False
        seen: list[set[str]] = [set(), set(), set()]
        async with asyncio.timeout(60):
            while any("n1" not in one for one in seen) or barred(callers[2]):
                for client, names in zip(clients, seen, strict=True):
                    names.add(await client.grind())
                await asyncio.sleep(0.005)
