"""Handlers: an object that answers for a service, and how each of its methods is called."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec

from qiantang.kernel import errors
from qiantang.rpc.model.definition import MethodDefinition, ServiceDefinition
from qiantang.rpc.model.streams import GIVES, TAKES
from qiantang.rpc.provider import iterating
from qiantang.rpc.provider.threads import Threads


@dataclass(frozen=True, slots=True, eq=False)
class Handler:
    """A method and the function that answers for it: called with the struct of its arguments, and where it streams with what the
    caller streams, None where that does not. It gives what is awaited for the result, or an async generator of the results.
    """

    definition: MethodDefinition
    call: Callable[..., Any]


def handlers_of(definition: ServiceDefinition, implementation: object, threads: Threads) -> list[Handler]:
    """Give a handler for each method of a service. What is no coroutine function, and no async generator, runs in threads, with
    the caller's context.

    Raises:
        MisconfiguredError: the object lacks a method, or takes other arguments.
    """
    return [_handler(one, _function(one, implementation), threads) for one in definition.methods.values()]


def _handler(method: MethodDefinition, function: Callable[..., Any], threads: Threads) -> Handler:
    given = _arguments(method.arguments.__struct_fields__)
    if method.streams:
        return Handler(method, _stream(method, function, given, threads))
    return Handler(method, _call(function, given, threads))


def _function(method: MethodDefinition, implementation: object) -> Callable[..., Any]:
    function: Any = getattr(implementation, method.name, None)
    if not callable(function):
        raise errors.MisconfiguredError(
            f"{type(implementation).__qualname__} has no {method.name}, which service {method.service} promises"
        )
    names = method.arguments.__struct_fields__
    _check(method, function, (*names, method.stream) if method.streams & TAKES else names)
    return function


def _call(
    function: Callable[..., Any], given: Callable[[msgspec.Struct], tuple[Any, ...]], threads: Threads
) -> Callable[[msgspec.Struct], Awaitable[Any]]:
    if inspect.iscoroutinefunction(function):
        return lambda arguments: function(*given(arguments))
    return lambda arguments: threads.run(function, given(arguments))


def _stream(
    method: MethodDefinition,
    function: Callable[..., Any],
    given: Callable[[msgspec.Struct], tuple[Any, ...]],
    threads: Threads,
) -> Callable[[msgspec.Struct, AsyncIterator[Any] | None], Any]:
    """Give how a method that streams is called, whichever kind of function it is."""
    takes, gives = method.streams & TAKES, method.streams & GIVES
    if inspect.iscoroutinefunction(function) and gives:
        raise errors.MisconfiguredError(
            f"{method.path} gives a stream: write it as an async generator, or as a plain one"
        )
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return lambda arguments, items: function(*given(arguments), *((items,) if takes else ()))

    def call(arguments: msgspec.Struct, items: AsyncIterator[Any] | None) -> Any:
        all_of_it = (*given(arguments), *((iterating.Blocking(items),) if items is not None and takes else ()))
        if gives:
            return iterating.through_threads(threads, function, all_of_it)
        return threads.run(function, all_of_it)

    return call


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
