"""Stubs: an object that looks like a service and calls it: one function for each method, made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from qiantang.rpc.client.degrading import Fallback
from qiantang.rpc.errors import InvalidArgumentsError
from qiantang.rpc.model.definition import MethodDefinition, ServiceDefinition

Calls = Callable[[MethodDefinition, Any], Any]
Opens = Callable[[MethodDefinition, Any, Any], Any]
"""Makes a call that streams; what comes last is what the caller streams, None where it does not."""


class CallsInstead(Protocol):
    """Makes a call; `fallback` is what the consumer declared for bad times."""

    def __call__(self, method: MethodDefinition, arguments: Any, fallback: Fallback | None = None) -> Any: ...


def client_of(
    definition: ServiceDefinition, calls: CallsInstead, opens: Opens, fallbacks: Mapping[str, Fallback] | None
) -> Stub:
    """Give an object that calls a service; each method with its own of the fallbacks, where there are any."""
    if fallbacks is None:
        return Stub(definition.name, definition.methods, calls, opens)

    def call(method: MethodDefinition, arguments: Any) -> Any:
        return calls(method, arguments, fallbacks.get(method.name))

    return Stub(definition.name, definition.methods, call, opens)


class Stub:
    """Stands for a service. What is not of its definition is not there."""

    def __init__(self, service: str, methods: Mapping[str, MethodDefinition], calls: Calls, opens: Opens) -> None:
        self._service = service
        for name, one in methods.items():
            setattr(self, name, _streaming(one, opens) if one.streams else _function(one, calls))

    def __getattr__(self, name: str) -> Any:
        """Say that there is no such method."""
        raise AttributeError(f"service {self._service} has no method {name}")

    def __repr__(self) -> str:
        """Show which service."""
        return f"<client of {self._service}>"


def _function(method: MethodDefinition, calls: Calls) -> Callable[..., Any]:
    arguments_of = method.arguments

    def call(*arguments: Any, **named: Any) -> Any:
        try:
            given = arguments_of(*arguments, **named)
        except TypeError as error:
            raise InvalidArgumentsError(f"{method.path} does not take that: {error}") from error
        return calls(method, given)

    call.__name__ = call.__qualname__ = method.name
    return call


def _streaming(method: MethodDefinition, opens: Opens) -> Callable[..., Any]:
    arguments_of, stream = method.arguments, method.stream

    def call(*arguments: Any, **named: Any) -> Any:
        outgoing = None
        if stream in named:
            outgoing = named.pop(stream)
        elif stream and arguments:
            arguments, outgoing = arguments[:-1], arguments[-1]
        try:
            given = arguments_of(*arguments, **named)
        except TypeError as error:
            raise InvalidArgumentsError(f"{method.path} does not take that: {error}") from error
        return opens(method, given, outgoing)

    call.__name__ = call.__qualname__ = method.name
    return call
