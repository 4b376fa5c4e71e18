"""Binding: a model tied to a part of the settings, and the live view through which an application reads it.

A view reads one attribute of the box, whose attributes are those of the state that is in use: publishing swaps them
all at once, so all views change in the same instant, and a read costs no lock and no look-up of who asks.
"""

from __future__ import annotations

import operator
from typing import Any, Generic, Protocol, TypeVar, cast

from qiantang.config.client.conversion import Misfit, Shape
from qiantang.config.model import effective, tree
from qiantang.kernel import errors

M = TypeVar("M")

_BOX = "_qiantang_box"
_BINDING = "_qiantang_binding"


class MismatchError(errors.InvalidRequestError):
    """What is published does not fit the application's model; what it had before stays in use."""

    code = "config.mismatch"


class NotOpenError(errors.ConflictError):
    """Settings were read before the App was opened."""

    code = "config.not_open"


class Box:
    """Holds the state in use: the one thing that a publish swaps. It has the attributes of that state."""

    def __init__(self, state: object) -> None:
        self.state = state

    @property
    def state(self) -> object:
        """The state in use. Setting it is one step: nobody sees attributes of two states."""
        return self.__dict__[""]

    @state.setter
    def state(self, state: object) -> None:
        self.__dict__ = {**vars(state), "": state}


class Owner(Protocol):
    """Who holds the states that views read from."""

    @property
    def box(self) -> Box:
        """Where the state in use is."""
        ...

    def value_of(self, binding: Binding[M]) -> M:
        """Give the binding's value in the state in use, when reading it the fast way failed.

        Raises:
            NotOpenError: there is no state yet.
            GoneError: the application was removed, and the model does not do without settings.
        """
        ...


class Binding(Generic[M]):
    """One model at one prefix of one namespace, kept in the state under the attribute `slot`."""

    def __init__(self, owner: Owner, shape: Shape[M], namespace: str, prefix: str, slot: str) -> None:
        self.shape = shape
        self.namespace = namespace
        self.prefix = prefix
        self.slot = slot
        self.owner = owner
        self.view = cast("M", _view(self))

    def __repr__(self) -> str:
        return f"Binding({self.where})"

    @property
    def where(self) -> str:
        """Name the model and the part of the settings it is tied to."""
        below = f", below {self.prefix}" if self.prefix else ""
        return f"{self.shape.name} (namespace {self.namespace}{below})"

    def standing(self, value: M) -> dict[str, Any]:
        """Give the attributes under which a model stands in a state: itself, and each field for a read in one step less."""
        fields = {f"{self.slot}_{field}": getattr(value, field) for field in self.shape.fields}
        return {self.slot: value, **fields}

    def part(self, data: Any) -> Any:
        """Give the part of a namespace's tree that the model is made of."""
        found = tree.get(data, self.prefix)
        return {} if found is tree.MISSING or found is None else found

    def convert(self, data: Any, published: effective.EffectiveNamespace | None) -> M:
        """Make the model of a namespace's (marked) tree.

        Raises:
            MismatchError: it does not fit; the problem names the key, what was wanted, and who published it.
        """
        try:
            return self.shape.convert(self.part(data))
        except Misfit as misfit:
            problem = self._problem(misfit, published)
        raise MismatchError(f"what is published does not fit {self.where}", problems=[problem])

    def _problem(self, misfit: Misfit, published: effective.EffectiveNamespace | None) -> errors.Problem:
        path = ".".join(part for part in (self.prefix, misfit.path) if part)
        found = published.explain(path) if published is not None else []
        if misfit.missing:
            reason = "has no value, and the model declares no default: publish one, or give the model a default"
            return errors.Problem(reason, path)
        secret = any(one.secret for one in found)
        reason = misfit.reason
        if secret and not misfit.free_of_values:
            reason = "the value of this secret does not fit"
        origin = f" (published by {found[0].origin})" if found else ""
        return errors.Problem(f"{reason}{origin}: publish a value that fits, or change the model", path)


class View:
    """What all live views share: read-only, read in time, and shown without secrets."""

    __slots__ = (_BOX, _BINDING)

    def __getattr__(self, name: str) -> Any:
        # Reached for what is no field of the model (its methods), and where the state has no value to read.
        if name.startswith("__"):
            raise AttributeError(name)
        binding = binding_of(self)
        return getattr(binding.owner.value_of(binding), name)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} cannot be set: these are live settings; publish a change of it instead")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name} cannot be deleted: these are live settings")

    def __repr__(self) -> str:
        return f"<live {binding_of(self).where}>"

    def __dir__(self) -> list[str]:
        return [name for name in dir(binding_of(self).shape.model) if not name.startswith("__")]

    def __reduce__(self) -> str:
        raise TypeError("a live view cannot be copied or pickled: take its value, config.pin()[view]")


_BOX_SLOT: Any = View.__dict__[_BOX]
_BINDING_SLOT: Any = View.__dict__[_BINDING]


def binding_of(view: object) -> Binding[Any]:
    """Give the binding behind a view.

    Raises:
        TypeError: it is none; the message says what to give.
    """
    if not issubclass(type(view), View):
        raise TypeError(f"{type(view).__name__} is not a live view: give what config.bind returned")
    return cast("Binding[Any]", _BINDING_SLOT.__get__(view))


def _view(binding: Binding[Any]) -> View:
    """Make the view: a class of its own whose properties read through the box, in C."""
    shape = binding.shape
    members: dict[str, Any] = {
        field: property(operator.attrgetter(f"{_BOX}.{binding.slot}_{field}")) for field in shape.fields
    }
    members["__slots__"] = ()
    members["__class__"] = property(lambda _self: shape.model)  # isinstance(view, Model) holds
    members["__module__"] = shape.model.__module__
    view: View = type(f"Live{shape.model.__name__}", (View,), members)()
    _BOX_SLOT.__set__(view, binding.owner.box)
    _BINDING_SLOT.__set__(view, binding)
    return view
