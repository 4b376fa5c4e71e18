"""Degrading: what the consumer of a service declared for bad times, and how a call is answered with it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, cast

import msgspec

from qiantang.kernel import errors, wire
from qiantang.rpc.client import exchange
from qiantang.rpc.errors import DeadlineError, DegradedError
from qiantang.rpc.governance.degrade import Degrade
from qiantang.rpc.model.context import CallContext
from qiantang.rpc.model.definition import MethodDefinition, ServiceDefinition
from qiantang.rpc.wire import headers

Fallback = Callable[..., Any]
"""Takes what the method takes, by name, and gives what it gives; a coroutine function where who calls waits."""
_UNLOCKED: Final[AbstractContextManager[object]] = contextlib.nullcontext()


def fallbacks_of(definition: ServiceDefinition, given: object, *, waits: bool) -> Mapping[str, Fallback]:
    """Give the functions that stand in for methods, by name: those of a mapping, or the methods that an object has.

    Raises:
        MisconfiguredError: one takes other arguments than its method, is of none, or is a coroutine function where nobody waits.
    """
    if isinstance(given, Mapping):
        named = cast("Mapping[str, Any]", given)
        unknown = next((name for name in named if name not in definition.methods), None)
    else:
        named = {name: getattr(given, name) for name in definition.methods if hasattr(given, name)}
        unknown = None if named else type(given).__qualname__
    if unknown is not None:
        methods = ", ".join(definition.methods)
        raise errors.MisconfiguredError(f"the fallback {unknown} stands for no method of {definition.name} ({methods})")
    return {name: _checked(definition.methods[name], one, waits) for name, one in named.items()}


def _checked(method: MethodDefinition, function: Any, waits: bool) -> Fallback:
    names = method.arguments.__struct_fields__
    told = f"the fallback {getattr(function, '__qualname__', repr(function)[:80])} of {method.path}"
    if not callable(function):
        raise errors.MisconfiguredError(f"{told} is no function")
    try:
        inspect.signature(function).bind(**dict.fromkeys(names))
    except TypeError as error:
        raise errors.MisconfiguredError(f"{told} does not take ({', '.join(names)}): {error}") from error
    if not waits and inspect.iscoroutinefunction(function):
        raise errors.MisconfiguredError(f"{told} is a coroutine function, and this caller has no event loop")
    return function


def value_for(method: MethodDefinition, value: Any) -> Any:
    """Give the value of a rule as a result of a method, anew each time: who is given it may change it.

    Raises:
        InvalidRequestError: it does not fit.
    """
    try:
        return wire.decode(wire.encode(value), method.result)
    except errors.InvalidRequestError as error:
        raise errors.InvalidRequestError(f"its value does not fit what {method.path} gives: {error.detail}") from error


class Instead:
    """One call that may be answered in place of its provider. `lock` is held while what is shared is looked at."""

    def __init__(
        self,
        degrade: Degrade,
        method: MethodDefinition,
        arguments: msgspec.Struct,
        fallback: Fallback | None,
        *,
        lock: AbstractContextManager[object] = _UNLOCKED,
    ) -> None:
        self._degrade = degrade
        self._method = method
        self._arguments = arguments
        self._fallback = fallback
        self._lock = lock

    def remember(self, above: CallContext, result: Any) -> None:
        """The call went well."""
        if self._degrade.remembers:
            key, answer = self._key(above), headers.encode(result)
            with self._lock:
                self._degrade.remember(time.monotonic(), key, answer)

    def give(self, above: CallContext, why: str, error: errors.QiantangError | None = None) -> Any:
        """Give the answer, by who blocks. `error` is what the call failed with, where it was made.

        Raises:
            QiantangError: that error, or DegradedError, where there is nothing to give.
        """
        with self._counted(why):
            return self._found(above, error)

    async def wait(self, above: CallContext, within: float, why: str, error: errors.QiantangError | None = None) -> Any:
        """Give the answer; a fallback that waits has so many seconds. Raises what `give` does."""
        with self._counted(why):
            found = self._found(above, error)
            if not inspect.isawaitable(found):
                return found
            try:
                async with asyncio.timeout(within):
                    return await found
            except TimeoutError:
                path = self._method.path
                raise DeadlineError(f"the fallback of {path} gave nothing within {within:g} s") from error

    @contextlib.contextmanager
    def _counted(self, why: str) -> Generator[None]:
        degrade = self._degrade
        try:
            yield
        except BaseException:
            with self._lock:
                degrade.failed += 1
            raise
        with self._lock:
            degrade.count(why)

    def _found(self, above: CallContext, error: errors.QiantangError | None) -> Any:
        degrade, method = self._degrade, self._method
        how = degrade.settings.how
        if how == "value":
            try:
                return value_for(method, degrade.settings.value)
            except errors.InvalidRequestError as misfit:
                raise DegradedError(f"{method.path} has no answer by rule {degrade.rule}: {misfit.detail}") from error
        if how == "fallback" and self._fallback is not None:
            return self._fallback(**msgspec.structs.asdict(self._arguments))
        if how == "last_good":
            key = self._key(above)
            with self._lock:
                answer = degrade.last_good(time.monotonic(), key)
            if answer is not None:
                return exchange.result_of(method, "the last good answer", answer)
        if error is not None:
            raise error
        nothing = {"fallback": ": its consumer declared no fallback", "last_good": ": none like it was answered lately"}
        raise DegradedError(f"{method.path} is not called by rule {degrade.rule}{nothing.get(how, '')}")

    def _key(self, above: CallContext) -> bytes:
        """Give what calls with the same arguments, in the same lane, have in common."""
        said = above.tag.encode("utf-8", "replace") + b"\0" + exchange.written(self._method, self._arguments)
        return hashlib.blake2b(said, digest_size=32).digest()
