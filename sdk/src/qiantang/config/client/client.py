"""Client: what an application does with its configuration: bind, get, pin, explain, and hear of changes."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast, overload

from qiantang.config.client import event, runner
from qiantang.config.client.binding import Binding, Box, MismatchError, NotOpenError
from qiantang.config.client.callbacks import Callbacks, Failure, Registration
from qiantang.config.client.conversion import Shape
from qiantang.config.client.event import Event, Listener
from qiantang.config.client.patterns import Pattern
from qiantang.config.client.state import DEFAULT_NAMESPACE, EMPTY, Pinned, State, build, salvage
from qiantang.config.model import CAPABILITY, effective
from qiantang.kernel import errors, resource, runtime
from qiantang.kernel import scope as scopes

M = TypeVar("M")

Callback = Callable[[], Any] | Callable[[Event], Any] | Callable[[Pinned, Pinned], Any]
"""A function or coroutine function of no parameter, of the event, or of the moments before and after."""
C = TypeVar("C", bound=Callback)

DEFAULT_LIMIT = 10.0
MAX_LIMIT = 50.0
"""Beyond it the mirror would take the callback for hanging before its own time is over."""
OFFLOAD_BYTES = 256 * 1024


class _Unopened:
    """Stands where a state will be once the App is open."""


class _Forked:
    """Stands in a forked child where the parent's state was, until somebody looks."""

    def __init__(self, last: State) -> None:
        self.last = last


class Subscription:
    """What `on_change` gives for a listener; `close` makes it hear no more."""

    def __init__(self, callbacks: Callbacks, registration: Registration, lock: threading.RLock) -> None:
        self._callbacks = callbacks
        self._registration = registration
        self._lock = lock

    def close(self) -> None:
        """Hear no more; a run under way is not interrupted. Closing twice does nothing."""
        with self._lock:
            self._callbacks.remove(self._registration)


class ConfigClient:
    """An application's configuration, live.

    Reads never wait and may come from any thread. All settings and all bound models change in one instant, or,
    where what was published does not fit a bound model, not at all. `bind` and `on_change` may be called before and
    after the App is opened.
    """

    def __init__(self, scope: scopes.Scope, cluster: str, *, limit: float = DEFAULT_LIMIT) -> None:
        self.bundle: Final = resource.Bundle(scope=scope, capability=CAPABILITY)
        self.box: Final = Box(_Unopened())
        self.loop: asyncio.AbstractEventLoop | None = None
        self.wake: Callable[[], None] = lambda: None
        self._cluster = cluster
        self._limit = checked_limit(limit)
        self._number = 0
        self._forks = 0
        self._lock = threading.RLock()
        self._bindings: dict[tuple[type, str, str], Binding[Any]] = {}
        self._callbacks = Callbacks(self._latest)
        self._differences = event.Differences()

    # -- reading -----------------------------------------------------------------------------------------

    def bind(self, model: type[M], prefix: str = "", namespace: str = DEFAULT_NAMESPACE) -> M:
        """Give a live view of the settings below `prefix` in the shape of a model.

        The model is a msgspec Struct, a dataclass or a pydantic model; its defaults are the declared defaults. The
        view is read like an instance and always shows what is in use; binding the same again gives the same view.

        Raises:
            MisconfiguredError: the model cannot be bound.
            MismatchError: the App is open, and what is published does not fit.
        """
        key = (model, prefix, namespace)
        with self._lock:
            known = self._bindings.get(key)
            if known is None:
                known = Binding(self, Shape(model), namespace, prefix, f"v{len(self._bindings)}")
                if not isinstance(self.box.state, _Unopened):
                    current = self.current
                    self.box.state = current.with_value(known, current.value(known))
                self._bindings[key] = known
            return cast("M", known.view)

    def get(self, key: str, default: Any = None, *, namespace: str = DEFAULT_NAMESPACE) -> Any:
        """Find a value by its dotted key; lists come as tuples, mappings read-only.

        Where the default is a bool, a number or a duration, text is read as one.

        Raises:
            NotOpenError: the App is not open.
            MismatchError: the text cannot be read as what the default is.
        """
        return self.current.get(key, default, namespace)

    def pin(self) -> Pinned:
        """Give this moment, to read one consistent state from however long it takes: `with config.pin() as pinned`.

        Raises:
            NotOpenError: the App is not open.
        """
        return Pinned(self.current)

    def explain(self, key: str = "", *, namespace: str = DEFAULT_NAMESPACE) -> list[effective.Explanation]:
        """Say where each value at or below a key comes from, and what it covers; empty where nothing is published.

        Raises:
            NotOpenError: the App is not open.
        """
        merged = self.current.merged(namespace)
        return merged.explain(key) if merged is not None else []

    @property
    def current(self) -> State:
        """The state in use.

        Raises:
            NotOpenError: the App is not open.
        """
        found = self.box.state
        if isinstance(found, State):
            return found
        if isinstance(found, _Forked):
            return self._wake(found)
        raise NotOpenError("the configuration is not there yet: open the App first, with `with` or `async with`")

    def value_of(self, binding: Binding[M]) -> M:
        """Give a bound model where its view found no state to read from.

        Raises:
            NotOpenError: the App is not open.
            GoneError: the application was removed, and the model does not do without settings.
        """
        try:
            return self.current.value(binding)
        except MismatchError as error:
            raise errors.GoneError(f"{self.bundle.scope} was removed, so {binding.where} has no settings") from error

    # -- hearing of changes ------------------------------------------------------------------------------

    @overload
    def on_change(
        self, pattern: str, *, namespace: str = DEFAULT_NAMESPACE, timeout: float | None = None
    ) -> Callable[[C], C]: ...

    @overload
    def on_change(
        self,
        pattern: str,
        listener: Listener | Callback,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        timeout: float | None = None,
    ) -> Subscription: ...

    def on_change(
        self,
        pattern: str,
        listener: Listener | Callback | None = None,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        timeout: float | None = None,
    ) -> Any:
        """Have a callback run after keys changed: "db.url", "db.*" or "*"; as a decorator, or with a listener.

        A coroutine function runs on the event loop on which it was registered, else on the one that opened the App,
        else on a thread of its own; a plain function on a worker thread. It has `timeout` seconds. Changes that come
        while it runs are told in one further run. What it raises is told to the operator, and it is run again at the
        next change.

        Raises:
            MisconfiguredError: that is no pattern, or a time limit that cannot be kept.
            TypeError: the callback takes other arguments than (), (event) or (before, after).
        """
        if listener is None:
            return functools.partial(self._decorate, Pattern(pattern), namespace, timeout)
        return self._subscribe(Pattern(pattern), namespace, timeout, listener)

    def _decorate(self, pattern: Pattern, namespace: str, timeout: float | None, callback: C) -> C:
        self._subscribe(pattern, namespace, timeout, callback)
        return callback

    def _subscribe(
        self, pattern: Pattern, namespace: str, timeout: float | None, listener: Listener | Callback
    ) -> Subscription:
        callback = cast("Callable[..., Any]", getattr(listener, "changed", listener))
        if not callable(callback):
            raise TypeError(f"{callback!r} cannot be called: give a function, or an object with a method `changed`")
        takes, is_coroutine = event.parameters(callback), event.is_coroutine_function(callback)
        loop, forks = _running_loop(), self._forks

        def start(news: Event) -> runner.Run:
            call = functools.partial(callback, *event.arguments(takes, news))
            home = loop if loop is not None and forks == self._forks else self.loop
            return runner.begin(call, coroutine=is_coroutine, loop=home)

        def detect(before: State, after: State) -> Event | None:
            return self._differences.between(before, after, namespace, pattern)

        limit = self._limit if timeout is None else checked_limit(timeout)
        return self.watch(Registration(event.callback_name(callback), detect, start, limit))

    def watch(self, registration: Registration) -> Subscription:
        """Have what is not quite a callback hear of every new state, from now on."""
        with self._lock:
            found = self.box.state
            registration.known = found if isinstance(found, State) else getattr(found, "last", None)
            self._callbacks.add(registration)
        return Subscription(self._callbacks, registration, self._lock)

    # -- being fed, on the runtime's loop ----------------------------------------------------------------

    async def take(self, snapshots: Mapping[resource.Bundle, resource.Snapshot]) -> None:
        """Swap in what was delivered, with all that is bound to it, and have the callbacks told; waits for none.

        Without the application's own bundle in it the application was removed, or never was there: then models that
        cannot do without settings have none.

        Raises:
            MismatchError: it does not fit a bound model; nothing was swapped.
            InvalidRequestError: it is not what a control plane delivers; nothing was swapped.
        """
        if self.is_large(snapshots):
            await self.take_large(snapshots)
        else:
            self.take_now(snapshots)
        self.tell()

    @staticmethod
    def is_large(snapshots: Mapping[resource.Bundle, resource.Snapshot]) -> bool:
        """Say whether taking it would hold the loop up."""
        return sum(len(bytes(entry.content)) for one in snapshots.values() for entry in one.entries) >= OFFLOAD_BYTES

    def take_now(self, snapshots: Mapping[resource.Bundle, resource.Snapshot]) -> None:
        """Do as `take` does, in this turn of the loop; the callbacks wait for `tell`."""
        bindings = list(self._bindings.values())
        self._swap(self._following(snapshots, self._last(), bindings), len(bindings))

    async def take_large(self, snapshots: Mapping[resource.Bundle, resource.Snapshot]) -> None:
        """Do as `take` does, on a thread; the callbacks wait for `tell`."""
        bindings = list(self._bindings.values())
        following = await runtime.offload(functools.partial(self._following, snapshots, self._last(), bindings))
        self._swap(following, len(bindings))

    def tell(self) -> None:
        """Have the callbacks told of what was taken; waits for none."""
        self._callbacks.offer()

    async def settled(self) -> list[Failure]:
        """Wait until all callbacks were told of the state in use, or overran; give those that are behind."""
        await self._callbacks.settled()
        return self.failures

    def when_caught_up(self, call: Callable[[], None]) -> None:
        """Have it called when a callback that overran knows the latest state after all."""
        self._callbacks.caught_up = call

    async def close(self) -> None:
        """Give up the callbacks that run; the views keep what they show."""
        await self._callbacks.close()

    def forked(self) -> None:
        """Forget, in a forked child, what belonged to the parent's loops; what is held stays readable."""
        self._lock = threading.RLock()
        self._forks += 1
        self.loop = None
        self._callbacks.after_fork()
        found = self.box.state
        if isinstance(found, State):
            self.box.state = _Forked(found)

    @property
    def failures(self) -> list[Failure]:
        """The callbacks that did not take the last change in."""
        return self._callbacks.failures

    @property
    def hears(self) -> bool:
        """Whether anything waits for changes."""
        return len(self._callbacks) > 0

    def _last(self) -> State:
        found = self.box.state
        return found if isinstance(found, State) else found.last if isinstance(found, _Forked) else EMPTY

    def _following(
        self,
        snapshots: Mapping[resource.Bundle, resource.Snapshot],
        before: State,
        bindings: Sequence[Binding[Any]],
    ) -> State:
        own = snapshots.get(self.bundle)
        if own is None:
            nothing = effective.Effective(self._cluster, {})
            if before is EMPTY:
                return build(nothing, resource.NOWHERE, before, bindings)
            return salvage(nothing, resource.NOWHERE, before, bindings)
        linked = [snapshot for bundle, snapshot in snapshots.items() if bundle != self.bundle]
        settings = effective.effective(own, linked, self._cluster, before.settings)
        return build(settings, own.position, before, bindings)

    def _swap(self, following: State, bound: int) -> None:
        with self._lock:
            late = list(self._bindings.values())[bound:]
            for binding in late:
                following = following.with_value(binding, following.value(binding))
            self.box.state = following
            self._number += 1

    def _latest(self) -> tuple[State, int]:
        return self._last(), self._number

    def _wake(self, forked: _Forked) -> State:
        """A forked child reads for the first time: have the line opened, and go on with what the parent had."""
        with self._lock:
            if self.box.state is forked:
                self.box.state = forked.last
                self.wake()
        return forked.last


def checked_limit(seconds: float) -> float:
    """Give a callback's time limit back if it can be kept.

    Raises:
        MisconfiguredError: it cannot.
    """
    if not 0 < seconds <= MAX_LIMIT:
        raise errors.MisconfiguredError(f"a callback may take more than 0 and at most {MAX_LIMIT:g} s, not {seconds:g}")
    return float(seconds)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    return None if runtime.inside() else loop
