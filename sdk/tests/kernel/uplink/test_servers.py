"""The choice of a server: sticky, away from failed ones, never without a candidate."""

import random

from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel.uplink.address import Address
from qiantang.kernel.uplink.servers import BACKOFF_CAP_SECONDS, MAX_SERVERS, ServerChoice

A, B, C = (Address.parse(f"http://{name}:1") for name in "abc")


def choice(*addresses: Address, seed: int = 1) -> ServerChoice:
    made = ServerChoice(random.Random(seed))
    made.know(addresses)
    return made


def test_stays_with_the_one_that_answered() -> None:
    servers = choice(A, B, C)
    servers.succeeded(B, 0)
    assert all(servers.candidates(float(now))[0] == B for now in range(20))


def test_first_choice_is_spread() -> None:
    assert {choice(A, B, C, seed=seed).candidates(0)[0] for seed in range(50)} == {A, B, C}


def test_a_failed_one_is_left_alone_then_comes_back() -> None:
    servers = choice(A, B)
    servers.succeeded(A, 0)
    servers.failed(A, now=0, retry_after=2)
    assert servers.candidates(0) == [B]
    assert servers.candidates(1.9) == [B]
    assert set(servers.candidates(BACKOFF_CAP_SECONDS + 1)) == {A, B}


def test_with_all_backing_off_the_earliest_is_tried() -> None:
    servers = choice(A, B)
    servers.failed(A, now=0, retry_after=20)
    servers.failed(B, now=0, retry_after=10)
    assert servers.candidates(0) == [B]


def test_success_forgets_failures() -> None:
    servers = choice(A)
    for _ in range(10):
        servers.failed(A, now=0)
    servers.succeeded(A, 0)
    servers.know([A, B])
    assert servers.candidates(0) == [A, B]


def test_a_goodbye_counts_more_than_what_is_still_answered() -> None:
    servers = choice(A, B)
    servers.succeeded(A, 0)
    servers.left(A, now=0)
    servers.succeeded(A, 1)
    assert servers.candidates(1) == [B]
    assert set(servers.candidates(10)) == {A, B}


def test_a_server_gone_from_the_list_is_not_chosen() -> None:
    servers = choice(A, B)
    servers.succeeded(A, 0)
    servers.know([B])
    assert servers.candidates(0) == [B]
    servers.failed(A, now=0)
    servers.succeeded(A, 0)
    assert servers.known == [B]


def test_the_list_is_bounded() -> None:
    servers = choice(*(Address(scheme="http", host=f"h{number}", port=1) for number in range(1000)))
    assert len(servers.known) == MAX_SERVERS


@given(
    st.integers(0, 1000),
    st.lists(st.tuples(st.sampled_from([A, B, C]), st.booleans(), st.floats(0, 5)), max_size=60),
)
def test_never_without_a_candidate_and_never_shunned_for_long(
    seed: int, story: list[tuple[Address, bool, float]]
) -> None:
    servers = choice(A, B, C, seed=seed)
    now = 0.0
    for address, well, passed in story:
        now += passed
        (servers.succeeded(address, now) if well else servers.failed(address, now))
        assert servers.candidates(now)
    assert set(servers.candidates(now + BACKOFF_CAP_SECONDS)) == {A, B, C}
