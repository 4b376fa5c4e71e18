"""Event: what changed between two moments, as a callback hears it; and the shapes that a callback may have."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol, cast

from qiantang.config.client import secrecy
from qiantang.config.client.patterns import Pattern
from qiantang.config.client.state import Pinned, State
from qiantang.config.model import tree

MAX_SHOWN = 20
MAX_DIFFERENCES = 4


class Change:
    """A key's value before and after; MISSING where the key was not there. Secrets are masked in its repr."""

    __slots__ = ("after", "before", "secret")

    def __init__(self, before: Any, after: Any, *, secret: bool) -> None:
        self.before = before
        self.after = after
        self.secret = secret

    def __repr__(self) -> str:
        before, after = (
            secrecy.MASK if self.secret and side is not tree.MISSING else repr(side)
            for side in (self.before, self.after)
        )
        return f"{before} -> {after}"


class Event:
    """What a callback is told. `snapshot` is the moment now in use, `previous` the one the callback knew before it."""

    __slots__ = ("changes", "namespace", "previous", "snapshot")

    def __init__(self, namespace: str, changes: Mapping[str, Change], previous: Pinned, snapshot: Pinned) -> None:
        self.namespace = namespace
        self.changes = changes
        self.previous = previous
        self.snapshot = snapshot

    @property
    def revision(self) -> int:
        """The revision of the release now in use."""
        return self.snapshot.revision

    def __contains__(self, key: object) -> bool:
        return key in self.changes

    def __iter__(self) -> Iterator[str]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def __getitem__(self, key: str) -> Change:
        return self.changes[key]

    def __repr__(self) -> str:
        shown = [f"{key}: {change!r}" for key, change in list(self.changes.items())[:MAX_SHOWN]]
        more = len(self.changes) - len(shown)
        rest = f", and {more} more" if more > 0 else ""
        return f"Event({self.namespace} at {self.snapshot.position}: {', '.join(shown)}{rest})"


class Listener(Protocol):
    """An object that hears of changes; `changed` may be a coroutine function as well."""

    def changed(self, event: Event) -> Any:
        """Take the change in. Raising says that it was not taken in; the next change calls again."""
        ...


class Differences:
    """What differs between states, found once for all callbacks that ask. Not safe from threads by itself."""

    def __init__(self) -> None:
        self._found: list[tuple[State, State, str, Mapping[str, Change]]] = []

    def between(self, before: State, after: State, namespace: str, pattern: Pattern) -> Event | None:
        """Give what changed under a pattern, or None where nothing did."""
        if before is after:
            return None
        changes = self._changes(before, after, namespace)
        told = {key: changes[key] for key in pattern.among(changes)}
        if not told:
            return None
        return Event(namespace, MappingProxyType(told), Pinned(before), Pinned(after))

    def _changes(self, before: State, after: State, namespace: str) -> Mapping[str, Change]:
        for one, other, name, found in self._found:
            if one is before and other is after and name == namespace:
                return found
        changed = tree.changed(_tree(before, namespace), _tree(after, namespace))
        secret = {*_secrets(before, namespace), *_secrets(after, namespace)} if changed else set[str]()
        found = {key: Change(one.before, one.after, secret=key in secret) for key, one in changed.items()}
        self._found = [(before, after, namespace, found), *self._found[: MAX_DIFFERENCES - 1]]
        return found


def _tree(state: State, namespace: str) -> Any:
    held = state.namespaces.get(namespace)
    return held.data if held is not None else tree.MISSING


def _secrets(state: State, namespace: str) -> list[str]:
    merged = state.merged(namespace)
    return merged.secrets() if merged is not None else []


def parameters(callback: Callable[..., Any]) -> int:
    """Say how many arguments a callback takes: none, (event), or (before, after).

    Raises:
        TypeError: it can be called in none of these ways, or is a generator.
    """
    name = callback_name(callback)
    called = callback if inspect.isroutine(callback) or inspect.isclass(callback) else _call_of(callback)
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        raise TypeError(f"{name} is a generator: calling it would run nothing")
    try:
        signature = inspect.signature(callback)
    except (ValueError, TypeError) as error:
        raise TypeError(f"{name} does not tell its parameters: wrap it in a function of one parameter") from error
    if any(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in signature.parameters.values()):
        raise TypeError(f"{name}{signature} needs a keyword argument: a callback takes (), (event) or (before, after)")
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = sum(one.kind in kinds and one.default is one.empty for one in signature.parameters.values())
    if needed > 2:
        raise TypeError(f"{name}{signature} needs {needed} arguments: a callback takes (), (event) or (before, after)")
    takes_all = any(one.kind is one.VAR_POSITIONAL for one in signature.parameters.values())
    return 1 if needed == 0 and takes_all else needed


def is_coroutine_function(callback: Callable[..., Any]) -> bool:
    """Say whether calling it gives a coroutine: a function, a partial of one, or an object whose call is one."""
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(_call_of(callback))


def _call_of(callback: Callable[..., Any]) -> Any:
    return getattr(callback, "__call__", None)  # noqa: B004  # the bound method itself is looked at


def callback_name(callback: Any) -> str:
    """Name a callback as a person finds it: module and qualified name."""
    inner: Any = getattr(callback, "func", callback)  # of a functools.partial
    named = inner if hasattr(inner, "__qualname__") else cast("Any", type(inner))
    return f"{getattr(named, '__module__', '?')}.{named.__qualname__}"


def arguments(count: int, event: Event) -> tuple[Any, ...]:
    """Give what a callback of so many parameters is called with."""
    if count == 2:
        return (event.previous, event.snapshot)
    return (event,) if count else ()
