"""Routes: which nodes each rule leaves, what falls back, what is refused, and what is worked out only once."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel import errors as kernel_errors
from qiantang.kernel import wire
from qiantang.registry.model import Node, Provided, State
from qiantang.rpc import errors
from qiantang.rpc.balance.endpoint import Endpoint, Endpoints
from qiantang.rpc.balance.matching import Call, Consumer
from qiantang.rpc.balance.narrowing import place
from qiantang.rpc.balance.routing import MOST_CLASSES, RouteBook, Router, Table
from qiantang.rpc.model.routes import (
    SECTIONS,
    Condition,
    ConditionRoute,
    GrayRoute,
    Route,
    Section,
    TagRoute,
    Target,
    VersionRoute,
    ZoneRoute,
)

from .writing import condition_route, gray_route, tag_route, version_route, zone_route

SERVICE = "order.Orders"


def node(name: str, **said: Any) -> Node:
    provided = Provided(version=said.pop("version", "1.0"), group=said.pop("group", "default"))
    return Node(name=name, addresses={"csf1": f"{name}:1"}, services={SERVICE: provided}, **said)


def endpoints(*nodes: Node) -> Endpoints:
    return tuple(Endpoint(one, 0.0) for one in nodes)


def table(nodes: Endpoints, *named: Route, zone: str = "") -> Table:
    by_name = {f"r{number}": rule for number, rule in enumerate(named)}
    return Router(by_name, Consumer(application="shop", zone=zone)).table(nodes)


def call(method: str = "get", **said: Any) -> Call:
    return Call(service=said.pop("service", SERVICE), method=method, **said)


def names(found: Endpoints) -> str:
    return " ".join(one.node.name for one in found)


CANARY = [Target(of="tag", name="release", values=["canary"])]
NOWHERE = [Target(of="zone", values=["nowhere"])]


def test_without_rules_all_that_are_ready_and_provide_it_stay() -> None:
    states: tuple[State, ...] = ("ready", "starting", "draining", "offline")
    nodes = endpoints(*(node(one, state=one) for one in states), Node(name="other", addresses={}))
    assert names(table(nodes).route(call())) == "ready"


def test_nobody_that_provides_it_is_an_unknown_service() -> None:
    with pytest.raises(errors.UnknownServiceError) as caught:
        table(endpoints(node("a"))).route(call(service="order.Other"))
    assert "order.Other.get" in caught.value.detail
    with pytest.raises(errors.UnknownServiceError):
        table(()).route(call())


def test_versions_and_groups() -> None:
    nodes = endpoints(node("a", version="1.1"), node("b", version="1.9", group="vip"), node("c", version="2.0"))
    assert names(table(nodes, version_route(versions=">=1.2,<2")).route(call())) == "b"
    assert names(table(nodes, version_route(group="default")).route(call())) == "a c"
    assert names(table(nodes, version_route(versions=">=3")).route(call())) == "a b c", "passed over"
    with pytest.raises(errors.UnknownServiceError, match=r"forced version rule 'r0' leaves none of 3"):
        table(nodes, version_route(versions=">=3", force=True)).route(call())


def test_conditions_narrow_one_after_the_other() -> None:
    nodes = endpoints(node("a", zone="east"), node("b", zone="east", cluster="new"), node("c", zone="west"))
    east = condition_route(
        when=[Condition(of="method", operator="prefix", values=["get"])], to=[Target(of="zone", values=["east"])]
    )
    new = condition_route(
        when=[Condition(of="header", name="X-Beta", values=["yes"])], to=[Target(of="cluster", values=["new"])]
    )
    found = table(nodes, east, new)
    assert names(found.route(call("get_one"))) == "a b"
    assert names(found.route(call("get_one", headers={"x-beta": "yes"}))) == "b"
    assert names(found.route(call("put", headers={"x-beta": "yes"}))) == "b"
    assert names(found.route(call("put"))) == "a b c"


def test_a_rule_is_for_its_services_and_consumers_alone() -> None:
    nodes = endpoints(node("a"), node("b", tags={"release": "canary"}))
    other = condition_route(services=["order.Other"], to=CANARY)
    somebody = condition_route(when=[Condition(of="consumer", values=["crm"])], to=CANARY)
    shop = condition_route(services=[SERVICE], when=[Condition(of="consumer", values=["shop"])], to=CANARY)
    off = msgspec.structs.replace(shop, enabled=False)
    assert names(table(nodes, other, somebody, off).route(call())) == "a b"
    assert names(table(nodes, other, somebody, shop).route(call())) == "b"


LANES = endpoints(node("a"), node("b"), node("blue", tags={"lane": "blue"}))


def test_a_lane_takes_its_calls_and_no_others() -> None:
    lanes = table(LANES, tag_route())
    assert names(lanes.route(call(tags={"lane": "blue"}))) == "blue"
    assert names(lanes.route(call())) == "a b"
    assert names(lanes.route(call(tags={"lane": "green"}))) == "a b", "falls back to those without the tag"
    assert names(lanes.route(call(tags={"lane": "x" * 500}))) == "a b"


def test_a_forced_lane_does_not_fall_back() -> None:
    lanes = table(LANES, tag_route(force=True))
    assert names(lanes.route(call(tags={"lane": "blue"}))) == "blue"
    with pytest.raises(errors.UnknownServiceError, match="lane=green"):
        lanes.route(call(tags={"lane": "green"}))
    with pytest.raises(errors.UnknownServiceError, match="no lane"):
        table(LANES[2:], tag_route(force=True)).route(call())
    assert names(table(LANES[2:], tag_route()).route(call())) == "blue", "better another lane than nobody"


GRAY = endpoints(node("old"), node("new", tags={"release": "canary"}))


def gray(percent: float, **said: Any) -> Route:
    return gray_route(percent=percent, to=CANARY, **said)


def among(percent: float, keys: int = 2000) -> set[str]:
    found = table(GRAY, gray(percent))
    return {f"u{one}" for one in range(keys) if names(found.route(call(key=f"u{one}"))) == "new"}


def test_gray_takes_its_percentage_and_more_only_adds() -> None:
    few, some, many = among(5), among(20), among(60)
    assert few < some < many
    assert [len(one) / 2000 for one in (few, some, many)] == pytest.approx([0.05, 0.2, 0.6], abs=0.03)
    assert not among(0)
    assert len(among(100)) == 2000


def test_a_key_is_at_the_same_place_in_all_processes() -> None:
    # first six bytes of BLAKE2b-48 of "r0\0user-1", by coreutils: b2sum -l 48
    assert place("r0", "user-1") == int("6418a89d60f8", 16) * 100 / 2**48


def test_gray_goes_by_what_it_is_told_to() -> None:
    by_header = table(GRAY, gray(100, key="header", key_name="X-User"))
    assert names(by_header.route(call(headers={"x-user": "7"}))) == "new"
    assert names(by_header.route(call(key="7"))) == "old", "without the key it is not among them"
    when = table(GRAY, gray(100, when=[Condition(of="method", values=["get"])]))
    assert names(when.route(call("put", key="1"))) == "old new"
    assert names(when.route(call("get", key="1"))) == "new"
    assert names(table(GRAY[:1], gray(100)).route(call(key="1"))) == "old", "there is no canary"
    with pytest.raises(errors.UnknownServiceError):
        table(GRAY[:1], gray(100, force=True)).route(call(key="1"))


def zones(**weights: int) -> Endpoints:
    return endpoints(*(node(name, zone=name.split("_")[0], weight=weight) for name, weight in weights.items()))


def test_calls_stay_in_their_zone() -> None:
    nodes = zones(east_1=100, east_2=100, west_1=100)
    assert names(table(nodes, zone_route(), zone="east").route(call())) == "east_1 east_2"
    assert names(table(nodes, zone_route(), zone="").route(call())) == "east_1 east_2 west_1"
    assert names(table(nodes, zone_route(), zone="north").route(call())) == "east_1 east_2 west_1"


def test_calls_leave_a_zone_that_is_not_healthy_enough_and_come_back() -> None:
    nodes = zones(east_1=100, east_2=300, west_1=100)
    router = Router({"z": zone_route(healthy_percent=50)}, Consumer(zone="east"))
    first = router.table(nodes)
    nodes[0].success = 0.1
    second = router.table(nodes, first)
    assert second is not first
    assert names(second.route(call())) == "east_1 east_2", "three quarters are healthy"
    nodes[1].success = 0.1
    third = router.table(nodes, second)
    assert names(third.route(call())) == "east_1 east_2 west_1"
    nodes[0].success = 0.9
    third = router.table(nodes, third)
    assert names(third.route(call())) == "east_1 east_2 west_1", "a quarter is healthy"
    nodes[1].success = 0.9
    assert names(router.table(nodes, third).route(call())) == "east_1 east_2"


def test_a_table_says_the_same_of_a_call_as_long_as_it_is_in_use() -> None:
    nodes = zones(east_1=100, west_1=100)
    found = table(nodes, zone_route(), zone="east")
    assert names(found.route(call("a"))) == "east_1"
    nodes[0].success = 0.0
    assert names(found.route(call("b"))) == "east_1"
    assert found.explain(call("a"))[-1].kept == ["east_1"]


def test_calls_leave_a_zone_that_is_too_small() -> None:
    nodes = zones(east_1=100, west_1=300, west_2=600)
    assert names(table(nodes, zone_route(capacity_percent=20), zone="east").route(call())) == "east_1 west_1 west_2"
    assert names(table(nodes, zone_route(capacity_percent=10), zone="east").route(call())) == "east_1"


def test_a_forced_zone_is_never_left() -> None:
    nodes = zones(east_1=100, west_1=300)
    nodes[0].success = 0.0
    assert names(table(nodes, zone_route(force=True), zone="east").route(call())) == "east_1"
    with pytest.raises(errors.UnknownServiceError, match="zone north"):
        table(nodes, zone_route(force=True), zone="north").route(call())


def test_rules_are_taken_in_their_order_whatever_their_names() -> None:
    nodes = endpoints(node("a", zone="east"), node("b", zone="west", version="2"), node("c", zone="west"))
    found = table(nodes, zone_route(), version_route(versions=">=2"), zone="east")
    assert names(found.route(call())) == "b", "the version first; then there is nobody in the zone"
    low = condition_route(priority=-1, to=[Target(of="node", values=["a"])])
    high = condition_route(priority=1, to=[Target(of="node", operator="in", values=["b", "c"])])
    assert [step.rule for step in table(nodes, low, high).explain(call())] == ["", "r1", "r0"]


def test_a_rule_that_cannot_be_read_is_named() -> None:
    with pytest.raises(kernel_errors.InvalidRequestError, match=r"route 'r0': '1\.x' is not a range"):
        table((), version_route(versions="1.x"))


def test_what_may_go_to_the_same_gets_the_same_tuple() -> None:
    nodes = endpoints(node("a"), node("b", tags={"release": "canary"}))
    found = table(nodes, condition_route(when=[Condition(of="method", operator="prefix", values=["get"])], to=CANARY))
    assert found.route(call("get")) is found.route(call("get"))
    assert found.route(call("get")) is found.route(call("get_all"))
    assert found.route(call("put")) is nodes


def test_a_table_is_made_anew_only_when_something_changed() -> None:
    nodes = endpoints(node("a"))
    router = Router({}, Consumer())
    first = router.table(nodes)
    assert router.table(nodes, first) is first
    assert router.table((*nodes,), first) is not first
    assert Router({}, Consumer()).table(nodes, first) is not first


def test_strangers_tags_and_services_do_not_fill_the_memory() -> None:
    found = table(LANES, tag_route())
    for number in range(3 * MOST_CLASSES):
        assert names(found.route(call(tags={"lane": str(number)}))) == "a b"
        with pytest.raises(errors.UnknownServiceError):
            found.route(call(service=f"s{number}"))
    assert len(vars(found)["_classes"]) <= MOST_CLASSES
    assert len(vars(found)["_same"]) <= MOST_CLASSES


WORDS = st.sampled_from(["a", "b", "c"])
NODES = st.lists(
    st.builds(
        lambda number, zone, version, group, tags, weight: node(
            f"n{number}", zone=zone, version=version, group=group, tags=tags, weight=weight
        ),
        st.integers(0, 99),
        WORDS,
        st.sampled_from(["1.0", "1.5", "2.0", "blue"]),
        WORDS,
        st.dictionaries(WORDS, WORDS, max_size=2),
        st.integers(0, 3),
    ),
    max_size=6,
    unique_by=lambda one: one.name,
)
COMPARED = {
    "operator": st.sampled_from(["in", "prefix"]),
    "values": st.lists(WORDS, min_size=1, max_size=2),
    "negate": st.booleans(),
}
CONDITIONS = st.lists(
    st.builds(Condition, of=st.sampled_from(["method", "header", "argument", "tag"]), name=WORDS, **COMPARED),
    max_size=2,
)
TARGETS = st.lists(
    st.builds(Target, of=st.sampled_from(["tag", "zone", "group", "node"]), name=WORDS, **COMPARED),
    min_size=1,
    max_size=2,
)
SHARED = {"force": st.booleans(), "priority": st.integers(-2, 2)}
RULES = st.one_of(
    st.builds(version_route, when=CONDITIONS, versions=st.sampled_from(["", ">=1.2,<2", "!=1"]), group=WORDS, **SHARED),
    st.builds(condition_route, when=CONDITIONS, to=TARGETS, **SHARED),
    st.builds(tag_route, tag=WORDS, **SHARED),
    st.builds(
        gray_route,
        when=CONDITIONS,
        percent=st.integers(0, 100),
        key=st.just("header"),
        key_name=WORDS,
        to=TARGETS,
        **SHARED,
    ),
    st.builds(zone_route, healthy_percent=st.integers(0, 100), capacity_percent=st.integers(0, 100), **SHARED),
)
TEXTS = st.dictionaries(WORDS, WORDS)
CALLS = st.lists(
    st.builds(
        Call,
        service=st.just(SERVICE),
        method=WORDS,
        tags=TEXTS,
        headers=TEXTS,
        arguments=TEXTS,
        key=st.sampled_from("ab"),
    ),
    min_size=1,
    max_size=8,
)


def route(found: Table, one: Call) -> Endpoints | None:
    try:
        return found.route(one)
    except errors.UnknownServiceError:
        return None


@given(nodes=NODES, chain=st.lists(RULES, max_size=4), calls=CALLS, sick=st.sets(st.integers(0, 5)), zone=WORDS)
def test_what_is_explained_is_what_is_routed(
    nodes: list[Node], chain: list[Route], calls: list[Call], sick: set[int], zone: str
) -> None:
    made = endpoints(*nodes)
    for place_of_it in sick & set(range(len(made))):
        made[place_of_it].success = 0.0
    found = table(made, *chain, zone=zone)
    for one in [*calls, *calls]:
        kept, steps = route(found, one), found.explain(one)
        before = [node.name for node in nodes]
        for step in steps:
            assert [name for name in before if name not in step.dropped] == step.kept
            assert set(step.dropped) <= set(before)
            before = step.kept
        assert [each.node.name for each in kept or ()] == before
        fresh = table(made, *chain, zone=zone)
        assert route(fresh, one) == kept, "what another call of its class left here would be left by this one"


@given(nodes=NODES, chain=st.lists(RULES, max_size=4), calls=CALLS, zone=WORDS)
def test_no_node_that_a_forced_rule_excludes_is_ever_given(
    nodes: list[Node], chain: list[Route], calls: list[Call], zone: str
) -> None:
    made = endpoints(*nodes)
    found = table(made, *chain, zone=zone)
    for one in calls:
        kept = {each.node.name for each in route(found, one) or ()}
        for rule in chain:
            if rule.force:
                assert kept <= allowed(rule, one, nodes, zone)


def allowed(written: Route, one: Call, nodes: list[Node], zone: str) -> set[str]:
    """Say once more, and plainly, what a forced rule allows."""

    def compared(comparison: Condition | Target, value: str | None) -> bool:
        values = tuple(comparison.values)
        fits = value is not None and (value in values if comparison.operator == "in" else value.startswith(values))
        return fits != comparison.negate

    def applies(conditions: list[Condition]) -> bool:
        parts = {"header": one.headers, "argument": one.arguments, "tag": one.tags}
        return all(
            compared(each, one.method if each.of == "method" else parts[each.of].get(each.name)) for each in conditions
        )

    def fits(target: Target, each: Node) -> bool:
        found = {
            "tag": each.tags.get(target.name),
            "zone": each.zone,
            "group": each.services[SERVICE].group,
            "node": each.name,
        }
        return compared(target, found[target.of])

    everybody = {each.name for each in nodes}
    match rule := written.section:
        case VersionRoute() if applies(rule.when):
            versions = {"": {"1.0", "1.5", "2.0", "blue"}, ">=1.2,<2": {"1.5"}, "!=1": {"1.5", "2.0"}}[rule.versions]
            return {
                each.name
                for each in nodes
                if each.services[SERVICE].version in versions and each.services[SERVICE].group == rule.group
            }
        case ConditionRoute() if applies(rule.when):
            return {each.name for each in nodes if all(fits(target, each) for target in rule.to)}
        case TagRoute():
            return {each.name for each in nodes if each.tags.get(rule.tag) == one.tags.get(rule.tag)}
        case GrayRoute() if applies(rule.when) and rule.percent in (0, 100):
            taken = rule.percent == 100 and rule.key_name in one.headers
            return {each.name for each in nodes if all(fits(target, each) for target in rule.to) == taken}
        case ZoneRoute():
            return {each.name for each in nodes if each.zone == zone}
        case _:
            return everybody


def test_every_sort_of_rule_has_its_place() -> None:
    assert set(SECTIONS) <= set(Route.__struct_fields__) and len(SECTIONS) == len(get_args(Section))


def test_a_route_that_cannot_be_read_leaves_its_last_good_state_in_force() -> None:
    nodes = endpoints(node("a", version="1.0"), node("b", version="2.0"))
    book = RouteBook(Consumer(application="shop"))
    new, old = (wire.encode(version_route(versions=text)) for text in (">=2", "<2"))
    router, report = book.replace({"one": new, "other": b"{}"})
    assert names(router.table(nodes).route(call())) == "b"
    assert report.applied == ("one",)
    assert report.problems["other"].endswith("it does not count")
    router, report = book.replace({"one": b'{"version": {"versions": "1.x"}}'})
    assert names(router.table(nodes).route(call())) == "b"
    assert report.applied == ()
    assert report.problems["one"].startswith("route 'one': '1.x' is not a range")
    assert report.problems["one"].endswith("its last good state counts")
    router, report = book.replace({"one": old})
    assert (names(router.table(nodes).route(call())), report.problems) == ("a", {})
