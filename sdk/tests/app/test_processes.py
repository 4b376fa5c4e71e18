"""Real processes: prefork with a preloaded App, fork with threads about, spawn, and the README's program."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import msgspec
import pytest

import qiantang
from qiantang.app import Application

from .conftest import Plane


class Settings(msgspec.Struct):
    greeting: str = "hello"


def wait_for(condition: Callable[[], Any], seconds: float = 15.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.005)


@contextlib.contextmanager
def forked(run: Callable[[Connection], None]) -> Iterator[Connection]:
    """Run a function in a forked child, as a prefork server does; it must end well, having said nothing on stderr."""
    here, there = multiprocessing.Pipe()
    child = os.fork()
    if child == 0:
        here.close()
        status = 1
        try:
            run(there)
            status = 0
        except BaseException as error:
            with contextlib.suppress(OSError):
                there.send(f"{type(error).__name__}: {error}")
        finally:
            os._exit(status)
    there.close()
    try:
        yield here
        ends = time.monotonic() + 15
        while (done := os.waitpid(child, os.WNOHANG))[0] == 0:
            assert time.monotonic() < ends, "the child does not end"
            time.sleep(0.005)
        child = 0
        assert done[1] == 0
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        here.close()


def receive(end: Connection) -> Any:
    assert end.poll(15), "the child said nothing"
    return end.recv()


def names(application: Application) -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("qiantang")}


def test_prefork_the_child_keeps_the_values_and_opens_its_own_line_at_the_first_read(plane: Plane) -> None:
    plane.release({"greeting": "hi"})
    with qiantang.sync.App(**plane.options()) as app:
        settings = app.config.bind(Settings)
        plane.wait_until(lambda: plane.streams == 1)

        def child(end: Connection) -> None:
            end.send((names(app), settings.greeting, isinstance(settings, Settings)))
            end.recv()
            wait_for(lambda: settings.greeting == "good day")
            end.send((app.config.get("greeting"), app.config.pin()[settings].greeting, app.status().connected))
            end.recv()

        with forked(child) as end:
            assert receive(end) == (set(), "hi", True)  # no thread before the first read
            plane.wait_until(lambda: plane.streams == 2)
            plane.release({"greeting": "good day"})
            end.send("go on")
            assert receive(end) == ("good day", "good day", True)
            wait_for(lambda: settings.greeting == "good day")  # the parent is unhurt, and hears of it on its own line
            end.send("end")
        plane.wait_until(lambda: plane.streams == 1)
        plane.release({"greeting": "still here"})
        plane.wait_until(lambda: settings.greeting == "still here")


@pytest.mark.parametrize("first", ["get", "pin", "explain", "bind", "status"])
def test_any_reading_wakes_the_child(plane: Plane, first: str) -> None:
    plane.release({"greeting": "hi"})
    with qiantang.sync.App(**plane.options()) as app:

        def child(end: Connection) -> None:
            argument = {"get": ["greeting"], "explain": ["greeting"], "bind": [Settings]}.get(first, [])
            getattr(app if first == "status" else app.config, first)(*argument)
            wait_for(lambda: app.config.get("greeting") == "good day")
            end.send("woken")

        with forked(child) as end:
            plane.wait_until(lambda: plane.streams == 2)
            plane.release({"greeting": "good day"})
            assert receive(end) == "woken"


def test_where_callbacks_wait_the_child_listens_without_being_read(plane: Plane) -> None:
    plane.release({"greeting": "hi"})
    app = qiantang.sync.App(**plane.options())
    heard: list[str] = []
    parent = os.getpid()

    @app.config.on_change("greeting")
    def changed(event: qiantang.config.Event) -> None:
        heard.append(f"plain {event['greeting'].after} {os.getpid() == parent}")

    @app.config.on_change("greeting")
    async def changed_later(event: qiantang.config.Event) -> None:
        heard.append(f"later {event['greeting'].after} {os.getpid() == parent}")

    with app:
        plane.release({"greeting": "before"})  # so that worker and coroutine threads exist in the parent
        wait_for(lambda: len(heard) == 2)

        def child(end: Connection) -> None:
            heard.clear()
            wait_for(lambda: len(heard) == 2)
            end.send(sorted(heard))

        with forked(child) as end:
            plane.wait_until(lambda: plane.streams == 2)
            plane.release({"greeting": "good day"})
            assert receive(end) == ["later good day False", "plain good day False"]
        assert sorted(heard[2:]) == ["later good day True", "plain good day True"]


def test_many_workers_of_one_preloaded_app(plane: Plane) -> None:
    plane.release({"greeting": "hi"})
    with qiantang.sync.App(**plane.options()) as app, contextlib.ExitStack() as stack:
        settings = app.config.bind(Settings)

        def child(end: Connection) -> None:
            end.send(settings.greeting)
            wait_for(lambda: settings.greeting == "good day")
            end.send(settings.greeting)

        ends = [stack.enter_context(forked(child)) for _ in range(4)]
        assert [receive(end) for end in ends] == ["hi"] * 4
        plane.wait_until(lambda: plane.streams == 5)
        plane.release({"greeting": "good day"})
        assert [receive(end) for end in ends] == ["good day"] * 4


def test_forking_while_other_threads_read_publish_and_hold_locks(plane: Plane) -> None:
    plane.release({"greeting": "0"})
    over = threading.Event()
    with qiantang.sync.App(**plane.options()) as app:
        settings = app.config.bind(Settings)
        app.config.on_change("*", lambda: None)

        def busy() -> None:
            while not over.is_set():
                app.config.bind(msgspec.defstruct("Other", [("greeting", str, "")]))
                app.config.pin()
                app.status()

        def publish() -> None:
            for number in range(1, 200):
                if over.is_set():
                    return
                plane.release({"greeting": str(number)})
                time.sleep(0.002)

        threads = [threading.Thread(target=busy), threading.Thread(target=publish)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(10):
                with forked(lambda end: end.send(settings.greeting.isdecimal())) as end:
                    assert receive(end) is True
        finally:
            over.set()
            for thread in threads:
                thread.join(10)


def test_a_child_may_open_an_app_of_its_own_and_close_what_it_inherited(plane: Plane) -> None:
    plane.release({"greeting": "hi"})
    with qiantang.sync.App(**plane.options()) as inherited:
        inherited.config.bind(Settings)

        def child(end: Connection) -> None:
            inherited.close()
            with qiantang.sync.App(**plane.options(instance="child")) as own:
                end.send(own.config.bind(Settings).greeting)

        with forked(child) as end:
            assert receive(end) == "hi"
        assert inherited.status().connected


def test_a_live_resource_of_a_preloaded_app_is_built_anew_in_the_child(plane: Plane) -> None:
    plane.release({"url": "one"})
    closed: list[str] = []
    with (
        qiantang.sync.App(**plane.options()) as app,
        qiantang.LiveResource(
            app.config, lambda url: [url, os.getpid()], None, lambda one: closed.append(one[0]), key="url"
        ) as live,
    ):

        def child(end: Connection) -> None:
            with live.use() as built:
                end.send((built, os.getpid(), closed))
            wait_for(lambda: app.config.get("url") == "two")

            def rebuilt() -> bool:
                with live.use() as now:
                    return now[0] == "two"

            wait_for(rebuilt)
            wait_for(lambda: closed == ["one"])
            end.send("rebuilt")

        with forked(child) as end:
            built, process, ended = receive(end)
            assert built == ["one", process]
            assert ended == []
            plane.release({"url": "two"})
            assert receive(end) == "rebuilt"
        with live.use() as ours:
            assert ours == ["two", os.getpid()]


def test_a_spawned_child_opens_its_own(plane: Plane) -> None:
    plane.release({"greeting": "hi"})
    program = f"""
        import multiprocessing
        def work(options):
            import msgspec, qiantang
            Settings = msgspec.defstruct("Settings", [("greeting", str, "hello")])
            with qiantang.sync.App(**options) as app:
                return app.config.bind(Settings).greeting
        if __name__ == "__main__":
            options = {plane.options(folder=str(plane.folder))!r}
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.apply(work, (options,)))
    """
    assert run_program(plane, program) == "hi\n"


def run_program(plane: Plane, text: str) -> str:
    """Run a program with every warning an error, in the environment of an operator who set everything."""
    options = plane.options()
    environment = {f"QIANTANG_CLIENT_{key.upper()}": str(value) for key, value in options.items()}
    environment["QIANTANG_CLIENT_SERVERS"] = plane.address
    environment["QIANTANG_CLIENT_START_DEADLINE"] = "5s"
    file = plane.folder.parent / "program.py"
    file.write_text(textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", str(file)],
        capture_output=True, text=True, timeout=60, check=False, env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # -X dev tells of every slow step of a loop: on a busy machine that says nothing of the program
    said = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]
    assert said == []
    return done.stdout


README = """
import msgspec, qiantang

class Settings(msgspec.Struct):
    greeting: str = "hello"
    timeout: float = 1.5

with qiantang.sync.App() as app:
    settings = app.config.bind(Settings)

    @app.config.on_change("greeting")
    def changed(event):
        print("now", settings.greeting, flush=True)

    print(settings.greeting, settings.timeout, flush=True)
    input()
"""


def test_the_readmes_program(plane: Plane) -> None:
    plane.release({"greeting": "hi", "timeout": "2.5"})
    options = {f"QIANTANG_CLIENT_{key.upper()}": str(value) for key, value in plane.options().items()}
    environment = (
        os.environ | options | {"QIANTANG_CLIENT_SERVERS": plane.address, "QIANTANG_CLIENT_START_DEADLINE": "5s"}
    )
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-X", "dev", "-c", README],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    ) as program:  # fmt: skip
        assert program.stdout is not None
        assert program.stdout.readline() == "hi 2.5\n"
        plane.release({"greeting": "good day", "timeout": "2.5"})
        assert program.stdout.readline() == "now good day\n"
        out, err = program.communicate("\n", timeout=30)
        assert (program.returncode, out, err) == (0, "", "")


def test_an_asyncio_program_that_forks_workers_with_loops_of_their_own(plane: Plane) -> None:
    plane.release({"greeting": "hi"})
    printed = run_program(
        plane,
        """
        import asyncio, os, sys
        import msgspec, qiantang
        Settings = msgspec.defstruct("Settings", [("greeting", str, "hello")])
        app = qiantang.sync.App()
        app.open()                      # as a server that loads the application before it forks
        settings = app.config.bind(Settings)
        heard = []
        @app.config.on_change("*")
        async def changed(): heard.append(1)
        async def work():
            await asyncio.sleep(0.05)
            return settings.greeting
        children = []
        for number in range(2):
            child = os.fork()
            if child == 0:
                sys.stdout.write(asyncio.run(work()) + "\\n"), sys.stdout.flush()
                app.close()
                sys.exit(0)
            children.append(child)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        print(asyncio.run(work()))
        app.close()
        """,
    )
    assert printed == "hi\nhi\nhi\n"


@pytest.mark.parametrize(
    ("statement", "limit"),
    [("import qiantang", 120), ("import qiantang; qiantang.sync.App; qiantang.LiveResource", 330)],
)
def test_importing_stays_light(statement: str, limit: int) -> None:
    program = f"""
import sys
before = set(sys.modules)
{statement}
loaded = set(sys.modules) - before
installed = [name for name in loaded if "site-packages" in (getattr(sys.modules[name], "__file__", "") or "")]
print(len(loaded), *sorted({{name.partition(".")[0] for name in installed}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    count, *tops = done.stdout.split()
    assert int(count) <= limit
    assert set(tops) <= {"msgspec", "typing_extensions", "h11", "cryptography", "_cffi_backend", "qiantang"}
    assert not {"pydantic", "kazoo", "click", "yaml"} & set(tops)
