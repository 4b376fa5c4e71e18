"""Protection against empty lists: its rules one by one, and its properties over any history on a virtual clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qiantang.registry.client.protection import SAID_GOODBYE, Protection
from qiantang.registry.model import Node, State
from qiantang.registry.testing import node

KEEP = 300.0


def nodes(names: str, state: State = "ready") -> tuple[Node, ...]:
    return tuple(node(name, state=state) for name in names)


def names(protection: Protection) -> str:
    return "".join(one.name for one in protection.nodes)


def taken(*lists: tuple[Node, ...]) -> Protection:
    protection = Protection(KEEP)
    for number, listed in enumerate(lists):
        protection.take(listed, float(number))
    return protection


def test_an_empty_list_makes_suspects_of_all() -> None:
    protection = taken(nodes("abc"), ())
    assert names(protection) == "abc"
    assert protection.suspects == frozenset("abc")
    assert protection.expires_at == 1 + KEEP


def test_the_last_node_is_kept_too() -> None:
    assert names(taken(nodes("a"), ())) == "a"


def test_a_list_that_loses_half_is_believed_and_one_that_loses_more_is_not() -> None:
    assert names(taken(nodes("abcd"), nodes("ab"))) == "ab"
    assert names(taken(nodes("abcd"), nodes("a"))) == "abcd"
    assert taken(nodes("abcd"), nodes("a")).suspects == frozenset("bcd")


def test_nodes_that_said_goodbye_are_no_suspects() -> None:
    assert names(taken((*nodes("ab", "draining"), *nodes("cd", "offline"), *nodes("e")), ())) == "e"
    assert names(taken(nodes("abc", "draining"), ())) == ""


def test_a_suspect_goes_when_a_connection_to_it_fails_and_nothing_else_does() -> None:
    protection = taken(nodes("abc"), ())
    assert protection.suspect_failed("b")
    assert not protection.suspect_failed("b")
    assert names(protection) == "ac"
    listed = taken(nodes("abc"))
    assert not listed.suspect_failed("b")
    assert names(listed) == "abc"


def test_each_suspect_goes_when_its_own_time_is_over() -> None:
    protection = taken(nodes("abcdef"), nodes("ab"))
    protection.take((), 10.0)
    assert not protection.expire(1 + KEEP - 0.001)
    assert protection.expire(1 + KEEP)
    assert names(protection) == "ab"
    assert protection.expires_at == 10.0 + KEEP
    assert protection.expire(10.0 + KEEP)
    assert (names(protection), protection.expires_at) == ("", None)


def test_the_same_trouble_told_again_gives_no_more_time() -> None:
    protection = taken(nodes("abc"), ())
    protection.take((), 100.0)
    assert protection.expires_at == 1 + KEEP


def test_a_list_that_is_full_again_is_taken_at_once() -> None:
    assert names(taken(nodes("abc"), (), nodes("abc"))) == "abc"
    assert taken(nodes("abc"), (), nodes("abc")).suspects == frozenset()
    assert names(taken(nodes("abc"), (), nodes("xyz"))) == "xyz", "all started anew under other names"
    assert names(taken(nodes("abc"), (), nodes("xy"))) == "abcxy"


def test_a_suspect_that_is_listed_again_is_as_listed() -> None:
    protection = taken(nodes("abc"), (), nodes("a", "draining"))
    assert protection.suspects == frozenset("bc")
    assert [one.state for one in protection.nodes] == ["draining", "ready", "ready"]


def test_no_time_is_no_protection() -> None:
    protection = Protection(0.0)
    protection.take(nodes("ab"), 0.0)
    protection.take((), 1.0)
    protection.expire(1.0)
    assert protection.nodes == ()


NAMES = st.sampled_from("abcdefgh")
STATES = st.sampled_from(["starting", "ready", "draining", "offline"])
LISTS = st.dictionaries(NAMES, STATES).map(
    lambda made: tuple(node(name, state=state) for name, state in sorted(made.items()))
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), LISTS),
        st.tuples(st.just("fail"), NAMES),
        st.tuples(st.just("wait"), st.floats(0, 2 * KEEP)),
    ),
    max_size=30,
)


@given(STEPS)
def test_whatever_a_registry_tells(steps: list[tuple[str, object]]) -> None:
    """No list is emptied in one step, no suspect outstays its time, and what is listed is always there as listed."""
    protection, now = Protection(KEEP), 0.0
    listed: tuple[Node, ...] = ()
    last_listed: dict[str, float] = {}
    for what, value in steps:
        staying = [one for one in protection.nodes if one.state not in SAID_GOODBYE]
        if what == "wait":
            now += float(value)  # type: ignore[arg-type]
            protection.expire(now)
        elif what == "fail":
            protection.suspect_failed(str(value))
        else:
            protection.expire(now)
            staying = [one for one in protection.nodes if one.state not in SAID_GOODBYE]
            for one in listed:
                last_listed[one.name] = now  # it was there until now
            listed = value  # type: ignore[assignment]
            protection.take(listed, now)
            assert protection.nodes or not staying, "a list was emptied in one step"
        shown = {one.name: one for one in protection.nodes}
        assert {name: shown[name] for name in (one.name for one in listed)} == {one.name: one for one in listed}
        assert protection.suspects == shown.keys() - {one.name for one in listed}
        for name in protection.suspects:
            assert now < last_listed[name] + KEEP, "a suspect outstayed its time"
            assert shown[name].state not in SAID_GOODBYE


@given(LISTS, st.lists(LISTS, max_size=4))
def test_a_full_list_is_taken_at_once_whatever_was_before(
    full: tuple[Node, ...], troubles: list[tuple[Node, ...]]
) -> None:
    protection, now = Protection(KEEP), 0.0
    most = full
    protection.take(full, now)
    for trouble in troubles:
        now += 1
        protection.take(trouble, now)
        most = max(most, trouble, protection.nodes, key=len)
    everybody = tuple(node(f"{name}{copy}") for copy in range(5) for name in "abcdefgh")
    assert len(everybody) >= len(most)
    protection.take(everybody, now + 1)
    assert (protection.nodes, protection.suspects) == (tuple(sorted(everybody, key=lambda one: one.name)), frozenset())
