"""Working: one handler called with one message or one batch, within its time, and what became of each."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, cast

from qiantang.kernel import observe
from qiantang.messaging.client import dead
from qiantang.messaging.client.dedup import Once
from qiantang.messaging.client.handlers import Handler, Item
from qiantang.messaging.client.interceptors import Around
from qiantang.messaging.client.packing import Keys, unpack
from qiantang.messaging.errors import UndecodableError
from qiantang.messaging.model import Context, Dead, Reply, Retry, Subscription, Taken, Topic, envelope


class Failed(NamedTuple):
    """A message that was not handled. `final`: trying again would change nothing. `after`: how long the handler says to wait."""

    error: BaseException | str
    final: bool = False
    after: float | None = None


log = observe.BoundedLog(logging.getLogger(__name__))
LOOK_SECONDS: Final = 0.1
Result = Failed | Reply | None
"""None is done, and so is a reply."""
DONE: Final[list[Result]] = [None]


class Work:
    """Calls the handler of one subscription. `pool` runs handlers that are plain functions."""

    def __init__(
        self,
        topic: Topic,
        subscription: Subscription,
        handler: Handler,
        keys: Keys,
        pool: ThreadPoolExecutor,
        *,
        around: Sequence[Around] = (),
        once: Once | None = None,
    ) -> None:
        self._around = tuple(around)
        self._once = once
        self._topic = topic
        self._subscription = subscription
        self._handler = handler
        self._keys = keys
        self._pool = pool
        self._limit = subscription.handler_timeout
        self._ends: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._look: asyncio.TimerHandle | None = None

    def run_in(self, pool: ThreadPoolExecutor) -> None:
        """Run handlers that are plain functions in another pool from now on."""
        self._pool = pool

    async def one(self, taken: Taken) -> Result:
        """Handle a message; give what became of it."""
        if self._around or self._handler.batch or self._once is not None:
            return (await self.do([taken]))[0]
        try:
            item = self._read(taken)
        except UndecodableError as error:
            return Failed(error, final=True)
        return (await self._call(self._of_one(item), 1))[0]

    async def do(self, taken: Sequence[Taken]) -> list[Result]:
        """Handle messages; give what became of each. Several only where the handler takes batches."""
        return await self._do(taken) if self._once is None else await self._do_once(self._once, taken)

    async def _do_once(self, once: Once, taken: Sequence[Taken]) -> list[Result]:
        """Handle those that were not handled before; the others are done. Without an id none is known again."""
        mine = await once.claim([one.frame.id for one in taken if one.frame.id])
        fresh: list[int] = []
        handled: list[str] = []
        failed: list[str] = list(mine)
        for place, one in enumerate(taken):
            if not one.frame.id or one.frame.id in mine:
                fresh.append(place)
                mine.discard(one.frame.id)  # of two in one batch the first
        results: list[Result] = [None] * len(taken)
        try:
            found = await self._do([taken[place] for place in fresh]) if fresh else []
            for place, result in zip(fresh, found, strict=True):
                results[place] = result
            done = [place for place in fresh if not isinstance(results[place], Failed)]
            handled = [taken[place].frame.id for place in done if taken[place].frame.id]
            failed = [one for one in failed if one not in handled]
        finally:
            await once.done(handled, failed)
        return results

    async def _do(self, taken: Sequence[Taken]) -> list[Result]:
        results: list[Result] = [None] * len(taken)
        items: list[Item[Any]] = []
        places: list[int] = []
        for place, one in enumerate(taken):
            try:
                item = self._read(one)
                items.append(await self._before(item) if self._around else item)
                places.append(place)
            except UndecodableError as error:
                results[place] = Failed(error, final=True)
            except Exception as error:
                results[place] = Failed(error)
        if items:
            found = await self._call(self._arguments(items), len(items))
            for place, item, result in zip(places, items, found, strict=True):
                results[place] = result
                if self._around:
                    await self._after(item.context, result)
        return results

    async def _before(self, item: Item[Any]) -> Item[Any]:
        body, context = item
        for one in self._around:
            body = await one.before(body, context)
        return Item(body, context)

    async def _after(self, context: Context, result: Result) -> None:
        for one in self._around:
            try:
                await one.after(context, result.error if isinstance(result, Failed) else None)
            except Exception as error:
                log.failure(f"interceptor {context.topic}", "an interceptor failed after a message", error=error)

    def _read(self, taken: Taken) -> Item[Any]:
        opened = envelope.read(taken.frame)
        body = unpack(opened, self._handler.kind, self._keys, self._topic.max_body)
        said = opened.envelope
        center, _, application = said.sender.partition("/")
        context = Context(
            id=said.id,
            topic=taken.frame.topic,
            group=self._subscription.group,
            tag=said.tag,
            key=said.key,
            priority=said.priority,
            headers=said.headers,
            attempt=taken.attempt,
            queue=taken.queue,
            position=taken.position,
            sent_at=said.sent_at / 1000,
            center=center,
            application=application,
            died=dead.read(taken.frame),
        )
        return Item(body, context)

    async def _call(self, arguments: tuple[Any, ...], count: int) -> list[Result]:
        """Call the handler with so many messages; give what became of each."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())  # handlers run in tasks of their consumer
        self._ends[task] = time.monotonic() + self._limit
        if self._look is None:
            self._look_later()
        call = self._handler.call if self._handler.is_async else self._in_thread
        try:
            answer = await call(*arguments)
        except asyncio.CancelledError as error:
            if not task.cancelling():  # nobody cancelled this: something that the handler waited for was cancelled
                return [Failed(error)] * count
            # cut off by the look below, unless somebody else wants the worker to end as well
            if task not in self._late or task.uncancel() > 0:
                raise
            return [Failed(TimeoutError(f"{self._handler.name} did not end within {self._limit:g} s"))] * count
        except Exception as error:
            return [Failed(error)] * count
        finally:
            del self._ends[task]
            self._late.discard(task)
        return self._results(answer, count)

    def _look_later(self) -> None:
        self._look = asyncio.get_running_loop().call_later(min(LOOK_SECONDS, self._limit), self._cut_off)

    def _cut_off(self) -> None:
        """Cut off what has run out of time; one look for all costs less than a timer for each."""
        now = time.monotonic()
        for task, ends in list(self._ends.items()):
            if ends <= now and task not in self._late:
                self._late.add(task)
                task.cancel()
        self._look = None
        if self._ends:
            self._look_later()

    def _arguments(self, items: list[Item[Any]]) -> tuple[Any, ...]:
        handler = self._handler
        if handler.batch:
            return (items if handler.takes_context else [one.body for one in items],)
        return self._of_one(items[0])

    def _of_one(self, item: Item[Any]) -> tuple[Any, ...]:
        return tuple(item) if self._handler.takes_context else (item.body,)

    async def _in_thread(self, *arguments: Any) -> Any:
        context = contextvars.copy_context()
        call = functools.partial(context.run, self._handler.call, *arguments)
        answer = await asyncio.get_running_loop().run_in_executor(self._pool, call)
        return await answer if inspect.isawaitable(answer) else answer

    def _results(self, answer: Any, count: int) -> list[Result]:
        if not self._handler.batch:
            return DONE if answer is None else [self._result(answer)]
        if answer is None or isinstance(answer, Retry | Dead | Reply):
            return [self._result(answer)] * count
        if not isinstance(answer, list | tuple) or len(cast("Sequence[Any]", answer)) != count:
            wrong = f"{self._handler.name} must answer None, or a list with one answer for each of its {count} messages"
            return [Failed(TypeError(wrong))] * count
        return [self._result(one) for one in cast("Sequence[Any]", answer)]

    def _result(self, answer: Any) -> Result:
        if answer is None or isinstance(answer, Reply):
            return answer
        if isinstance(answer, Retry):
            return Failed(answer.reason or "the handler asked for it to be tried again", after=answer.after)
        if isinstance(answer, Dead):
            return Failed(answer.reason or "the handler gave it up", final=True)
        wrong = f"{self._handler.name} answered {type(answer).__name__}: a handler answers None, Reply, Retry or Dead"
        return Failed(TypeError(wrong))
