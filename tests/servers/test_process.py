"""The child process under every server: its life, its ports, and its end when the test run dies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers import ports
from tests.servers.keeper import signal_tree
from tests.servers.process import HOST, Process, StartError, ask

ROOT = Path(__file__).parents[2]

# Counts the connections it served, in a file, so that a test sees what is kept; has a child outside its group.
ECHO = """
import socket, subprocess, sys
from pathlib import Path
port, folder = int(sys.argv[1]), Path(sys.argv[2])
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
(folder / "child").write_text(str(child.pid))
print("listening", flush=True)
server = socket.create_server(("127.0.0.1", port))
while True:
    connection, _ = server.accept()
    count = folder / "count"
    count.write_text(str(int(count.read_text()) + 1))
    connection.sendall(count.read_text().encode())
    connection.close()
"""

# A test run of its own that starts a server, says where, and then hangs.
RUN = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background of a shell inherits that it is ignored
from tests.servers.test_process import Echo
server = Echo().start()
child = (server.folder / "child").read_text()
print(server.pid, child, server.folder.parent, flush=True)
time.sleep(600)
"""


class Echo(Process):
    name = "echo"

    def __init__(self, code: str = ECHO) -> None:
        super().__init__()
        self.port = ports.take()
        self.code = code

    @staticmethod
    def missing() -> list[str]:
        return []

    def prepare(self) -> None:
        (self.folder / "count").write_text("0")

    def argv(self) -> list[str]:
        return [sys.executable, "-I", "-S", "-c", self.code, str(self.port), str(self.folder)]

    def probe(self) -> None:
        assert ask(self.port, b"?")

    def child(self) -> int:
        return int((self.folder / "child").read_text())


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


def eventually(condition: Callable[[], bool], deadline: float = 60.0) -> None:
    until = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.02)


def state(pid: int) -> str:
    """Give the process's state letter; a dead one that waits to be collected counts as gone."""
    try:
        letter = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"
    return "gone" if letter in "ZX" else letter


def test_start_is_ready_and_stop_gives_the_exit_code(echo: Echo) -> None:
    assert not echo.running
    echo.start()
    assert echo.running
    child = echo.child()
    assert echo.stop() == -signal.SIGTERM
    assert not echo.running
    eventually(lambda: state(child) == "gone")
    assert echo.stop() == 0


def test_kill_ends_children_outside_the_group_and_restart_keeps_port_and_data(echo: Echo) -> None:
    echo.start()
    child, port, served = echo.child(), echo.port, int(ask(echo.port, b"?"))
    assert echo.kill() == -signal.SIGKILL
    eventually(lambda: state(child) == "gone")
    echo.restart()
    assert echo.port == port
    assert int(ask(port, b"?")) > served


def test_pause_freezes_the_whole_tree_and_resume_lets_it_go_on(echo: Echo) -> None:
    echo.start()
    echo.pause()
    eventually(lambda: state(echo.pid) == state(echo.child()) == "T")
    assert echo.running
    with pytest.raises(TimeoutError):
        ask(echo.port, b"?", timeout=0.3)
    echo.resume()
    eventually(lambda: "T" not in {state(echo.pid), state(echo.child())})
    assert ask(echo.port, b"?", timeout=30.0)


def test_a_paused_server_can_be_stopped_and_killed(echo: Echo) -> None:
    echo.start()
    echo.pause()
    assert echo.stop() == -signal.SIGTERM
    echo.start()
    echo.pause()
    assert echo.kill() == -signal.SIGKILL


def test_a_server_that_ends_at_once_shows_its_log() -> None:
    broken = Echo("raise SystemExit('the configuration is wrong')")
    with pytest.raises(StartError, match=r"(?s)echo ended with code 1 .*the configuration is wrong"):
        broken.start()
    broken.close()
    assert not broken.folder.exists()


def test_a_server_that_is_never_ready_is_killed_and_shows_its_log() -> None:
    deaf = Echo("import time; print('waiting for a disk', flush=True); time.sleep(600)")
    with pytest.raises(StartError, match=r"(?s)not ready after 2 s \(ConnectionRefused.*waiting for a disk"):
        deaf.start(deadline=2)
    assert not deaf.running
    deaf.close()


def test_starting_twice_is_refused_and_a_dead_server_can_be_started_again(echo: Echo) -> None:
    echo.start()
    with pytest.raises(RuntimeError, match="echo is running"):
        echo.start()
    orphan = echo.child()
    os.kill(echo.pid, signal.SIGKILL)
    eventually(lambda: not echo.running)
    assert echo.start().running
    os.kill(orphan, signal.SIGKILL)  # nobody knows whose it was


def test_a_group_that_is_not_its_own_is_never_signalled() -> None:
    with subprocess.Popen(["sleep", "600"]) as same_group:
        with pytest.raises(ValueError, match="does not lead a group"):
            signal_tree(same_group.pid, signal.SIGKILL)
        assert same_group.poll() is None
        same_group.kill()


def test_paths_leave_room_for_unix_sockets(echo: Echo) -> None:
    assert len(os.fsencode(echo.folder / "a-socket-of-some-server.sock")) < 100


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_servers_and_data_of_a_run_are_gone_when_the_run_is_killed(number: signal.Signals) -> None:
    run = [sys.executable, "-c", RUN]
    with subprocess.Popen(run, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        server, child, folder = process.stdout.readline().split()
        assert state(int(server)) != "gone"
        assert state(int(child)) != "gone"
        process.send_signal(number)
        process.wait()
    eventually(lambda: state(int(server)) == state(int(child)) == "gone")
    eventually(lambda: not Path(folder).exists())


def test_ports_are_free_outside_the_ephemeral_range_and_given_once() -> None:
    given = ports.take_many(300)
    assert len(set(given)) == 300
    assert min(given) >= 15000
    assert max(given) <= 31999
    with socket.create_server((HOST, given[0])):
        pass


def test_a_block_of_ports_has_no_gap_and_nothing_that_was_given() -> None:
    blocks = [ports.take_block(4) for _ in range(50)]
    assert all(block == list(range(block[0], block[0] + 4)) for block in blocks)
    given = [port for block in blocks for port in block]
    assert len({*given, *ports.take_many(50)}) == 250


def test_a_port_in_use_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = ports.take_many(2)
    draws = iter([first, second])
    monkeypatch.setattr(ports._random, "randint", lambda *_: next(draws))
    ports._given.difference_update({first, second})
    with socket.create_server((HOST, first)):
        assert ports.take() == second


def test_runs_side_by_side_never_get_the_same_port() -> None:
    code = "from tests.servers import ports; print(*ports.take_many(1500), flush=True); input()"
    run = [sys.executable, "-c", code]
    runs = [subprocess.Popen(run, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    given: list[bytes] = []
    for process in runs:
        assert process.stdout is not None
        given += process.stdout.readline().split()
    for process in runs:
        process.communicate(b"\n")
    assert len(given) == 4500
    assert len(set(given)) == 4500
