"""Who takes part, by what was heard, and whose the queues are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qiantang.messaging.adapters.sharing import members
from qiantang.messaging.adapters.sharing.members import Members, Word


@given(names=st.sets(st.text(min_size=1, max_size=5), min_size=1, max_size=6), queues=st.integers(1, 20))
def test_members_that_hear_of_all_share_all_queues_evenly(names: set[str], queues: int) -> None:
    shares: list[list[int]] = []
    for name in names:
        one = Members(name)
        for other in names:
            one.hear(Word(member=other), 0.0)
        shares.append(one.share(range(queues), 1.0))
    assert sorted(number for share in shares for number in share) == list(range(queues))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_who_is_not_heard_of_is_gone_and_who_leaves_at_once() -> None:
    one = Members("b")
    assert one.hear(Word(member="a", in_hand={0: 3}), 0.0), "it is new"
    assert not one.hear(Word(member="a", in_hand={0: 1, 2: 3}), 1.0)
    assert one.hear(Word(member="a", in_hand={0: 1, 2: 3}, news=True), 2.0)
    assert not one.hear(Word(member="b", news=True), 2.0), "itself"
    assert one.present(5.0) == ["a", "b"]
    assert [one.in_hand(2.0, first) for first in (0, 1, 3)] == [4, 3, 0]
    assert one.present(5.6) == ["b"]
    one.hear(Word(member="c"), 6.0)
    assert one.hear(Word(member="c", left=True), 6.1)
    assert not one.hear(Word(member="c", left=True), 6.2)
    assert one.share([0, 1], 6.2) == [0, 1]


def test_words_are_read_as_they_were_written_and_others_are_none() -> None:
    word = Word(member="a", queues=4, in_hand={1: 7}, news=True)
    assert members.read(members.written(word)) == word
    assert members.read(b"\xff") is None
    assert members.read(b"[]") is None


def test_a_word_without_a_name_says_only_that_there_are_more_queues() -> None:
    one = Members("a")
    assert one.told == 0
    one.hear(Word(member="b", queues=4), 0.0)
    assert one.hear(Word(member="", queues=7), 0.0)
    assert not one.hear(Word(member="", queues=5), 0.0)
    assert (one.told, one.present(0.0)) == (7, ["a", "b"])
