"""The core against a network that drops, doubles, reorders and delays, and servers that lag, restart and are set back.

Ten thousand random schedules, and hypothesis on top. After the last publish the network heals: no client may be
stuck on an older position, and what is applied never goes back within an epoch.
"""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qiantang.kernel import errors, resource
from qiantang.kernel.mirror import core
from qiantang.kernel.testing import SCOPE, entry

ROOT = resource.Bundle(scope=SCOPE, capability="config")
LINKED = resource.Bundle(
    scope=type(SCOPE)(tenant="acme", environment="test", center="main", application="shared"),
    capability="config",
)
BUNDLES = (ROOT, LINKED)
POLL = 30.0
_entries: dict[int, list[resource.Entry]] = {}


def entries(content: int) -> list[resource.Entry]:
    if content not in _entries:
        _entries[content] = [entry("namespace", "application", content)]
    return _entries[content]


class Center:
    """The servers: the history of each bundle, from which a lagging server may answer an older state."""

    def __init__(self) -> None:
        self.epoch = 1
        self.history: dict[resource.Bundle, list[resource.Snapshot]] = {bundle: [] for bundle in BUNDLES}
        for bundle in BUNDLES:
            self.publish(bundle, 0, linked=False)

    def delta(self, bundle: resource.Bundle) -> resource.Delta:
        """Give what the stream brings: what turns the content before the current one into it."""
        *before, current = self.history[bundle]
        return resource.Delta(
            bundle=bundle,
            position=current.position,
            base=before[-1].digest if before else "",
            digest=current.digest,
            links=current.links,
            put=current.entries,
        )

    def publish(self, bundle: resource.Bundle, content: int, *, linked: bool) -> resource.Notice:
        history = self.history[bundle]
        revision = history[-1].position.revision + 1 if history else 1
        position = resource.Position(epoch=self.epoch, revision=revision)
        links = [LINKED] if linked and bundle == ROOT else []
        made = entries(content)
        digest = resource.snapshot_digest(made)
        history.append(resource.Snapshot(bundle=bundle, position=position, digest=digest, links=links, entries=made))
        return resource.Notice(bundle=bundle, position=position)

    def set_back(self, bundle: resource.Bundle, by: int) -> resource.Notice:
        """Restore an older copy of the database: a smaller revision under a higher epoch."""
        self.epoch += 1
        history = self.history[bundle]
        older = history[max(0, len(history) - 1 - by)]
        position = resource.Position(epoch=self.epoch, revision=older.position.revision)
        history.append(
            resource.Snapshot(
                bundle=bundle, position=position, digest=older.digest, links=older.links, entries=older.entries
            )
        )
        return resource.Notice(bundle=bundle, position=position)

    def answer(self, fetch: core.Fetch, lag: int) -> resource.Delivery:
        history = self.history[fetch.bundle]
        current = history[max(0, len(history) - 1 - lag)]
        if fetch.have == current.digest and not (lag or current.links):
            return resource.Unchanged(bundle=current.bundle, position=current.position, digest=current.digest)
        return current


class Schedule:
    """One run: a client's core, the center, and what is on its way between them."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.now = 0.0
        self.center = Center()
        self.core = core.Core([ROOT], random.Random(seed + 1), POLL)
        self.notices: list[resource.Notice | resource.Delta] = []
        self.answers: list[tuple[core.Fetch, resource.Delivery | errors.QiantangError]] = []
        self.offers: list[core.Apply] = []
        self.connected = False
        self.connecting = False
        self.highest: dict[resource.Bundle, resource.Position] = {}
        self.healed = False
        self.delivered = 0
        self.take(self.core.start(self.now))

    def take(self, actions: list[core.Action]) -> None:
        for action in actions:
            if isinstance(action, core.Fetch):
                self.answers.append((action, self.reply(action)))
            elif isinstance(action, core.Apply):
                assert not self.offers or action.number > self.offers[-1].number
                self.offers.append(action)
            elif isinstance(action, core.Connect):
                self.connecting = True
            elif isinstance(action, core.FallBack):
                self.take(self.core.restored(self.now, []))

    def reply(self, fetch: core.Fetch) -> resource.Delivery | errors.QiantangError:
        """The server answers now; how long that is under way is another matter."""
        if not self.healed and self.dice.random() < 0.15:
            return errors.UnavailableError("away")
        lag = 0 if self.healed or self.dice.random() < 0.6 else self.dice.randrange(1, 4)
        return self.center.answer(fetch, lag)

    # -- what may happen next ---------------------------------------------------------------------------

    def publish(self) -> None:
        notice = self.center.publish(self.dice.choice(BUNDLES), self.dice.randrange(5), linked=self.dice.random() < 0.6)
        self.send(notice)

    def set_back(self) -> None:
        self.send(self.center.set_back(self.dice.choice(BUNDLES), self.dice.randrange(4)))

    def send(self, notice: resource.Notice) -> None:
        told = notice if self.dice.random() < 0.4 else self.center.delta(notice.bundle)
        for _ in range(self.dice.choice((0, 1, 1, 2))):  # dropped, sent, doubled
            self.notices.append(told)

    def deliver_notice(self) -> None:
        if self.notices and self.connected:
            told = self.notices.pop(self.dice.randrange(len(self.notices)))
            if isinstance(told, resource.Delta):
                self.delivered += 1
                self.take(self.core.delivered(self.now, told))
            else:
                self.take(self.core.notice(self.now, told))

    def deliver_answer(self) -> None:
        if not self.answers:
            return
        fetch, answer = self.answers.pop(self.dice.randrange(len(self.answers)))
        if isinstance(answer, errors.QiantangError):
            self.take(self.core.fetch_failed(self.now, fetch, answer))
        else:
            self.take(self.core.fetched(self.now, fetch, answer))

    def lose_answer(self) -> None:
        if self.answers:
            fetch, _ = self.answers.pop(self.dice.randrange(len(self.answers)))
            self.take(self.core.fetch_failed(self.now, fetch, errors.DeadlineError("lost")))

    def settle(self) -> None:
        """Swap in the latest offer; those before it are skipped."""
        if self.offers:
            offer, self.offers = self.offers[-1], []
            self.take(self.core.settled(self.now, offer, frozenset()))
            self.check(offer)

    def check(self, offer: core.Apply) -> None:
        for bundle, snapshot in offer.snapshots.items():
            assert self.core.applied(bundle) in {snapshot.position, resource.NOWHERE}
            before = self.highest.get(bundle, resource.NOWHERE)
            assert snapshot.position >= before, "what is applied went back"
            self.highest[bundle] = snapshot.position
            assert all(link in offer.snapshots for link in snapshot.links), "a link is missing in the view"

    def connect(self) -> None:
        if self.connecting:
            self.connecting, self.connected = False, True
            self.take(self.core.connected(self.now, POLL))

    def disconnect(self) -> None:
        if self.connected or self.connecting:
            self.connected = self.connecting = False
            self.notices.clear()
            self.take(self.core.disconnected(self.now, errors.UnavailableError("cut")))

    def pass_time(self) -> None:
        self.now += self.dice.choice((0.001, 0.1, 1.0, 10.0))
        self.take(self.core.tick(self.now))

    def storm(self, steps: int) -> None:
        happenings = (
            self.publish, self.publish, self.deliver_notice, self.deliver_notice, self.deliver_answer,
            self.deliver_answer, self.deliver_answer, self.settle, self.settle, self.connect, self.pass_time,
            self.pass_time, self.lose_answer, self.disconnect, self.set_back,
        )  # fmt: skip
        for _ in range(steps):
            self.dice.choice(happenings)()

    def heal(self) -> None:
        """All that is on its way arrives, in any order; the last publish's own notice is lost."""
        self.publish()
        self.notices.clear()
        self.healed = True
        for _ in range(200):
            self.connect()
            while self.answers or self.offers:
                self.deliver_answer()
                self.settle()
            if self.done():
                return
            due = self.core.next_due
            assert due is not None
            self.now = max(self.now, due)
            self.take(self.core.tick(self.now))
        raise AssertionError(f"stuck: {self.core.applied(ROOT)} of {self.center.history[ROOT][-1].position}")

    def done(self) -> bool:
        root = self.center.history[ROOT][-1]
        wanted = [root, *(self.center.history[link][-1] for link in root.links)]
        return all(self.core.applied(one.bundle) == one.position for one in wanted) and self.core.fresh


def run(seed: int, steps: int) -> None:
    schedule = Schedule(seed)
    schedule.storm(steps)
    before = schedule.now
    schedule.heal()
    assert schedule.now - before <= 10 * POLL, "healing took longer than some polls"


@pytest.mark.parametrize("block", range(10))
def test_no_client_is_stuck_in_ten_thousand_schedules(block: int) -> None:
    for seed in range(block * 1000, (block + 1) * 1000):
        try:
            run(seed, steps=40)
        except AssertionError as error:
            raise AssertionError(f"schedule {seed}: {error}") from error


@pytest.mark.parametrize(("seed", "steps"), [(1080286116025, 227), (110393211298, 224), (106289644775, 209)])
def test_a_link_that_is_taken_up_again_goes_on_from_where_it_was(seed: int, steps: int) -> None:
    run(seed, steps)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(st.integers(0, 2**40), st.integers(0, 300))
def test_no_client_is_stuck_after_a_story_of_any_length(seed: int, steps: int) -> None:
    run(seed, steps)
