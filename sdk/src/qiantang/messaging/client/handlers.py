"""Handlers: what an application gives to be called with messages, examined once when it is given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from qiantang.messaging.errors import HandlerMismatchError
from qiantang.messaging.model import Context

T = TypeVar("T")


class Handler(NamedTuple):
    """A handler and how it is called.

    `kind` is the type of a body. `takes_context` says whether the context comes with it, to a batch handler in an `Item`
    each. `batch` is the most that it takes at once, 0 where it takes one message.
    """

    call: Callable[..., Any]
    name: str
    kind: Any
    takes_context: bool
    is_async: bool
    batch: int = 0


class Item(NamedTuple, Generic[T]):
    """One message of a batch: its body and its context."""

    body: T
    context: Context


def examine(call: Callable[..., Any], *, batch: int = 0) -> Handler:
    """Examine a handler: `(body)` or `(body, context)`; of a batch `(bodies)`, a list of bodies or of `Item`.

    The type of a body is what the first parameter is annotated with (`Order`, `list[Order]`, `list[Item[Order]]`); without an
    annotation a body is whatever the codec gives.

    Raises:
        HandlerMismatchError: it cannot be called so.
    """
    name = getattr(call, "__qualname__", None) or type(call).__qualname__
    parameters = _positional(call, name)
    first = _hints(call).get(parameters[0].name, Any)
    required = [one for one in parameters if one.default is inspect.Parameter.empty]
    if len(required) > (1 if batch else 2):
        wanted = "a list" if batch else "the body, and the context"
        raise HandlerMismatchError(f"{name} asks for {len(required)} arguments: it is called with {wanted}")
    if batch:
        kind, takes_context = _of_batch(first, name)
    else:
        kind, takes_context = first, len(parameters) > 1
    return Handler(call, name, kind, takes_context, _is_async(call), batch)


def _positional(call: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    try:
        found = list(inspect.signature(call).parameters.values())
    except (TypeError, ValueError) as error:
        raise HandlerMismatchError(f"{name} cannot be called") from error
    parameters = [one for one in found if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    needed = [one for one in found if one.kind is one.KEYWORD_ONLY and one.default is one.empty]
    if not parameters or needed:
        raise HandlerMismatchError(f"{name} must take the body as its first argument, and need no keyword")
    return parameters


def _hints(call: Callable[..., Any]) -> dict[str, Any]:
    target = call if inspect.isroutine(call) else type(call).__call__
    try:
        return get_type_hints(target)
    except (NameError, TypeError) as error:
        raise HandlerMismatchError(f"the annotations of {target.__qualname__} cannot be read: {error}") from error


def _of_batch(first: Any, name: str) -> tuple[Any, bool]:
    """Give the type of a body, and whether each comes as an `Item`."""
    if first is Any:
        return Any, False
    if first is not list and get_origin(first) not in (list, Sequence):
        raise HandlerMismatchError(f"{name} handles batches: its argument must be a list, not {first}")
    (inner,) = get_args(first) or (Any,)
    if inner is Item or get_origin(inner) is Item:
        return (get_args(inner) or (Any,))[0], True
    return inner, False


def _is_async(call: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(call if inspect.isroutine(call) else type(call).__call__)
