"""The core, rule by rule; the random schedules are in test_simulation."""

import random
from typing import TypeVar

import pytest

from qiantang.kernel import errors, resource
from qiantang.kernel.mirror import core
from qiantang.kernel.testing import SCOPE, entry

CONFIG = resource.Bundle(scope=SCOPE, capability="config")
RPC = resource.Bundle(scope=SCOPE, capability="rpc")
SHARED = resource.Bundle(
    scope=type(SCOPE)(tenant="acme", environment="test", center="main", application="shared"),
    capability="config",
)
A = TypeVar("A")


def at(revision: int, epoch: int = 1) -> resource.Position:
    return resource.Position(epoch=epoch, revision=revision)


def snapshot(
    bundle: resource.Bundle,
    revision: int,
    content: object = None,
    *,
    epoch: int = 1,
    links: tuple[resource.Bundle, ...] = (),
) -> resource.Snapshot:
    made = [entry("namespace", "application", revision if content is None else content)]
    return resource.Snapshot(
        bundle=bundle,
        position=at(revision, epoch),
        digest=resource.snapshot_digest(made),
        links=list(links),
        entries=made,
    )


def notice(bundle: resource.Bundle, revision: int, epoch: int = 1) -> resource.Notice:
    return resource.Notice(bundle=bundle, position=at(revision, epoch))


def only(kind: type[A], actions: list[core.Action]) -> A:
    found = [action for action in actions if isinstance(action, kind)]
    assert len(found) == 1, actions
    return found[0]


def none(kind: type[A], actions: list[core.Action]) -> bool:
    return not any(isinstance(action, kind) for action in actions)


class Client:
    """A core with a clock, settled at once."""

    def __init__(self, *roots: resource.Bundle) -> None:
        self.core = core.Core(roots or (CONFIG,), random.Random(7))
        self.now = 100.0
        self.connects = self.core.start(self.now)

    def connect(self) -> list[core.Action]:
        return self.core.connected(self.now, 30.0)

    def answer(self, fetch: core.Fetch, delivery: resource.Delivery) -> list[core.Action]:
        actions = self.core.fetched(self.now, fetch, delivery)
        for action in actions:
            if isinstance(action, core.Apply):
                actions = actions + self.core.settled(self.now, action, frozenset())
        return actions

    def fail(self, fetch: core.Fetch, error: errors.QiantangError) -> list[core.Action]:
        return self.core.fetch_failed(self.now, fetch, error)

    def notice(self, bundle: resource.Bundle, revision: int, epoch: int = 1) -> list[core.Action]:
        return self.core.notice(self.now, notice(bundle, revision, epoch))

    def wait(self, seconds: float) -> list[core.Action]:
        self.now += seconds
        return self.core.tick(self.now)

    def running(self, revision: int = 1) -> "Client":
        self.answer(only(core.Fetch, self.connect()), snapshot(CONFIG, revision))
        return self


def delta(before: resource.Snapshot, after: resource.Snapshot) -> resource.Delta:
    return resource.Delta(
        bundle=after.bundle, position=after.position, base=before.digest, digest=after.digest, put=after.entries
    )


def test_a_delivery_that_continues_what_is_held_is_taken_without_a_fetch() -> None:
    client = Client().running(5)
    actions = client.core.delivered(client.now, delta(snapshot(CONFIG, 5), snapshot(CONFIG, 6)))
    assert none(core.Fetch, actions)
    apply = only(core.Apply, actions)
    assert apply.snapshots[CONFIG] == snapshot(CONFIG, 6)
    client.core.settled(client.now, apply, frozenset())
    assert client.core.applied(CONFIG) == at(6)
    assert client.core.fresh
    again = client.core.delivered(client.now, delta(snapshot(CONFIG, 5), snapshot(CONFIG, 6)))
    assert (none(core.Fetch, again), none(core.Apply, again)) == (True, True)
    assert client.core.fresh


def test_a_delivery_that_does_not_continue_what_is_held_is_a_notice() -> None:
    client = Client().running(5)
    fetch = only(core.Fetch, client.core.delivered(client.now, delta(snapshot(CONFIG, 6), snapshot(CONFIG, 7))))
    assert fetch.at_least == at(7)
    waiting = client.core.delivered(client.now, delta(snapshot(CONFIG, 5), snapshot(CONFIG, 8)))
    assert none(core.Apply, waiting), "its fetch is under way"
    apply = only(core.Apply, client.answer(fetch, snapshot(CONFIG, 8)))
    assert apply.snapshots[CONFIG].position == at(8)
    damaged = resource.Delta(bundle=CONFIG, position=at(9), base=snapshot(CONFIG, 8).digest, digest="of something else")
    assert only(core.Fetch, client.core.delivered(client.now, damaged)).at_least == at(9)


def test_a_delivery_of_the_past_or_of_another_application_is_nothing() -> None:
    client = Client().running(5)
    assert client.core.delivered(client.now, delta(snapshot(CONFIG, 3), snapshot(CONFIG, 4))) == []
    assert client.core.delivered(client.now, delta(snapshot(SHARED, 5), snapshot(SHARED, 6))) == []


def test_a_delivery_fetches_what_it_links_to_before_it_is_applied() -> None:
    client = Client().running(5)
    linked = resource.Delta(
        bundle=CONFIG,
        position=at(6),
        base=snapshot(CONFIG, 5).digest,
        digest=snapshot(CONFIG, 6).digest,
        links=[SHARED],
        put=snapshot(CONFIG, 6).entries,
    )
    actions = client.core.delivered(client.now, linked)
    assert none(core.Apply, actions)
    fetch = only(core.Fetch, actions)
    assert fetch.bundle == SHARED
    assert set(only(core.Apply, client.answer(fetch, snapshot(SHARED, 1))).snapshots) == {CONFIG, SHARED}


def test_start_connects_then_fetches_once() -> None:
    client = Client()
    assert client.connects == [core.Connect(0.0)]
    assert client.wait(0.1) == []
    fetch = only(core.Fetch, client.connect())
    assert (fetch.at_least, fetch.have) == (resource.NOWHERE, "")
    apply = only(core.Apply, client.core.fetched(client.now, fetch, snapshot(CONFIG, 3)))
    assert client.core.applied(CONFIG) == resource.NOWHERE  # moves only when the swap is done
    client.core.settled(client.now, apply, frozenset())
    assert client.core.applied(CONFIG) == at(3)
    assert client.core.fresh


def test_a_slow_stream_does_not_hold_up_the_first_fetch() -> None:
    assert only(core.Fetch, Client().wait(0.6))


def test_a_stream_that_cannot_open_does_not_either() -> None:
    client = Client()
    actions = client.core.disconnected(client.now, errors.UnavailableError("away"))
    assert only(core.Fetch, actions)
    assert only(core.Connect, actions).after <= 0.3


def test_a_notice_is_fetched_at_least_so_far_and_an_old_or_doubled_one_not_at_all() -> None:
    client = Client().running(5)
    fetch = only(core.Fetch, client.notice(CONFIG, 7))
    assert fetch.at_least == at(7)
    assert fetch.have == snapshot(CONFIG, 5).digest
    assert client.notice(CONFIG, 7) == []
    assert client.notice(CONFIG, 6) == []
    assert client.notice(RPC, 9) == []


def test_an_answer_older_than_asked_is_not_applied_but_asked_again() -> None:
    client = Client().running(5)
    fetch = only(core.Fetch, client.notice(CONFIG, 7))
    assert none(core.Apply, client.answer(fetch, snapshot(CONFIG, 6)))
    assert isinstance(client.core.problem, core.ServerBehindError)
    assert not client.core.fresh
    again = only(core.Fetch, client.wait(0.1))
    assert again.at_least == at(7)
    assert only(core.Apply, client.answer(again, snapshot(CONFIG, 7)))
    assert client.core.problem is None


def test_a_notice_during_a_fetch_is_followed_up() -> None:
    client = Client().running(1)
    first = only(core.Fetch, client.notice(CONFIG, 2))
    assert client.notice(CONFIG, 3) == []
    second = only(core.Fetch, client.answer(first, snapshot(CONFIG, 2)))
    assert second.at_least == at(3)
    assert client.core.applied(CONFIG) == at(2)


def test_a_higher_epoch_wins_with_a_smaller_revision() -> None:
    client = Client().running(9)
    fetch = only(core.Fetch, client.notice(CONFIG, 4, epoch=2))
    client.answer(fetch, snapshot(CONFIG, 4, epoch=2))
    assert client.core.applied(CONFIG) == at(4, epoch=2)
    assert client.notice(CONFIG, 12, epoch=1) == []
    late = only(core.Fetch, client.wait(50))
    assert none(core.Apply, client.answer(late, snapshot(CONFIG, 12, epoch=1)))


def test_deltas_and_unchanged_are_followed_and_misfits_asked_in_full() -> None:
    client = Client().running(1)
    base, target = snapshot(CONFIG, 1), snapshot(CONFIG, 2)
    delta = resource.Delta(bundle=CONFIG, position=at(2), base=base.digest, digest=target.digest, put=target.entries)
    assert only(core.Apply, client.answer(only(core.Fetch, client.notice(CONFIG, 2)), delta)).snapshots == {
        CONFIG: target
    }
    same = resource.Unchanged(bundle=CONFIG, position=at(3), digest=target.digest)
    client.answer(only(core.Fetch, client.notice(CONFIG, 3)), same)
    assert client.core.applied(CONFIG) == at(3)
    assert none(core.Apply, client.answer(only(core.Fetch, client.notice(CONFIG, 4)), delta))
    full = only(core.Fetch, client.wait(0.2))
    assert (full.have, full.at_least) == ("", at(4))


@pytest.mark.parametrize(
    "wrong",
    [
        snapshot(RPC, 1),
        resource.Unchanged(bundle=CONFIG, position=at(1), digest="x"),
        resource.Snapshot(bundle=CONFIG, position=at(1), digest="damaged", entries=[]),
    ],
    ids=["another bundle", "unchanged from nothing", "damaged"],
)
def test_unfit_answers_are_retried(wrong: resource.Delivery) -> None:
    client = Client()
    fetch = only(core.Fetch, client.connect())
    assert none(core.Apply, client.answer(fetch, wrong))
    assert isinstance(client.core.problem, core.UnfitAnswerError)


def test_failures_back_off_with_a_cap_and_heed_retry_after() -> None:
    client = Client().running()
    fetch = only(core.Fetch, client.notice(CONFIG, 2))
    pauses: list[float] = []
    for _ in range(14):
        client.fail(fetch, errors.UnavailableError("away"))
        due = client.core.next_due
        assert due is not None
        pauses.append(due - client.now)
        fetch = only(core.Fetch, client.wait(pauses[-1]))
    assert pauses[0] <= 0.1
    assert 15 <= pauses[-1] <= 30
    client.fail(fetch, errors.ExhaustedError("slowly", retry_after=20))
    due = client.core.next_due
    assert due is not None
    assert due - client.now >= 20


def test_the_poll_repairs_a_lost_notice_within_its_jitter() -> None:
    client = Client().running(1)
    due = client.core.next_due
    assert due is not None
    assert 15 <= due - client.now <= 45
    client.answer(only(core.Fetch, client.wait(45)), snapshot(CONFIG, 2))
    assert client.core.applied(CONFIG) == at(2)


def test_after_a_reconnection_a_notice_confirms_and_silence_is_polled_early() -> None:
    client = Client().running(1)
    client.core.disconnected(client.now, errors.UnavailableError("cut"))
    assert not client.core.fresh
    assert none(core.Fetch, client.connect())
    assert client.notice(CONFIG, 1) == []
    assert client.core.fresh
    assert none(core.Fetch, client.wait(10))
    client.core.disconnected(client.now, errors.UnavailableError("cut"))
    client.connect()
    assert only(core.Fetch, client.wait(10))


def test_nothing_is_applied_before_all_links_are_there() -> None:
    client = Client()
    actions = client.answer(only(core.Fetch, client.connect()), snapshot(CONFIG, 1, links=(SHARED,)))
    assert none(core.Apply, actions)
    link = only(core.Fetch, actions)
    assert link.bundle == SHARED
    apply = only(core.Apply, client.answer(link, snapshot(SHARED, 8)))
    assert set(apply.snapshots) == {CONFIG, SHARED}


def test_a_new_release_waits_for_its_new_link_and_the_old_view_stays() -> None:
    client = Client().running(1)
    fetch = only(core.Fetch, client.notice(CONFIG, 2))
    link = only(core.Fetch, client.answer(fetch, snapshot(CONFIG, 2, links=(SHARED,))))
    client.fail(link, errors.UnavailableError("away"))
    assert client.core.applied(CONFIG) == at(1)
    link = only(core.Fetch, client.wait(0.2))
    assert only(core.Apply, client.answer(link, snapshot(SHARED, 1)))
    assert (client.core.applied(CONFIG), client.core.applied(SHARED)) == (at(2), at(1))
    fetch = only(core.Fetch, client.notice(SHARED, 2))
    assert set(only(core.Apply, client.answer(fetch, snapshot(SHARED, 2))).snapshots) == {CONFIG, SHARED}
    fetch = only(core.Fetch, client.notice(CONFIG, 3))
    assert set(only(core.Apply, client.answer(fetch, snapshot(CONFIG, 3))).snapshots) == {CONFIG}


def test_links_that_lead_in_a_circle_end() -> None:
    client = Client()
    actions = client.answer(only(core.Fetch, client.connect()), snapshot(CONFIG, 1, links=(SHARED,)))
    back = snapshot(SHARED, 1, links=(CONFIG, SHARED))
    assert set(only(core.Apply, client.answer(only(core.Fetch, actions), back)).snapshots) == {CONFIG, SHARED}


def test_too_many_links_are_refused_and_the_old_view_stays() -> None:
    client = Client().running(1)
    many = tuple(
        resource.Bundle(
            scope=type(SCOPE)(tenant="acme", environment="test", center="main", application=f"a{number}"),
            capability="config",
        )
        for number in range(1000)
    )
    fetch = only(core.Fetch, client.notice(CONFIG, 2))
    actions = client.answer(fetch, snapshot(CONFIG, 2, links=many))
    assert sum(isinstance(action, core.Fetch) for action in actions) < core.MAX_BUNDLES
    assert isinstance(client.core.problem, core.TooManyLinksError)
    assert client.core.applied(CONFIG) == at(1)


def test_one_root_that_fails_does_not_hold_up_the_other_for_ever() -> None:
    client = Client(CONFIG, RPC)
    fetches = [action for action in client.connect() if isinstance(action, core.Fetch)]
    assert none(core.Apply, client.answer(fetches[0], snapshot(CONFIG, 1)))
    assert only(core.FallBack, client.fail(fetches[1], errors.InternalError("broken")))
    apply = only(core.Apply, client.core.restored(client.now, []))
    assert set(apply.snapshots) == {CONFIG}


def test_with_no_server_at_start_the_disk_copy_is_used_then_replaced() -> None:
    client = Client()
    fetch = only(core.Fetch, client.core.disconnected(client.now, errors.UnavailableError("away")))
    assert only(core.FallBack, client.fail(fetch, errors.UnavailableError("away")))
    copy = [snapshot(CONFIG, 4, links=(SHARED,)), snapshot(SHARED, 2), snapshot(RPC, 1)]
    apply = only(core.Apply, client.core.restored(client.now, copy))
    assert apply.from_disk == {CONFIG, SHARED} == set(apply.snapshots)
    client.core.settled(client.now, apply, frozenset())
    assert not client.core.fresh
    again = next(action for action in client.connect() if isinstance(action, core.Fetch) and action.bundle == CONFIG)
    assert again.at_least == at(4)
    same = resource.Unchanged(bundle=CONFIG, position=at(4), digest=copy[0].digest)
    assert only(core.Apply, client.answer(again, same)).from_disk == {SHARED}


def test_a_start_with_nothing_on_disk_goes_on_asking_until_it_takes_too_long() -> None:
    client = Client()
    fetch = next(action for action in client.connect() if isinstance(action, core.Fetch))
    assert only(core.FallBack, client.fail(fetch, errors.UnavailableError("away")))
    assert none(core.Apply, client.core.restored(client.now, []))
    assert only(core.Apply, client.core.give_up(client.now)).snapshots == {}


def test_a_start_with_nothing_on_disk_takes_the_answer_that_comes_after_a_failure() -> None:
    client = Client()
    fetch = next(action for action in client.connect() if isinstance(action, core.Fetch))
    client.fail(fetch, errors.UnavailableError("away"))
    client.core.restored(client.now, [])
    again = only(core.Fetch, client.wait(1.0))
    assert only(core.Apply, client.answer(again, snapshot(CONFIG, 1))).snapshots.keys() == {CONFIG}


def test_a_start_that_takes_too_long_falls_back_once() -> None:
    client = Client()
    client.connect()
    assert client.core.give_up(client.now) == [core.FallBack()]
    assert client.core.give_up(client.now) == []
    assert only(core.Apply, client.core.restored(client.now, [])).snapshots == {}


@pytest.mark.parametrize(
    "error", [errors.UnauthenticatedError("who"), errors.ForbiddenError("no"), errors.NotFoundError("what")]
)
@pytest.mark.parametrize("where", ["stream", "fetch"])
def test_a_refusal_at_start_never_falls_back_and_is_not_hammered(error: errors.QiantangError, where: str) -> None:
    client = Client()
    if where == "stream":
        actions = client.core.disconnected(client.now, error)
        assert only(core.Connect, actions).after >= 15
    else:
        actions = client.fail(only(core.Fetch, client.connect()), error)
    assert none(core.FallBack, actions)
    assert only(core.Apply, actions).snapshots == {}
    assert client.core.problem is error
    assert none(core.FallBack, client.core.give_up(client.now))
    assert client.wait(10) == []
    assert only(core.Fetch, client.wait(40))


def test_a_refusal_later_keeps_what_is_in_memory() -> None:
    client = Client().running(1)
    fetch = only(core.Fetch, client.notice(CONFIG, 2))
    assert client.fail(fetch, errors.ForbiddenError("no")) == []
    assert client.core.applied(CONFIG) == at(1)
    assert client.notice(CONFIG, 3) == []  # not hammered by notices either
    assert only(core.Apply, client.answer(only(core.Fetch, client.wait(46)), snapshot(CONFIG, 3)))
    assert client.core.problem is None


@pytest.mark.parametrize("how", ["event", "fetch", "stream"])
def test_what_is_gone_is_dropped_and_may_come_back_from_the_beginning(how: str) -> None:
    client = Client().running(9)
    error = errors.GoneError("the application was removed")
    if how == "event":
        actions = client.core.gone(client.now, error)
    elif how == "fetch":
        actions = client.fail(only(core.Fetch, client.notice(CONFIG, 10)), error)
    else:
        actions = client.core.disconnected(client.now, error)
    apply = only(core.Apply, actions)
    assert only(core.Forget, actions)
    assert (apply.snapshots, apply.removed) == ({}, {"config"})
    client.core.settled(client.now, apply, frozenset())
    assert client.core.applied(CONFIG) == resource.NOWHERE
    back = only(core.Fetch, client.connect())
    apply = only(core.Apply, client.answer(back, snapshot(CONFIG, 1)))
    assert apply.removed == set()


def test_an_answer_from_before_the_removal_is_ignored() -> None:
    client = Client().running(1)
    fetch = only(core.Fetch, client.notice(CONFIG, 2))
    client.core.gone(client.now, errors.GoneError("removed"))
    assert client.answer(fetch, snapshot(CONFIG, 2)) == []


def test_a_linked_bundle_that_is_gone_counts_as_absent() -> None:
    client = Client()
    actions = client.answer(only(core.Fetch, client.connect()), snapshot(CONFIG, 1, links=(SHARED,)))
    apply = only(core.Apply, client.fail(only(core.Fetch, actions), errors.GoneError("removed")))
    assert set(apply.snapshots) == {CONFIG}


def test_a_rejected_capability_stays_where_it_was_and_is_not_offered_again() -> None:
    client = Client().running(1)
    fetch = only(core.Fetch, client.notice(CONFIG, 2))
    apply = only(core.Apply, client.core.fetched(client.now, fetch, snapshot(CONFIG, 2)))
    assert client.core.settled(client.now, apply, frozenset({"config"})) == []
    assert client.core.applied(CONFIG) == at(1)
    assert client.wait(0.1) == []
    client.answer(only(core.Fetch, client.notice(CONFIG, 3)), snapshot(CONFIG, 3))
    assert client.core.applied(CONFIG) == at(3)


def test_reconnection_spreads_and_a_stable_connection_resets_it() -> None:
    client = Client().running()
    for _ in range(12):
        after = only(core.Connect, client.core.disconnected(client.now, errors.UnavailableError("x"))).after
        assert after <= 30
    client.connect()
    client.now += 20
    assert only(core.Connect, client.core.disconnected(client.now)).after <= 0.3


def test_a_forked_child_starts_over_with_what_it_holds() -> None:
    client = Client().running(1)
    lost = only(core.Fetch, client.notice(CONFIG, 2))
    assert client.core.forked(client.now) == [core.Connect(0.0)]
    assert client.answer(lost, snapshot(CONFIG, 2)) == []
    fetch = only(core.Fetch, client.wait(1))
    assert fetch.at_least == at(2)
    client.answer(fetch, snapshot(CONFIG, 2))
    assert client.core.applied(CONFIG) == at(2)
