"""State: all settings of one moment, with every bound model made of them; never changed, only replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, cast

from qiantang.config.client import conversion, secrecy
from qiantang.config.client.binding import Binding, MismatchError, binding_of
from qiantang.config.model import effective, tree
from qiantang.kernel import resource

V = TypeVar("V")

DEFAULT_NAMESPACE = "application"

_ABSENT = MappingProxyType[str, Any]({})


class Held(NamedTuple):
    """A namespace in use: as merged, and its tree with the secrets in it marked."""

    merged: effective.EffectiveNamespace
    data: Any


class State:
    """One immutable moment. Models, and their fields, stand in it under the slots of their bindings."""

    def __init__(
        self,
        settings: effective.Effective,
        namespaces: Mapping[str, Held],
        position: resource.Position,
        values: Mapping[str, Any],
    ) -> None:
        self.settings = settings
        self.namespaces = namespaces
        self.position = position
        self.looked_up: dict[tuple[str, str], Any] = {}  # what is there is found once; it never changes
        self.__dict__.update(values)

    def data(self, namespace: str) -> Any:
        """Give a namespace's tree; empty where there is no such namespace."""
        held = self.namespaces.get(namespace)
        return held.data if held is not None else _ABSENT

    def merged(self, namespace: str) -> effective.EffectiveNamespace | None:
        """Give a namespace with its layers, for explanations."""
        held = self.namespaces.get(namespace)
        return held.merged if held is not None else None

    def value(self, binding: Binding[V]) -> V:
        """Give a bound model; one that was bound later is made here.

        Raises:
            MismatchError: one bound later does not fit this state.
        """
        found = self.__dict__.get(binding.slot, self)
        if found is self:
            return binding.convert(self.data(binding.namespace), self.merged(binding.namespace))
        return cast("V", found)

    def holds(self, binding: Binding[Any]) -> bool:
        """Say whether the model stands in it already."""
        return binding.slot in self.__dict__

    def with_value(self, binding: Binding[V], value: V) -> State:
        """Give the same moment with one more model."""
        values = {name: held for name, held in self.__dict__.items() if name not in _OWN}
        return State(self.settings, self.namespaces, self.position, {**values, **binding.standing(value)})

    def get(self, key: str, default: Any, namespace: str) -> Any:
        """Find a value by its dotted key; text becomes a bool, number or duration where the default is one.

        Raises:
            MismatchError: the text cannot be read so.
        """
        found = self.looked_up.get((namespace, key), tree.MISSING)
        if found is tree.MISSING:
            found = tree.get(self.data(namespace), key)
            if found is tree.MISSING:
                return default
            self.looked_up[namespace, key] = found
        if default is None or not isinstance(found, str) or isinstance(default, str):
            return found
        try:
            return conversion.to_kind_of(default, found)
        except ValueError:
            kind = type(default).__name__
            raise MismatchError(f"{key} in namespace {namespace} is text that cannot be read as {kind}") from None


_OWN = frozenset({"settings", "namespaces", "position", "looked_up"})

EMPTY = State(effective.Effective("", MappingProxyType({})), MappingProxyType({}), resource.NOWHERE, {})


def hold(settings: effective.Effective, before: State) -> Mapping[str, Held]:
    """Mark the secrets of every namespace; what did not change since `before` is shared with it."""
    held: dict[str, Held] = {}
    for name, merged in settings.namespaces.items():
        known = before.namespaces.get(name)
        if known is not None and known.merged.data is merged.data and _secrets(known.merged) == _secrets(merged):
            held[name] = Held(merged, known.data)
        else:
            held[name] = Held(merged, _marked(merged))
    return MappingProxyType(held)


def _secrets(merged: effective.EffectiveNamespace) -> list[frozenset[tree.Path]]:
    return [layer.secrets for layer in merged.layers]


def _marked(merged: effective.EffectiveNamespace) -> Any:
    if not any(layer.secrets for layer in merged.layers):
        return merged.data
    leaves = [path for path, _ in tree.leaves(merged.data) if _is_secret(merged, path)]
    return secrecy.mark(merged.data, leaves)


def _is_secret(merged: effective.EffectiveNamespace, path: tree.Path) -> bool:
    giving = next((layer for layer in reversed(merged.layers) if tree.at(layer.data, path) is not tree.MISSING), None)
    return giving is not None and giving.is_secret(path)


def build(
    settings: effective.Effective, position: resource.Position, before: State, bindings: Iterable[Binding[Any]]
) -> State:
    """Make the state that follows `before`, with all models in it or not at all.

    A model whose part of the settings did not change keeps its very instance.

    Raises:
        MismatchError: models do not fit; one problem for each.
    """
    held = hold(settings, before)
    following = State(settings, held, position, {})
    values: dict[str, Any] = {}
    misfits: list[MismatchError] = []
    for binding in bindings:
        try:
            values |= binding.standing(_value(binding, following, before))
        except MismatchError as error:
            misfits.append(error)
    if len(misfits) == 1:
        raise misfits[0]
    if misfits:
        problems = [problem for error in misfits for problem in error.problems]
        raise MismatchError("; ".join(error.detail for error in misfits), problems=problems)
    return State(settings, held, position, values)


def _value(binding: Binding[V], following: State, before: State) -> V:
    if before.holds(binding):
        part = binding.part(following.data(binding.namespace))
        if tree.same(part, binding.part(before.data(binding.namespace))):
            return before.value(binding)
    return following.value(binding)


def salvage(
    settings: effective.Effective, position: resource.Position, before: State, bindings: Iterable[Binding[Any]]
) -> State:
    """Make the state that follows a removal: a model that does not fit any more is left out, not kept."""
    following = State(settings, hold(settings, before), position, {})
    for binding in bindings:
        try:
            following = following.with_value(binding, following.value(binding))
        except MismatchError:
            continue
    return following


class Pinned:
    """One consistent, immutable moment of all settings and bound models: what one request should see throughout."""

    __slots__ = ("_state",)

    def __init__(self, state: State) -> None:
        self._state = state

    def __enter__(self) -> Pinned:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __getitem__(self, view: V) -> V:
        """Give a bound model as it was: an instance of the model itself.

        Raises:
            TypeError: not what `bind` returned.
            MismatchError: it was bound after this moment, and does not fit it.
        """
        return cast("V", self._state.value(binding_of(view)))

    def get(self, key: str, default: Any = None, *, namespace: str = DEFAULT_NAMESPACE) -> Any:
        """Find a value by its dotted key, as `config.get` does."""
        return self._state.get(key, default, namespace)

    @property
    def revision(self) -> int:
        """The revision of the application's release that is in use; 0 where there is none."""
        return self._state.position.revision

    @property
    def position(self) -> resource.Position:
        """The revision with its epoch."""
        return self._state.position

    def __repr__(self) -> str:
        return f"Pinned({self._state.position})"
