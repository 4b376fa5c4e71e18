"""Effective settings: what an instance sees of its namespaces, and which layer gave each value.

Layers from low to high: the public namespace that is inherited, the same for the instance's cluster, the
application's own namespace, the same for the instance's cluster. A gray release is inside the snapshots
already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from qiantang.config.model import tree
from qiantang.config.model.namespace import KIND, Delivered, Format, NamespaceName, Reference
from qiantang.kernel import errors, resource, wire

_HIDDEN = "(secret)"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from. `cluster` is empty where it is for all, `gray` in the main release."""

    bundle: resource.Bundle
    namespace: str
    cluster: str
    position: resource.Position
    gray: str
    inherited: bool

    def __str__(self) -> str:
        """Read as center/application/namespace@cluster at revision."""
        name = NamespaceName(self.namespace, self.cluster)
        place = f"{self.bundle.scope.center}/{self.bundle.scope.application}/{name}"
        gray = f" (gray {self.gray})" if self.gray else ""
        return f"{place} at {self.position}{gray}"


@dataclass(frozen=True, slots=True, repr=False)
class Layer:
    """One namespace as delivered, deeply frozen."""

    origin: Origin
    digest: str
    format: Format
    data: Any
    inherits: str
    public: bool
    secrets: frozenset[tree.Path]

    def __repr__(self) -> str:
        """Never show the data: secrets are in it."""
        return f"Layer({self.origin})"

    def is_secret(self, path: tree.Path) -> bool:
        """Say whether the value at a path is a secret, or inside one."""
        return bool(self.secrets) and any(path[:end] in self.secrets for end in range(len(path) + 1))


@dataclass(frozen=True, slots=True, repr=False)
class Shadowed:
    """A value that a higher layer covers."""

    value: Any
    origin: Origin
    secret: bool

    def __repr__(self) -> str:
        """Show the value unless it is a secret."""
        return f"Shadowed({_HIDDEN if self.secret else repr(self.value)}, {self.origin})"


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """An effective value, the layer that gave it, and the values under it from the highest to the lowest."""

    path: str
    value: Any
    origin: Origin
    secret: bool
    shadowed: tuple[Shadowed, ...]

    def __repr__(self) -> str:
        """Show the value unless it is a secret."""
        value = _HIDDEN if self.secret else repr(self.value)
        return f"Explanation({self.path!r}, {value}, {self.origin}, shadowed={self.shadowed!r})"


@dataclass(frozen=True, slots=True, repr=False)
class EffectiveNamespace:
    """The merged settings of one namespace, deeply frozen.

    `layers` go from low to high. `missing` says what is inherited and could not be had; the rest is in
    force without it.
    """

    name: str
    format: Format
    data: Any
    layers: tuple[Layer, ...]
    missing: str = ""

    def __repr__(self) -> str:
        """Never show the data: secrets are in it."""
        return f"EffectiveNamespace({self.name!r}, layers={list(self.layers)!r})"

    def get(self, path: str, default: Any = tree.MISSING) -> Any:
        """Find a value by its dotted path (see `tree.get`)."""
        return tree.get(self.data, path, default)

    def explain(self, path: str = "") -> list[Explanation]:
        """Explain every leaf at or under a dotted path; none where nothing is there."""
        return list(self._explanations(path))

    def secrets(self) -> list[str]:
        """Name the leaves that are secrets, by dotted path."""
        if not any(layer.secrets for layer in self.layers):
            return []
        return [found.path for found in self._explanations("") if found.secret]

    def _explanations(self, under: str) -> Iterator[Explanation]:
        for path, value in tree.leaves(self.data):
            dotted = ".".join(path)
            if not under or dotted == under or dotted.startswith(f"{under}."):
                yield self._explanation(path, dotted, value)

    def _explanation(self, path: tree.Path, dotted: str, value: Any) -> Explanation:
        # The highest layer that has the path gave the value: one without it cannot have touched a leaf.
        giving = [layer for layer in reversed(self.layers) if tree.at(layer.data, path) is not tree.MISSING]
        covered = tuple(
            Shadowed(tree.at(layer.data, path), layer.origin, layer.is_secret(path)) for layer in giving[1:]
        )
        return Explanation(dotted, value, giving[0].origin, giving[0].is_secret(path), covered)


@dataclass(frozen=True, slots=True)
class Effective:
    """All that an instance sees of its application's configuration. Immutable: swap it as a whole."""

    cluster: str
    namespaces: Mapping[str, EffectiveNamespace]

    def find(self, name: str) -> EffectiveNamespace | None:
        """Find a namespace by its name, without cluster."""
        return self.namespaces.get(name)


def effective(
    own: resource.Snapshot,
    linked: Iterable[resource.Snapshot],
    cluster: str,
    previous: Effective | None = None,
) -> Effective:
    """Merge what was delivered into what an instance of `cluster` sees.

    `previous` makes it cheap: a namespace whose layers are the same keeps the very tree that it had, and
    only changed ones are decoded and merged.

    Raises:
        InvalidRequestError: a content is not what a control plane delivers.
    """
    merging = _Merging(own, linked, cluster, previous)
    names = sorted({name for name, where in merging.shelf[own.bundle] if where in {"", cluster}})
    return Effective(cluster, MappingProxyType({name: merging.namespace(name) for name in names}))


_Shelf = dict[tuple[str, str], resource.Entry]


class _Merging:
    """One merge: what was delivered, sorted for finding it."""

    def __init__(
        self,
        own: resource.Snapshot,
        linked: Iterable[resource.Snapshot],
        cluster: str,
        previous: Effective | None,
    ) -> None:
        self._own = own
        self._cluster = cluster
        self._previous: Mapping[str, EffectiveNamespace] = previous.namespaces if previous else {}
        self._snapshots = {snapshot.bundle: snapshot for snapshot in (*linked, own)}
        self.shelf = {bundle: _shelve(snapshot) for bundle, snapshot in self._snapshots.items()}
        self._known = {
            (layer.origin.bundle, layer.digest): layer
            for namespace in self._previous.values()
            for layer in namespace.layers
        }

    def namespace(self, name: str) -> EffectiveNamespace:
        own = self._layers(self._own.bundle, name, inherited=False)
        reference = next((layer.inherits for layer in reversed(own) if layer.inherits), "")
        below, missing = self._inherited(reference) if reference else ((), "")
        layers = (*below, *own)
        return EffectiveNamespace(name, layers[-1].format, self._merged(name, layers), layers, missing)

    def _inherited(self, text: str) -> tuple[tuple[Layer, ...], str]:
        try:
            reference = Reference.parse(text)
        except errors.InvalidRequestError as error:
            return (), error.detail
        bundle = reference.bundle(self._own.bundle.scope)
        layers = self._layers(bundle, reference.namespace, inherited=True)
        if layers and layers[0].public and not layers[0].origin.cluster:
            return layers, ""
        return (), f"there is no public namespace {text}"

    def _layers(self, bundle: resource.Bundle, name: str, *, inherited: bool) -> tuple[Layer, ...]:
        shelf = self.shelf.get(bundle, {})
        clusters = ("", self._cluster) if self._cluster else ("",)
        found = ((cluster, shelf.get((name, cluster))) for cluster in clusters)
        return tuple(
            self._layer(bundle, NamespaceName(name, cluster), entry, inherited=inherited)
            for cluster, entry in found
            if entry is not None
        )

    def _layer(self, bundle: resource.Bundle, name: NamespaceName, entry: resource.Entry, *, inherited: bool) -> Layer:
        snapshot = self._snapshots[bundle]
        origin = Origin(bundle, name.name, name.cluster, snapshot.position, snapshot.gray, inherited)
        known = self._known.get((bundle, entry.digest))
        if known is not None:
            return Layer(origin, known.digest, known.format, known.data, known.inherits, known.public, known.secrets)
        content = wire.decode(bytes(entry.content), Delivered)
        return Layer(
            origin=origin,
            digest=entry.digest,
            format=content.format,
            data=tree.freeze(content.data),
            inherits=content.inherits,
            public=content.public,
            secrets=frozenset(tuple(path.split(".")) if path else () for path in content.secrets),
        )

    def _merged(self, name: str, layers: tuple[Layer, ...]) -> Any:
        before = self._previous.get(name)
        if before is not None and _same_content(before.layers, layers):
            return before.data
        data = layers[0].data
        for layer in layers[1:]:
            data = tree.merge(data, layer.data)
        return data


def _same_content(before: tuple[Layer, ...], after: tuple[Layer, ...]) -> bool:
    return len(before) == len(after) and all(one.data is other.data for one, other in zip(before, after, strict=True))


def _shelve(snapshot: resource.Snapshot) -> _Shelf:
    """Sort a snapshot's namespaces by name and cluster."""
    shelf: _Shelf = {}
    for entry in snapshot.entries:
        if entry.kind == KIND:
            name, _, cluster = entry.name.partition("@")
            shelf[name, cluster] = entry
    return shelf
