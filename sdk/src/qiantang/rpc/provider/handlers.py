"""Handlers: an object that answers for a service, and how each of its methods is called."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec

from qiantang.kernel import errors
from qiantang.rpc.model.definition import MethodDefinition, ServiceDefinition


@dataclass(frozen=True, slots=True, eq=False)
class Handler:
    """A method and the function that answers for it."""

    definition: MethodDefinition
    call: Callable[[msgspec.Struct], Awaitable[Any]]


def handlers_of(definition: ServiceDefinition, implementation: object, pool: ThreadPoolExecutor) -> list[Handler]:
    """Give a handler for each method of a service. What is no coroutine function runs in the pool, with the caller's context.

    Raises:
        MisconfiguredError: the object lacks a method, or takes other arguments.
    """
    return [Handler(one, _call(one, implementation, pool)) for one in definition.methods.values()]


def _call(
    method: MethodDefinition, implementation: object, pool: ThreadPoolExecutor
) -> Callable[[msgspec.Struct], Awaitable[Any]]:
    function: Any = getattr(implementation, method.name, None)
    if not callable(function):
        raise errors.MisconfiguredError(
            f"{type(implementation).__qualname__} has no {method.name}, which service {method.service} promises"
        )
    names = method.arguments.__struct_fields__
    _check(method, function, names)
    given = _arguments(names)
    if inspect.iscoroutinefunction(function):
        return lambda arguments: function(*given(arguments))
    return functools.partial(_in_pool, function, given, pool)


def _in_pool(
    function: Callable[..., Any],
    given: Callable[[msgspec.Struct], tuple[Any, ...]],
    pool: ThreadPoolExecutor,
    arguments: msgspec.Struct,
) -> Awaitable[Any]:
    work = functools.partial(contextvars.copy_context().run, function, *given(arguments))
    return asyncio.get_running_loop().run_in_executor(pool, work)


def _arguments(names: tuple[str, ...]) -> Callable[[msgspec.Struct], tuple[Any, ...]]:
    """Give how a struct of arguments becomes those of a function."""
    if not names:
        return lambda _arguments: ()
    if len(names) == 1:
        get: Any = attrgetter(names[0])
        return lambda arguments: (get(arguments),)
    return attrgetter(*names)


def _check(method: MethodDefinition, function: Callable[..., Any], names: tuple[str, ...]) -> None:
    try:
        inspect.signature(function).bind(*names)
    except TypeError as error:
        place = getattr(function, "__qualname__", method.name)
        raise errors.MisconfiguredError(
            f"{place} does not take what {method.path} promises ({', '.join(names)}): {error}"
        ) from error
