"""Live resources: a connection, a pool, a client that is built anew when its settings change, without a gap."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from qiantang.config.client import event, runner
from qiantang.config.client.binding import View
from qiantang.config.client.callbacks import Registration
from qiantang.config.client.client import ConfigClient, Subscription, checked_limit
from qiantang.config.client.generations import Generation, Generations
from qiantang.config.client.state import Pinned, State
from qiantang.config.model import tree
from qiantang.kernel import errors, runtime

logger = logging.getLogger(__name__)

T = TypeVar("T")
Select = Callable[[Pinned], Any]


class NotBuiltError(errors.UnavailableError):
    """A live resource was used before it was opened, or after it was closed."""

    code = "config.resource_not_built"


class ProbeFailedError(errors.UnavailableError):
    """The new resource was built and does not work: the one before stays in use."""

    code = "config.probe_failed"


class LiveResource(Generic[T]):
    """A resource that follows the settings it is made of.

    When they change, `factory(value)` builds a new one, `probe(new)` tries it (raising or giving False means no), then
    it takes the place of the old one, which `drain(old)` ends once nobody uses it any more, or after `drain_timeout`
    seconds. When building or probing fails, the old one stays, the operator is told, and the next change tries again.

    The value is that of `key`, or what `select` gives: a live view for all of it, or a function of the pinned moment.
    All functions may be coroutine functions; plain ones run on worker threads. Open it with `with` or `async with`,
    use it by `with live.use() as resource`. A forked child never touches the parent's resource: it builds its own at
    its first use.
    """

    def __init__(
        self,
        config: ConfigClient,
        factory: Callable[..., Awaitable[T]] | Callable[..., T],
        probe: Callable[[T], Any] | None = None,
        drain: Callable[[T], Any] | None = None,
        *,
        key: str | None = None,
        select: Select | object | None = None,
        build_timeout: float = 10.0,
        drain_timeout: float = 30.0,
    ) -> None:
        self.name = event.callback_name(factory)
        self._config = config
        self._select = _selector(key, select)
        self._factory = factory
        self._takes_value = _takes_value(factory)
        self._probe = probe
        self._drain = drain
        self._build_timeout = checked_limit(build_timeout)
        self._drain_timeout = drain_timeout
        self._generations: Generations[T] = Generations()
        self._left_to_parent: list[object] = []
        self._subscription: Subscription | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._built_of: Any = tree.MISSING
        self._reset()
        runtime.register(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._turn = asyncio.Lock()
        self._opening: asyncio.Task[None] | None = None
        self._chores: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"LiveResource({self.name})"

    def after_fork(self) -> None:
        """Forget the parent's resource without a word on the wire; it is built anew at the next use."""
        current = self._generations.current
        self._left_to_parent += [self._generations, current]  # never finalized here: that could close it there
        self._generations = Generations()
        self._built_of = tree.MISSING
        self._loop = None
        self._reset()

    # -- life --------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Build it, from a blocking program.

        Raises:
            Exception: what building it raised.
        """
        runtime.call(self._open())

    def close(self) -> None:
        """End it once its users have left or `drain_timeout` is over, from a blocking program."""
        runtime.call(self._close())

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        await runtime.bridge(self._open())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await runtime.bridge(self._close())

    def use(self) -> Use[T]:
        """Use the current one for a while: `with live.use() as resource`, or `async with`; it is not drained meanwhile."""
        return Use(self)

    # -- using -------------------------------------------------------------------------------------------

    def enter(self) -> Generation[T]:
        """Enter the current generation.

        Raises:
            NotBuiltError: there is none.
        """
        with self._lock:
            generation = self._generations.enter()
        if generation is None:
            raise NotBuiltError(f"{self.name} is not open: open the LiveResource with `with` or `async with` first")
        return generation

    def leave(self, generation: Generation[T]) -> None:
        """Leave a generation; the last one to leave a retired one has it drained."""
        with self._lock:
            drained = self._generations.leave(generation)
        for one in drained:
            runtime.submit(self._end(one))

    @property
    def wanting(self) -> bool:
        """Whether it is open, and yet to be built in this forked child."""
        return self._subscription is not None and self._generations.current is None

    async def rebuild(self) -> None:
        """Build it if there is none; who comes at once waits for the same. On the runtime's loop."""
        opening = self._opening
        if opening is None or opening.done():
            opening = self._opening = asyncio.ensure_future(self._take(self._config.pin(), first=True))
            opening.add_done_callback(_retrieve)
        await asyncio.shield(opening)

    async def _open(self) -> None:
        if self._subscription is not None:
            return
        registration = Registration(self.name, _moved, self._start, None)
        self._subscription = self._config.watch(registration)  # before building, so that no change falls between
        try:
            await self.rebuild()
        except BaseException:
            self._subscription.close()
            self._subscription = None
            raise

    async def _close(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()
        with self._lock:
            drained = self._generations.retire()
            waiting = self._generations.waiting
        self._built_of = tree.MISSING
        await asyncio.gather(*(self._end(one) for one in drained), *(self._outlast(one) for one in waiting))

    async def _outlast(self, generation: Generation[T]) -> None:
        """Wait for a generation's users, as long as that may take, and see to its end."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._drain_timeout
        while not generation.drained and loop.time() < ends:  # noqa: ASYNC110  # users leave from any thread
            await asyncio.sleep(0.02)
        await self._expire(generation)

    # -- following the settings, on the runtime's loop -----------------------------------------------------

    def _start(self, pinned: Pinned) -> runner.Run:
        return runner.begin(functools.partial(self._take, pinned), coroutine=True, loop=runtime.loop())

    async def _take(self, pinned: Pinned, *, first: bool = False) -> None:
        """Build what this moment asks for, unless that is what is in use."""
        async with self._turn:
            if first and self._generations.current is not None:
                return
            ends = asyncio.get_running_loop().time() + self._build_timeout
            value = await runner.run(functools.partial(self._select, pinned), coroutine=False, limit=_left(ends))
            if self._generations.current is not None and _same(value, self._built_of):
                return
            self._replace(await self._build(value, ends), value)

    def _replace(self, built: T, value: Any) -> None:
        with self._lock:
            drained = self._generations.replace(built)
            waiting = self._generations.waiting
        self._built_of = value
        for one in drained:
            self._chore(self._end(one))
        for one in waiting[-1:]:
            asyncio.get_running_loop().call_later(self._drain_timeout, self._expire_soon, one)

    async def _build(self, value: Any, ends: float) -> T:
        factory = functools.partial(self._factory, value) if self._takes_value else self._factory
        built = cast("T", await self._run(self._factory, factory, _left(ends), late=self._discard))
        if self._probe is not None:
            try:
                await self._check(built, ends)
            except BaseException:
                self._discard(built)
                raise
        return built

    async def _check(self, built: T, ends: float) -> None:
        probe = cast("Callable[[T], Any]", self._probe)
        if await self._run(probe, functools.partial(probe, built), _left(ends)) is False:
            raise ProbeFailedError(f"{event.callback_name(probe)} says that the new {self.name} does not work")

    async def _run(
        self,
        named: Callable[..., Any],
        call: Callable[[], Any],
        limit: float,
        late: Callable[[Any], None] | None = None,
    ) -> Any:
        return await runner.run(
            call,
            coroutine=event.is_coroutine_function(named),
            limit=limit,
            loop=self._loop or self._config.loop,
            late=late,
        )

    # -- ending old ones ---------------------------------------------------------------------------------

    def _chore(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    def _discard(self, item: T) -> None:
        self._chore(self._end(Generation(item)))

    def _expire_soon(self, generation: Generation[T]) -> None:
        if not generation.drained:
            self._chore(self._expire(generation))

    async def _expire(self, generation: Generation[T]) -> None:
        with self._lock:
            drained = self._generations.expire(generation)
        for one in drained:
            logger.warning(
                "a replaced resource is ended although it is still in use",
                extra={"resource": self.name, "users": one.users, "waited": self._drain_timeout},
            )
            await self._end(one)

    async def _end(self, generation: Generation[T]) -> None:
        if self._drain is None:
            return
        try:
            await self._run(self._drain, functools.partial(self._drain, generation.item), self._drain_timeout)
        except Exception as error:  # it is out of use: nothing depends on it any more
            logger.warning(
                "a replaced resource could not be ended",
                extra={"resource": self.name, "error": f"{type(error).__name__}: {error}"[:500]},
            )


class Use(Generic[T]):
    """The use of a live resource for the length of a block."""

    __slots__ = ("_generation", "_live")

    def __init__(self, live: LiveResource[T]) -> None:
        self._live = live
        self._generation: Generation[T] | None = None

    def __enter__(self) -> T:
        if self._live.wanting:
            runtime.call(self._live.rebuild())
        return self._enter()

    async def __aenter__(self) -> T:
        if self._live.wanting:
            await runtime.bridge(self._live.rebuild())
        return self._enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _enter(self) -> T:
        self._generation = self._live.enter()
        return self._generation.item

    def _leave(self) -> None:
        generation, self._generation = self._generation, None
        if generation is not None:
            self._live.leave(generation)


def _moved(before: State, after: State) -> Pinned | None:
    return None if before is after else Pinned(after)


def _left(ends: float) -> float:
    return max(0.001, ends - asyncio.get_running_loop().time())


def _retrieve(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # whoever waits gets it; when nobody waits any more it is not news


def _same(one: Any, other: Any) -> bool:
    return tree.same(one, other) if tree.is_node(one) else type(one) is type(other) and bool(one == other)


def _selector(key: str | None, select: Any) -> Select:
    if (key is None) == (select is None):
        raise TypeError("say what a LiveResource is made of: either key=, or select= with a view or a function")
    if key is not None:
        return lambda pinned: pinned.get(key)
    if issubclass(type(select), View):
        return lambda pinned: pinned[select]
    if not callable(select):
        raise TypeError(f"select={select!r} is neither a live view nor a function of the pinned moment")
    return cast("Select", select)


def _takes_value(factory: Callable[..., Any]) -> bool:
    """Say whether the factory wants the value; one that does not tell is given it."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (ValueError, TypeError):
        return True
    return any(one.kind not in {one.KEYWORD_ONLY, one.VAR_KEYWORD} for one in parameters)
