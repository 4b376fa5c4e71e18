"""Core: the pure state machine of a mirror: what is seen, held and applied, and what to do next.

It has no clock and does no I/O: each input carries the time (seconds of any monotonic clock) and gives the
actions to take. What makes it right whatever the network does:

- A notice is only a hint. It raises `wanted`; what is applied moves only when the swap is reported done.
- A delivery on the stream is taken only where it continues exactly what is held; anywhere else it is a notice.
- Every fetch says which position it wants at least; an older answer is never applied, but asked for again.
- A bundle has one fetch at a time, so its answers cannot overtake each other.
- Positions compare by epoch first: a restored history is newer though its revision is smaller.
- Whatever was lost is found by a jittered poll, and at each connection.
- One view is applied at a time, over all bundles, once all that they link to is there.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from qiantang.kernel import errors, resource
from qiantang.kernel.mirror.pace import Pace

MAX_BUNDLES = 256

DEFINITE = (
    errors.UnauthenticatedError,
    errors.ForbiddenError,
    errors.NotFoundError,
    errors.GoneError,
)
"""Answers of a control plane that is well: a copy on disk must not be used against them."""

REFUSALS = (errors.UnauthenticatedError, errors.ForbiddenError)
"""Answers that change only when somebody changes permissions: asked again at the pace of the poll."""


class ServerBehindError(errors.UnavailableError):
    """The server answered with an older release than is known to exist."""

    code = "mirror.server_behind"


class UnfitAnswerError(errors.UnavailableError):
    """The server's answer does not fit the question, or is damaged."""

    code = "mirror.unfit_answer"


class TooManyLinksError(errors.InvalidRequestError):
    """The application's bundles link to more others than a mirror holds."""

    code = "mirror.too_many_links"


@dataclass(frozen=True, slots=True)
class Fetch:
    """Ask for a bundle, and answer with `fetched` or `fetch_failed`."""

    number: int
    bundle: resource.Bundle
    at_least: resource.Position
    have: str
    have_position: resource.Position


@dataclass(frozen=True, slots=True)
class Apply:
    """Swap in this view, and answer with `settled`; a later one replaces one that was not begun."""

    number: int
    snapshots: Mapping[resource.Bundle, resource.Snapshot]
    from_disk: frozenset[resource.Bundle]
    removed: frozenset[str]
    """The capabilities whose content was removed on purpose: none may keep the old."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Open the stream after so many seconds, and answer with `connected` or `disconnected`."""

    after: float


@dataclass(frozen=True, slots=True)
class FallBack:
    """Look for the last good copy on disk, and answer with `restored`."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove the copies on disk: what they hold must not be used any more."""


Action = Fetch | Apply | Connect | FallBack | Forget
Closure = dict[resource.Bundle, resource.Snapshot]


@dataclass(slots=True)
class _Track:
    """One bundle."""

    bundle: resource.Bundle
    due_at: float
    wanted: resource.Position = resource.NOWHERE
    applied: resource.Position = resource.NOWHERE
    held: resource.Snapshot | None = None
    from_disk: bool = False
    fetching: int = 0
    failures: int = 0
    in_full: bool = False
    confirmed: bool = False
    gone: bool = False
    problem: errors.QiantangError | None = None


@dataclass(slots=True)
class _Line:
    """The stream."""

    connected: bool = False
    connected_at: float = 0.0
    failures: int = 0
    problem: errors.QiantangError | None = None


@dataclass(slots=True)
class _Offer:
    """What was last offered to be applied."""

    number: int = 0
    key: tuple[object, ...] | None = None


class Core:
    """The state machine of one application's bundles of some capabilities: its roots."""

    def __init__(self, roots: Iterable[resource.Bundle], chance: random.Random, poll_seconds: float = 30.0) -> None:
        self._roots = list(roots)
        self._pace = Pace(chance, poll_seconds)
        self._tracks: dict[resource.Bundle, _Track] = {}
        self._whole: dict[resource.Bundle, Closure] = {}
        self._left: dict[resource.Bundle, resource.Position] = {}
        self._line = _Line()
        self._offer = _Offer()
        self._fetches = 0
        self._copy_asked = False
        self._gave_up = False
        self._copy_answered = False

    # -- what is known -----------------------------------------------------------------------------------

    @property
    def next_due(self) -> float | None:
        """When `tick` is wanted next."""
        return min((track.due_at for track in self._tracks.values() if not track.fetching), default=None)

    @property
    def fresh(self) -> bool:
        """Whether what is held is known to be what the control plane has."""
        roots = [self._tracks[root] for root in self._roots if root in self._tracks]
        return self._line.connected and all(root.confirmed and not root.failures for root in roots)

    @property
    def problem(self) -> errors.QiantangError | None:
        """What is wrong now, if anything: of a bundle first, then of the stream."""
        problems = (track.problem for track in self._tracks.values() if track.problem is not None)
        return next(problems, self._line.problem)

    @property
    def is_connected(self) -> bool:
        """Whether the stream is open."""
        return self._line.connected

    def problem_of(self, bundle: resource.Bundle) -> errors.QiantangError | None:
        """What is wrong with one bundle, if anything."""
        track = self._tracks.get(bundle)
        return track.problem if track is not None else None

    def seen(self, bundle: resource.Bundle) -> resource.Position:
        """The newest position of the bundle that was heard of."""
        track = self._tracks.get(bundle)
        return track.wanted if track is not None else resource.NOWHERE

    def applied(self, bundle: resource.Bundle) -> resource.Position:
        """The position of the bundle in the view in use."""
        track = self._tracks.get(bundle)
        return track.applied if track is not None else resource.NOWHERE

    # -- inputs ------------------------------------------------------------------------------------------

    def start(self, now: float) -> list[Action]:
        """Begin: connect, and fetch as soon as the stream is open, or without it when it is slow to open."""
        for root in self._roots:
            self._tracks[root] = _Track(root, due_at=now + self._pace.stream_head_start)
        return [Connect(0.0)]

    def connected(self, now: float, poll_seconds: float) -> list[Action]:
        """The stream is open.

        What is not held yet, or only from disk, is fetched at once. The rest is confirmed by the notices that the server sends
        first, or, should they be lost, by an early poll.
        """
        self._pace.told(poll_seconds)
        self._line.connected, self._line.connected_at, self._line.problem = True, now, None
        for track in self._tracks.values():
            if track.held is None or track.from_disk or track.problem is not None:
                track.due_at = now
            else:
                track.due_at = min(track.due_at, now + self._pace.recheck())
        return self._step(now)

    def disconnected(self, now: float, error: errors.QiantangError | None = None) -> list[Action]:
        """The stream ended or could not be opened; without an error the server said goodbye."""
        line = self._line
        if line.connected and now - line.connected_at >= self._pace.stable_seconds:
            line.failures = 0
        line.failures += 1
        line.connected, line.problem = False, error
        for track in self._tracks.values():
            track.confirmed = False
        if isinstance(error, errors.GoneError):
            return [*self.gone(now, error), Connect(self._pace.poll())]
        if isinstance(error, DEFINITE):
            for root in self._roots:
                self._refuse(self._tracks[root], error, now)
            return [*self._step(now), Connect(self._pace.poll())]
        for track in self._tracks.values():
            if track.held is None and not track.failures:
                track.due_at = now
        return [*self._step(now), Connect(self._pace.reconnect(line.failures))]

    def notice(self, now: float, notice: resource.Notice) -> list[Action]:
        """A bundle is said to have reached a position."""
        track = self._tracks.get(notice.bundle)
        if track is None:
            return []
        if notice.position > track.wanted:
            track.wanted = notice.position
            if not isinstance(track.problem, REFUSALS):
                track.due_at = now
        elif self._confirms(notice, track):
            if not track.confirmed:
                track.due_at = now + self._pace.poll()
            track.confirmed = True
        return self._step(now)

    def delivered(self, now: float, delta: resource.Delta) -> list[Action]:
        """The stream brought a release itself: taken where it continues what is held; anywhere else it is a notice."""
        track = self._tracks.get(delta.bundle)
        if track is None:
            return []
        snapshot = None
        if track.held is not None and not (track.fetching or track.from_disk or track.problem is not None):
            snapshot = resource.apply_delta(track.held, delta) if delta.position > track.held.position else None
        if snapshot is None:
            return self.notice(now, resource.Notice(bundle=delta.bundle, position=delta.position))
        self._accept(track, snapshot, now)
        return self._step(now)

    def fetched(self, now: float, fetch: Fetch, delivery: resource.Delivery) -> list[Action]:
        """A fetch was answered."""
        track = self._answered(fetch)
        if track is None:
            return []
        snapshot = _completed(track.held, fetch.bundle, delivery)
        oldest = max(fetch.at_least, track.held.position if track.held else resource.NOWHERE)
        if snapshot is None:
            track.in_full = True
            self._retry(track, UnfitAnswerError(f"the answer for {fetch.bundle} cannot be used"), now)
        elif snapshot.position < oldest:
            behind = f"the server gave {fetch.bundle} at {snapshot.position}; {oldest} exists"
            self._retry(track, ServerBehindError(behind), now)
        else:
            self._accept(track, snapshot, now)
        return self._step(now)

    def fetch_failed(self, now: float, fetch: Fetch, error: errors.QiantangError) -> list[Action]:
        """A fetch got no answer, or an error as its answer."""
        track = self._answered(fetch)
        if track is None:
            return []
        if isinstance(error, errors.GoneError):
            return self._drop([track], error, now)
        if isinstance(error, DEFINITE):
            self._refuse(track, error, now)
        else:
            self._retry(track, error, now)
        return self._step(now)

    def gone(self, now: float, error: errors.GoneError) -> list[Action]:
        """The application was removed: nothing held may be used any more."""
        return self._drop([self._tracks[root] for root in self._roots], error, now)

    def give_up(self, now: float) -> list[Action]:
        """The start took too long: use the copy on disk for what is missing, and go on without what that has not either."""
        self._gave_up = True
        return [*self._ask_for_copy(), *self._step(now)]

    def restored(self, now: float, snapshots: Iterable[resource.Snapshot]) -> list[Action]:
        """The last good copy, if there is one; used only where the control plane gave no answer."""
        self._copy_answered = True
        found = {snapshot.bundle: snapshot for snapshot in snapshots}
        for bundle in _reachable(self._roots, found):
            track = self._tracks.get(bundle)
            if track is None:
                track = self._tracks[bundle] = self._new_track(bundle, due_at=now + self._pace.retry(1))
            if track.held is None and not isinstance(track.problem, DEFINITE):
                track.held, track.from_disk = found[bundle], True
                track.wanted = max(track.wanted, found[bundle].position)
        return self._step(now)

    def settled(self, now: float, apply: Apply, rejected: frozenset[str]) -> list[Action]:
        """The view was swapped in, but for the capabilities whose listeners rejected it."""
        for bundle, snapshot in apply.snapshots.items():
            track = self._tracks.get(bundle)
            if track is not None and not track.gone and bundle.capability not in rejected:
                track.applied = snapshot.position
        return self._step(now)

    def tick(self, now: float) -> list[Action]:
        """Time has passed."""
        return self._step(now)

    def forked(self, now: float) -> list[Action]:
        """This is a forked child: nothing that was under way will be answered here."""
        for track in self._tracks.values():
            track.fetching, track.confirmed = 0, False
            track.due_at = now + self._pace.stream_head_start
        if self._copy_asked and not self._copy_answered:
            self._copy_asked = False
        self._line = _Line()
        self._offer.key = None
        return [Connect(0.0)]

    # -- inside ------------------------------------------------------------------------------------------

    def _answered(self, fetch: Fetch) -> _Track | None:
        """Give the track that waits for exactly this fetch."""
        track = self._tracks.get(fetch.bundle)
        if track is None or track.fetching != fetch.number:
            return None
        track.fetching = 0
        return track

    def _confirms(self, notice: resource.Notice, track: _Track) -> bool:
        """Say whether the notice proves that what is held is the newest; a copy from disk is always fetched."""
        held = track.held
        return held is not None and notice.position == held.position and not (track.failures or track.from_disk)

    def _accept(self, track: _Track, snapshot: resource.Snapshot, now: float) -> None:
        track.held, track.from_disk = snapshot, False
        track.failures, track.problem, track.in_full, track.gone = 0, None, False, False
        track.confirmed = True
        track.wanted = max(track.wanted, snapshot.position)
        track.due_at = now if track.wanted > snapshot.position else now + self._pace.poll()
        self._follow_links(now)

    def _retry(self, track: _Track, error: errors.QiantangError, now: float) -> None:
        track.failures += 1
        track.problem = error
        track.due_at = now + max(self._pace.retry(track.failures), self._pace.asked(error.retry_after))

    def _refuse(self, track: _Track, error: errors.QiantangError, now: float) -> None:
        track.problem = error
        track.confirmed = False
        track.fetching = 0
        track.due_at = now + self._pace.poll()

    def _drop(self, tracks: list[_Track], error: errors.GoneError, now: float) -> list[Action]:
        for track in tracks:
            track.held, track.gone, track.fetching, track.failures = None, True, 0, 0
            track.wanted = track.applied = resource.NOWHERE
            self._refuse(track, error, now)
            if track.bundle in self._roots:
                self._whole.pop(track.bundle, None)
        self._follow_links(now)
        return [Forget(), *self._step(now)]

    def _follow_links(self, now: float) -> None:
        """Track what the held bundles link to, and nothing else."""
        held = {bundle: track.held for bundle, track in self._tracks.items() if track.held is not None}
        needed = dict.fromkeys(_reachable(self._roots, held, missing_too=True))
        if len(needed) > MAX_BUNDLES:
            needed = dict.fromkeys(list(needed)[:MAX_BUNDLES])
            for root in self._roots:
                self._tracks[root].problem = TooManyLinksError(
                    f"{root.scope} links to more than {MAX_BUNDLES} bundles: the former content stays in use"
                )
        for bundle in needed:
            if bundle not in self._tracks:
                self._tracks[bundle] = self._new_track(bundle, due_at=now)
        for bundle in [bundle for bundle in self._tracks if bundle not in needed]:
            track = self._tracks.pop(bundle)
            if not track.gone:
                self._left[bundle] = max(track.wanted, track.applied)
        while len(self._left) > MAX_BUNDLES:
            self._left.pop(next(iter(self._left)))

    def _new_track(self, bundle: resource.Bundle, due_at: float) -> _Track:
        """Track a bundle. One that was tracked before goes on from where it was: a server that lags must not set it back."""
        return _Track(bundle, due_at=due_at, wanted=self._left.pop(bundle, resource.NOWHERE))

    def _step(self, now: float) -> list[Action]:
        due = [track for track in self._tracks.values() if track.due_at <= now and not track.fetching]
        actions: list[Action] = [self._fetch(track, now) for track in due]
        if self._needs_copy():
            actions += self._ask_for_copy()
        actions += self._offer_view()
        return actions

    def _fetch(self, track: _Track, now: float) -> Fetch:
        self._fetches += 1
        track.fetching = self._fetches
        track.due_at = now + self._pace.poll()
        held = None if track.in_full else track.held
        return Fetch(
            number=self._fetches,
            bundle=track.bundle,
            at_least=track.wanted,
            have=held.digest if held else "",
            have_position=held.position if held else resource.NOWHERE,
        )

    def _needs_copy(self) -> bool:
        """Say whether a fetch failed before there ever was a view."""
        return self._offer.number == 0 and any(
            track.held is None and track.failures and not isinstance(track.problem, DEFINITE)
            for track in self._tracks.values()
        )

    def _ask_for_copy(self) -> list[Action]:
        if self._copy_asked or self._offer.number:
            return []
        self._copy_asked = True
        return [FallBack()]

    def _offer_view(self) -> list[Action]:
        missing: list[resource.Bundle] = []
        for root in self._roots:
            closure = self._closure(root)
            if closure is not None:
                self._whole[root] = closure
            else:
                missing.append(root)
        settled = all(self._will_not_come(root) for root in missing)
        if not self._tracks or (self._offer.number == 0 and not settled):
            return []
        snapshots = self._merged()
        from_disk = frozenset(bundle for bundle, track in self._tracks.items() if track.from_disk)
        contents = ((one.bundle, one.position, one.digest, one.gray) for one in snapshots.values())
        key = (from_disk, *contents)
        if key == self._offer.key:
            return []
        self._offer.number += 1
        self._offer.key = key
        gone = (root.capability for root in self._roots if self._tracks[root].gone)
        return [
            Apply(
                number=self._offer.number,
                snapshots=snapshots,
                from_disk=from_disk,
                removed=frozenset(gone),
            )
        ]

    def _closure(self, root: resource.Bundle) -> Closure | None:
        """Give the root with all it links to, or None while something of it is missing."""
        closure: Closure = {}
        waiting = [root]
        while waiting:
            bundle = waiting.pop()
            track = self._tracks.get(bundle)
            if track is None or (track.held is None and not (track.gone and bundle != root)):
                return None
            if track.held is not None and bundle not in closure:
                closure[bundle] = track.held
                waiting += track.held.links
        return closure

    def _will_not_come(self, root: resource.Bundle) -> bool:
        """Say whether waiting for the root before the first view is in vain: with nothing at all to start from it is not, yet."""
        held = {bundle: track.held for bundle, track in self._tracks.items() if track.held is not None}
        missing = [bundle for bundle in _reachable([root], held, missing_too=True) if bundle not in held]
        refused = any(
            isinstance(self._tracks[bundle].problem, DEFINITE) for bundle in missing if bundle in self._tracks
        )
        return refused or (self._copy_answered and (self._gave_up or bool(self._whole)))

    def _merged(self) -> Closure:
        merged: Closure = {}
        for closure in self._whole.values():
            for bundle, snapshot in closure.items():
                other = merged.get(bundle)
                if other is None or other.position < snapshot.position:
                    merged[bundle] = snapshot
        return merged


def _completed(
    held: resource.Snapshot | None, bundle: resource.Bundle, delivery: resource.Delivery
) -> resource.Snapshot | None:
    """Give the whole content that a delivery leads to, or None where it does not fit what is held."""
    if delivery.bundle != bundle:
        return None
    if isinstance(delivery, resource.Snapshot):
        return delivery if resource.snapshot_digest(delivery.entries) == delivery.digest else None
    if held is None:
        return None
    if isinstance(delivery, resource.Delta):
        return resource.apply_delta(held, delivery)
    if held.digest != delivery.digest:
        return None
    return msgspec.structs.replace(held, position=delivery.position, gray=delivery.gray)


def _reachable(
    roots: Iterable[resource.Bundle],
    found: Mapping[resource.Bundle, resource.Snapshot],
    *,
    missing_too: bool = False,
) -> list[resource.Bundle]:
    """List the roots and what they link to, nearest first, as far as it is found."""
    order = list(roots)
    seen = set(order)
    for bundle in order:  # grows as it goes
        snapshot = found.get(bundle)
        fresh = [link for link in snapshot.links if link not in seen] if snapshot is not None else []
        order += fresh
        seen.update(fresh)
    return [bundle for bundle in order if missing_too or bundle in found]
