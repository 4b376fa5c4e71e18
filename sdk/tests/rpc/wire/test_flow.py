"""Flow: whatever is sent, taken and renewed in whatever order, no item waits for ever, and no more is kept than may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.rpc.errors import ProtocolError
from qiantang.rpc.wire import flow

MAX_FRAME = 8 << 20
sizes = st.lists(
    st.one_of(
        st.integers(0, 300),
        st.integers(0, flow.WINDOW),
        st.sampled_from([flow.HALF - flow.OVERHEAD, flow.HALF, flow.WINDOW - flow.OVERHEAD, flow.WINDOW]),
        st.just(MAX_FRAME),
    ),
    max_size=60,
)


@given(sizes, st.randoms(use_true_random=False))
def test_everything_arrives_in_whatever_order_ends_work_and_memory_is_bounded(items: list[int], chance: object) -> None:
    sending, receiving = flow.Sending(), flow.Receiving()
    waiting, on_the_way, kept, credit = list(items), list[int](), list[int](), list[int]()
    while waiting or on_the_way or kept or credit:
        steps = []
        if waiting and sending.may_send(waiting[0]):
            steps.append("send")
        steps += ["receive"] * bool(on_the_way) + ["take"] * bool(kept) + ["renew"] * bool(credit)
        assert steps, "an item waits for ever"
        step = chance.choice(steps)  # type: ignore[attr-defined]
        if step == "send":
            sending.sent(waiting[0])
            on_the_way.append(waiting.pop(0))
        elif step == "receive":
            receiving.received(on_the_way[0])
            kept.append(on_the_way.pop(0))
        elif step == "take":
            more = receiving.taken(kept.pop(0))
            credit += [more] * bool(more)
        else:
            sending.renewed(credit.pop(0))
        assert receiving.kept == sum(map(flow.cost, kept)) <= flow.kept_at_most(MAX_FRAME)
        assert sending.left <= receiving.left, "the sender never believes that more may go than does"
    assert sending.left == receiving.left > flow.HALF


def test_credit_is_renewed_when_half_of_the_window_was_taken_and_not_when_it_came() -> None:
    receiving = flow.Receiving()
    part = flow.WINDOW // 8 - flow.OVERHEAD
    for _ in range(8):
        receiving.received(part)
    assert [receiving.taken(part) for _ in range(8)] == [0, 0, 0, flow.HALF] * 2
    assert receiving.kept == 0


@given(st.lists(st.integers(0, flow.WINDOW), max_size=20), st.integers(1, 1 << 63))
def test_who_sends_beyond_the_credit_or_gives_more_than_was_sent_is_found_out(items: list[int], more: int) -> None:
    sending, receiving = flow.Sending(), flow.Receiving()
    for size in items:
        if sending.may_send(size):
            sending.sent(size)
            receiving.received(size)
        else:
            with pytest.raises(ProtocolError, match="beyond the credit"):
                receiving.received(size)
    out = flow.WINDOW - sending.left
    if more > out:
        with pytest.raises(ProtocolError, match="more than was sent"):
            sending.renewed(more)
    else:
        sending.renewed(more)
        assert sending.left == flow.WINDOW - out + more


def test_what_comes_late_is_passed_over_as_far_as_it_can_have_been_on_its_way() -> None:
    late = flow.Late(max_frame=1000)
    with pytest.raises(ProtocolError, match="has ended, or never began"):
        late.came(0)
    late = flow.Late(max_frame=1000)
    late.ended(100_000)
    late.came(100_000 - flow.OVERHEAD)
    for _ in range(flow.SLACK // flow.OVERHEAD):
        late.came(0)
    with pytest.raises(ProtocolError):
        late.came(0)
