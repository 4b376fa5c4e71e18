"""The one I/O thread: shared, callable from anywhere, silent at exit, forgotten by a forked child."""

import asyncio
import multiprocessing
import os
import socket
import subprocess
import sys
import textwrap
import threading

import pytest

from qiantang.kernel import errors, runtime


async def _thread_name() -> str:
    return threading.current_thread().name


def run_program(text: str) -> str:
    """Run a program with every warning an error and give what it printed; it must say nothing on stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", textwrap.dedent(text)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_everything_runs_on_the_one_thread() -> None:
    names = {runtime.call(_thread_name(), 5) for _ in range(3)}
    names.add(runtime.submit(_thread_name()).result(5))
    assert names == {"qiantang-io"}


async def test_a_coroutine_on_another_loop_may_await() -> None:
    assert await runtime.bridge(_thread_name()) == "qiantang-io"


async def test_cancelling_the_waiter_cancels_the_work() -> None:
    cancelled = threading.Event()

    async def wait() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    task = asyncio.ensure_future(runtime.bridge(wait()))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(cancelled.wait, 5)


def test_a_call_ends_at_its_deadline() -> None:
    with pytest.raises(errors.DeadlineError):
        runtime.call(asyncio.sleep(30), 0.05)


def test_the_coroutines_own_timeout_is_not_taken_for_the_deadline() -> None:
    async def fail() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        runtime.call(fail(), 5)


def test_a_blocking_call_inside_is_refused() -> None:
    async def block() -> None:
        runtime.call(_thread_name(), 1)

    with pytest.raises(RuntimeError, match="never ends"):
        runtime.call(block(), 5)


def test_offloaded_work_runs_elsewhere_and_its_error_arrives() -> None:
    assert runtime.call(runtime.offload(lambda: threading.current_thread().name), 5) == "qiantang-worker"
    with pytest.raises(ZeroDivisionError):
        runtime.call(runtime.offload(lambda: 1 // 0), 5)


def test_offloading_is_bounded_and_finishes_all() -> None:
    running = threading.Semaphore(runtime.WORKERS)
    lock = threading.Lock()

    def work(number: int) -> int:
        assert running.acquire(blocking=False)
        with lock:
            pass
        running.release()
        return number

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(runtime.offload(work, number) for number in range(200)))

    assert runtime.call(all_of_them(), 20) == list(range(200))


class _Client:
    def __init__(self) -> None:
        self.forked = 0

    def after_fork(self) -> None:
        self.forked += 1


def _in_child(client: _Client, end: socket.socket, queue: "multiprocessing.SimpleQueue[object]") -> None:
    queue.put((client.forked, end.fileno(), runtime.call(_thread_name(), 5), os.getpid()))


def test_a_forked_child_forgets_and_the_parent_is_unhurt() -> None:
    here, there = socket.socketpair()
    runtime.own(here)
    client = _Client()
    runtime.register(client)
    runtime.call(_thread_name(), 5)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(client, here, queue))
    child.start()
    forked, descriptor, name, process = queue.get()
    child.join(10)
    assert child.exitcode == 0
    assert (forked, descriptor, name) == (1, -1, "qiantang-io")
    assert process != os.getpid()
    assert client.forked == 0
    here.sendall(b"still open")
    assert there.recv(100) == b"still open"
    assert runtime.call(_thread_name(), 5) == "qiantang-io"
    here.close()
    there.close()


def test_exit_is_quick_and_silent_with_work_pending() -> None:
    run_program("""
        import asyncio, time
        from qiantang.kernel import runtime
        async def forever():
            try:
                await asyncio.sleep(1000)
            finally:
                print("cancelled")
        runtime.submit(forever())
        runtime.submit(runtime.offload(time.sleep, 1000))
        runtime.call(asyncio.sleep(0.01), 5)
    """)


def test_a_forked_child_ends_silently_by_the_normal_way() -> None:
    printed = run_program("""
        import asyncio, os, socket, sys
        from qiantang.kernel import runtime
        async def listen(end):
            await asyncio.get_running_loop().sock_recv(end, 100)
        here, there = socket.socketpair()
        here.setblocking(False)
        runtime.own(here)
        runtime.submit(listen(here))
        runtime.call(asyncio.sleep(0.05), 5)
        child = os.fork()
        if child == 0:
            there.close()
            runtime.call(asyncio.sleep(0.01), 5)
            print("child done", flush=True)
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        there.sendall(b"x")
        runtime.call(asyncio.sleep(0.05), 5)
        print("parent done")
        here.close(), there.close()
    """)
    assert printed.split("\n") == ["child done", "parent done", ""]


def test_a_spawned_child_has_its_own() -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        assert pool.apply(os.getpid) != os.getpid()
