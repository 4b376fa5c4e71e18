"""Swap: puts a new view in the place of the old one: asks the listeners, keeps what they reject, swaps one reference."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from dataclasses import replace
from types import MappingProxyType

from qiantang.kernel import errors, protocol, resource
from qiantang.kernel.mirror.core import Apply
from qiantang.kernel.mirror.listeners import Listeners
from qiantang.kernel.mirror.view import ContentKey, MirrorView, Outcome, Source

Steps = Generator[Awaitable[Outcome], Outcome, None]


class ContentRejectedError(errors.RejectedError):
    """A listener refused the new content: the former stays in use."""

    code = "mirror.content_rejected"


class Swap:
    """Holds the view in use. Of views offered while one is being asked about, only the latest is taken up.

    A capability whose listeners reject the new content keeps the old, unless that was removed on purpose; the same content
    is not asked about twice. `settled` is called after each swap with the rejected capabilities, `told` when the listeners
    are on their way.
    """

    def __init__(
        self,
        listeners: Listeners,
        *,
        settled: Callable[[Apply, frozenset[str]], None],
        told: Callable[[], None],
    ) -> None:
        self.view = MirrorView()
        self._told = told
        self._listeners = listeners
        self._settled = settled
        self._offered: Apply | None = None
        self._taken: Apply | None = None
        self._rejected: dict[str, tuple[ContentKey, Outcome]] = {}
        self._taking = False
        self._task: asyncio.Task[None] | None = None

    @property
    def problem(self) -> errors.QiantangError | None:
        """What a listener has against the newest content, if anything."""
        for capability, (_key, outcome) in self._rejected.items():
            return ContentRejectedError(f"the new content of {capability} was not taken: {outcome.error}")
        return None

    def after_fork(self) -> None:
        """Forget the parent's task: the core offers its view again."""
        self._task = None
        self._taking = False
        self._offered = None

    def offer(self, apply: Apply) -> None:
        """Take up a view, after the one that is being asked about; at once where nobody has to be waited for."""
        if self._offered is not None:
            apply = replace(apply, removed=apply.removed | self._offered.removed)
        self._offered = apply
        if self._taking:
            return
        self._taking = True
        steps = self._take_all()
        waiting = next(steps, None)
        if waiting is not None:
            self._task = asyncio.ensure_future(self._go_on(steps, waiting))

    def mark(self, stale_since: float | None, problem: errors.QiantangError | None) -> None:
        """Say of the view in use how sure it is."""
        if self.view.stale_since != stale_since or self.view.problem is not problem:
            self.view = replace(self.view, stale_since=stale_since, problem=problem)

    def words(self) -> list[protocol.Held]:
        """Tell how taking the newest content went, for each bundle whose listeners are done with it."""
        taken = self._taken
        if taken is None:
            return []
        words: list[protocol.Held] = []
        for bundle, snapshot in taken.snapshots.items():
            rejection = self._rejected.get(bundle.capability)
            outcome = rejection[1] if rejection is not None else self._listeners.outcome(bundle.capability)
            if outcome is not None:
                words.append(_word(snapshot, outcome, from_disk=bundle in taken.from_disk))
        return words

    def close(self) -> None:
        """Swap no more."""
        if self._task is not None:
            self._task.cancel()

    async def _go_on(self, steps: Steps, waiting: Awaitable[Outcome]) -> None:
        try:
            while True:
                waiting = steps.send(await waiting)
        except StopIteration:
            pass
        finally:
            self._task = None
            steps.close()

    def _take_all(self) -> Steps:
        """Take what is offered, and what is offered meanwhile; yields what has to be waited for."""
        try:
            while (apply := self._offered) is not None:
                self._offered = None
                yield from self._take(apply)
        finally:
            self._taking = False

    def _take(self, apply: Apply) -> Steps:
        before = self.view
        proposed = replace(
            before, snapshots=MappingProxyType(dict(apply.snapshots)), source=_source(apply.snapshots, apply)
        )
        rejected, agreed = yield from self._ask(before, proposed)
        kept = {
            bundle: snapshot
            for bundle, snapshot in before.snapshots.items()
            if bundle.capability in rejected and bundle.capability not in apply.removed
        }
        new = {bundle: snapshot for bundle, snapshot in apply.snapshots.items() if bundle.capability not in rejected}
        snapshots = MappingProxyType({**kept, **new})
        self._rejected, self._taken = rejected, apply
        self.view = replace(self.view, snapshots=snapshots, source=_source(snapshots, apply))
        for capability in agreed:
            self._listeners.swapped(capability)
        self._settled(apply, frozenset(rejected))
        self._listeners.tell(self.view)
        self._told()

    def _ask(
        self, before: MirrorView, proposed: MirrorView
    ) -> Generator[Awaitable[Outcome], Outcome, tuple[dict[str, tuple[ContentKey, Outcome]], list[str]]]:
        """Give what is rejected, and the capabilities whose listeners agreed to something new."""
        rejected: dict[str, tuple[ContentKey, Outcome]] = {}
        agreed: list[str] = []
        bundles = {*before.snapshots, *proposed.snapshots}
        for capability in sorted({bundle.capability for bundle in bundles}):
            key = proposed.content_key(capability)
            known = self._rejected.get(capability)
            if known is not None and known[0] == key:
                rejected[capability] = known
            elif key != before.content_key(capability):
                outcome = yield from self._listeners.prepare(capability, before, proposed)
                if outcome is not None:
                    rejected[capability] = (key, outcome)
                else:
                    agreed.append(capability)
        return rejected, agreed


def _source(snapshots: object, apply: Apply) -> Source:
    if not snapshots:
        return "none"
    return "disk" if apply.from_disk else "center"


def _word(snapshot: resource.Snapshot, outcome: Outcome, *, from_disk: bool) -> protocol.Held:
    return protocol.Held(
        bundle=snapshot.bundle,
        position=snapshot.position,
        digest=snapshot.digest,
        gray=snapshot.gray,
        status=outcome.status,
        error=outcome.error[: protocol.MAX_ERROR_LENGTH],
        took_ms=outcome.took_ms,
        from_disk=from_disk,
    )
