"""Votes: many decide for all, one for itself, and never over more than half of the nodes."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qiantang.rpc.governance import votes as module
from qiantang.rpc.governance.votes import Ballot, Votes, prober
from qiantang.rpc.model.rules import VotesRule

NODES = ["n1", "n2", "n3", "n4"]
CONSUMERS = [f"c{number}" for number in range(10)]


def made(**settings: object) -> Votes:
    return Votes(VotesRule(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(("consumers", "quorum"), [(0, 2), (1, 2), (3, 2), (6, 2), (7, 3), (10, 3), (11, 4), (100, 30)])
def test_the_quorum_is_thirty_percent_and_never_below_two(consumers: int, quorum: int) -> None:
    assert made().quorum(consumers) == quorum


def test_a_quorum_puts_a_node_out_until_its_votes_end() -> None:
    votes = made(lifetime=60)
    for voter in CONSUMERS[:2]:
        votes.hear("n1", voter, 100.0)
    votes.count(100.0, NODES, CONSUMERS)
    assert not votes.is_out("n1")
    votes.hear("n1", "c2", 120.0)
    votes.count(120.0, NODES, CONSUMERS)
    assert votes.is_out("n1")
    votes.count(160.0, NODES, CONSUMERS)
    assert not votes.is_out("n1"), "two of three votes are over"


def test_votes_of_who_is_gone_or_took_them_back_do_not_count() -> None:
    votes = made()
    for voter in CONSUMERS[:3]:
        votes.hear("n1", voter, 100.0)
        votes.hear("n2", voter, 100.0)
    votes.withdraw("n1", "c0")
    votes.count(100.0, NODES, CONSUMERS)
    assert votes.out == {"n2"}
    votes.forget("c1")
    votes.count(100.0, NODES, CONSUMERS)
    assert not votes.out
    votes.hear("n3", "stranger", 100.0)
    votes.hear("n3", "stranger-2", 100.0)
    votes.hear("n3", "stranger-3", 100.0)
    votes.count(100.0, NODES, CONSUMERS)
    assert not votes.out, "who does not live has no vote"


def test_a_node_may_say_so_of_itself() -> None:
    votes = made()
    votes.hear("n1", "n1", 100.0)
    votes.count(100.0, NODES, CONSUMERS)
    assert votes.out == {"n1"}


def test_over_half_of_the_nodes_is_panic_and_nothing_is_out_but_what_people_hold() -> None:
    votes = made()
    for node in NODES[:3]:
        for voter in CONSUMERS:
            votes.hear(node, voter, 100.0)
    votes.count(100.0, NODES, CONSUMERS)
    assert votes.panic
    assert not votes.out
    votes.hold("n4", "out")
    votes.hold("n3", "in")
    votes.count(100.0, NODES, CONSUMERS)
    assert votes.out == {"n1", "n2", "n4"}
    votes.hold("n3", "")
    votes.count(100.0, NODES, CONSUMERS)
    assert votes.out == {"n4"}


def test_votes_without_number_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VOTES", 3)
    votes = made()
    for number in range(100):
        votes.hear(f"x{number}", "c0", 100.0)
        votes.hear("n1", f"c{number}", 100.0)
    assert sum(map(len, votes._votes.values())) == 3
    assert len(votes._votes) <= 3


def test_in_shadow_only_what_people_hold_is_out() -> None:
    votes = made(mode="shadow")
    for voter in CONSUMERS:
        votes.hear("n1", voter, 100.0)
    votes.hold("n2", "out")
    votes.count(100.0, NODES, CONSUMERS)
    assert (votes.out, votes.would_be_out) == ({"n2"}, {"n1"})


VOTES = st.lists(
    st.tuples(st.sampled_from([*NODES, "n5"]), st.sampled_from(CONSUMERS[1:]), st.floats(0, 20)), max_size=60
)


@given(VOTES, st.integers(1, 10), st.integers(1, 5))
def test_one_bad_client_changes_nothing_alone_and_half_of_the_nodes_stay(
    heard: list[tuple[str, str, float]], living: int, nodes: int
) -> None:
    """With c0 voting against all, a node is out only where others voted against it as well, one short of the quorum at least."""
    now, there, live = 100.0, [*NODES, "n5"][:nodes], CONSUMERS[:living]
    votes = made()
    last: dict[tuple[str, str], float] = {}
    for node, voter, passed in heard:
        now += passed
        votes.hear(node, voter, now)
        last[node, voter] = now
    for node in there:
        votes.hear(node, CONSUMERS[0], now)
    votes.count(now, there, live)
    assert len(votes.out) <= len(there) / 2
    for node in votes.out:
        others = [v for (n, v), at in last.items() if n == node and v in live and at > now - 60]
        assert len(others) >= max(1, votes.quorum(living) - 1)


@given(st.lists(st.tuples(st.floats(0, 10), st.booleans()), max_size=60))
def test_a_consumer_says_one_word_of_a_node_in_five_seconds(asked: list[tuple[float, bool]]) -> None:
    ballot, now = Ballot(VotesRule()), 100.0
    said: list[float] = []
    words: list[bool] = []
    for passed, is_open in asked:
        now += passed
        if ballot.may_say("n1", is_open, now):
            said.append(now)
            words.append(is_open)
    assert all(later - earlier >= 5 for earlier, later in itertools.pairwise(said))
    assert not words or words[0] is True, "nobody asks to be told that all is well"


def test_another_word_may_follow_after_exactly_the_pause() -> None:
    ballot = Ballot(VotesRule(pause=5))
    assert [ballot.may_say("n1", is_open, at) for is_open, at in ((True, 100.0), (False, 104.9), (False, 105.0))] == [
        True,
        False,
        True,
    ]
    assert ballot.may_say("n2", True, 105.0), "each node has its own pause"


def test_a_vote_is_renewed_before_it_ends() -> None:
    ballot = Ballot(VotesRule(lifetime=60))
    said = [at for at in range(121) if ballot.may_say("n1", True, float(at))]
    assert said == [0, 20, 40, 60, 80, 100, 120]
    ballot.keep([])
    assert ballot.may_say("n1", True, 121.0)


def test_one_consumer_tries_a_node_for_all() -> None:
    assert prober(["b", "a", "c"]) == "a"
    assert prober([]) == ""


def test_of_those_who_voted_one_goes_on_trying_and_then_the_next() -> None:
    votes = made()
    for voter in ("c3", "c1", "c2"):
        votes.hear("n1", voter, 100.0)
    barred = {}
    for me in ("c0", "c1", "c2", "c3", ""):
        votes.count(100.0, NODES, CONSUMERS[:4], me)
        barred[me] = votes.is_out("n1")
    assert barred == {"c0": True, "c1": False, "c2": True, "c3": True, "": True}
    votes.withdraw("n1", "c1")
    votes.count(100.0, NODES, CONSUMERS[:4], "c2")
    assert not votes.is_out("n1")
    assert votes.out == {"n1"}, "for all others"
    votes.hold("n1", "out")
    votes.count(100.0, NODES, CONSUMERS[:4], "c2")
    assert votes.is_out("n1"), "what people hold out nobody tries"


def test_a_node_that_says_so_of_itself_is_tried_by_nobody_who_did_not_vote() -> None:
    votes = made()
    votes.hear("n1", "n1", 100.0)
    votes.count(100.0, NODES, CONSUMERS, "c0")
    assert votes.is_out("n1")


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VOTES", 3)
    votes = made()
    for voter in CONSUMERS:
        votes.hear("n1", voter, 100.0)
    votes.count(100.0, NODES, CONSUMERS)
    assert votes.quorum(len(CONSUMERS)) == 3
    assert votes.out == {"n1"}
    votes.withdraw("n1", "c0")
    votes.hear("n2", "c0", 100.0)
    votes.hear("n2", "c1", 100.0)
    votes.count(161.0, NODES, CONSUMERS)
    assert not votes.out
    for voter in CONSUMERS[:3]:
        votes.hear("n3", voter, 161.0)
    votes.count(161.0, NODES, CONSUMERS)
    assert votes.out == {"n3"}, "what ended makes room"
