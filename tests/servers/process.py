"""A server as a child process: start, stop, kill, pause, resume, and restart with the same port and data."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn, Self

from tests.servers.keeper import family, keeper, kill_members, signal_tree

HOST = "127.0.0.1"
READY_DEADLINE = 90.0
"""Seconds a server may take to become ready: generous, since the machine may be busy with other things."""
_STOP_DEADLINE = 30.0
_PAUSE = 0.02
_TAIL = 40
_numbers = itertools.count(1)


class StartError(Exception):
    """A server did not become ready; the message holds the end of its log."""


STOPPED_SECONDS = 2.0
"""How long is waited for all threads of a process that was frozen to stand still."""


class Process(ABC):
    """One server. All methods block; in a running event loop call them by `asyncio.to_thread`.

    A server keeps its folder and its ports from construction to `close`, over any number of starts.
    """

    name: ClassVar[str]
    account: ClassVar[str] = ""
    """The user to run as when the tests run as root, for servers that refuse root."""
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    variables: Mapping[str, str] = MappingProxyType({})
    """More of its environment than every server gets."""

    def __init__(self) -> None:
        self.folder = new_folder(self.name)
        self._popen: subprocess.Popen[bytes] | None = None
        self._prepared = False

    @staticmethod
    @abstractmethod
    def missing() -> list[str]:
        """Give the programs and files that are not installed here and that this server needs."""

    @abstractmethod
    def prepare(self) -> None:
        """Write the configuration and make the data folder, before the first start."""

    @abstractmethod
    def argv(self) -> list[str]:
        """Give the command line."""

    @abstractmethod
    def probe(self) -> None:
        """Return when the server answers as a client needs it; raise any exception while it does not."""

    @property
    def running(self) -> bool:
        """Whether the process lives; a paused one does."""
        return self._popen is not None and not self._exited(self._popen)

    @property
    def pid(self) -> int:
        """The number of the main process, which is also its group's.

        Raises:
            RuntimeError: it is not started.
        """
        return self._started().pid

    def start(self, deadline: float = READY_DEADLINE) -> Self:
        """Start and wait until ready.

        Raises:
            StartError: it ended, or was not ready within `deadline` seconds; it is killed then.
        """
        self.launch()
        self.wait_ready(deadline)
        return self

    def launch(self) -> None:
        """Start without waiting."""
        if self._popen is not None:
            if self.running:
                raise RuntimeError(f"{self.name} is running")
            self._reap(self._popen)  # it ended by itself
        if not self._prepared:
            self.prepare()
            self._prepared = True
        with self.log_file.open("ab") as log:
            self._popen = subprocess.Popen(
                self.argv(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.folder,
                env={**environment(self.folder), **self.variables},
                **run_as(self.account),
            )
        keeper().watch(self._popen.pid)

    def wait_ready(self, deadline: float = READY_DEADLINE) -> None:
        """Wait until the probe succeeds.

        Raises:
            StartError: as `start`.
        """
        until = time.monotonic() + deadline
        while True:
            if not self.running:
                self._fail(f"ended with code {self._reap(self._started())} before it was ready")
            try:
                self.probe()
            except Exception as error:
                if time.monotonic() > until:
                    self.kill()
                    self._fail(f"was not ready after {deadline:g} s ({type(error).__name__}: {error})")
                time.sleep(_PAUSE)
            else:
                return

    def stop(self, deadline: float = _STOP_DEADLINE) -> int:
        """Stop it as its operator would, kill it when that takes longer, and give the exit code; 0 if not started."""
        if self._popen is None:
            return 0
        members: dict[int, str] = {}
        if self.running:
            self.resume()
            members = family(self._popen.pid)  # once it is gone its children can't be told from others
            os.kill(self._popen.pid, self.stop_signal)
        until = time.monotonic() + deadline
        while self.running:
            if time.monotonic() > until:
                return self.kill()
            time.sleep(_PAUSE)
        kill_members(members)
        return self._reap(self._popen)

    def kill(self) -> int:
        """SIGKILL the process and all its descendants at once and give the exit code; 0 if not started."""
        return 0 if self._popen is None else self._reap(self._popen)

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay open, and are accepted by the system, and nothing answers."""
        signal_tree(self.pid, signal.SIGSTOP)
        ends = time.monotonic() + STOPPED_SECONDS
        while self._runs() and time.monotonic() < ends:  # each of its threads stops in its own time
            time.sleep(0.005)

    def _runs(self) -> bool:
        """Whether a thread of it has not stopped yet."""
        states: list[str] = []
        for file in Path(f"/proc/{self.pid}/task").glob("*/stat"):
            with contextlib.suppress(OSError):
                states.append(file.read_text().rpartition(")")[2].split()[0])
        return any(one not in "TtZX" for one in states)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        signal_tree(self.pid, signal.SIGCONT)

    def restart(self, deadline: float = READY_DEADLINE) -> None:
        """Stop it if it runs, then start it on the same port with the same data."""
        self.stop()
        self.start(deadline)

    def close(self) -> None:
        """Stop it and remove its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def log_file(self) -> Path:
        """Where its output goes."""
        return self.folder / "log"

    def log_tail(self, lines: int = _TAIL) -> str:
        """Give the end of its output."""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

    def _started(self) -> subprocess.Popen[bytes]:
        if self._popen is None:
            raise RuntimeError(f"{self.name} is not started")
        return self._popen

    def _fail(self, what: str) -> NoReturn:
        raise StartError(f"{self.name} {what}; end of its log:\n{self.log_tail()}")

    @staticmethod
    def _exited(popen: subprocess.Popen[bytes]) -> bool:
        """Say whether it has ended, without collecting it: so its number can't pass to another process yet."""
        return os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _reap(self, popen: subprocess.Popen[bytes]) -> int:
        """Kill what is left of the tree, collect the process and give its exit code."""
        signal_tree(popen.pid, signal.SIGKILL)
        code = popen.wait()
        keeper().forget(popen.pid)
        self._popen = None
        return code


def new_folder(name: str) -> Path:
    """Make an empty folder of the run, with a path short enough for a unix socket in it."""
    folder = keeper().folder / f"{name}-{next(_numbers)}"
    folder.mkdir()
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Give a server's environment: not the caller's, whose PGHOST or JAVA_TOOL_OPTIONS would change the test."""
    return {"PATH": search_path(), "HOME": str(folder), "LC_ALL": "C.UTF-8"}


def search_path() -> str:
    """Give the folders to look for programs in: servers are in sbin, which is often not in a user's PATH."""
    return os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"


def find_program(name: str) -> str | None:
    """Give the full path of an installed program."""
    return shutil.which(name, path=search_path())


def run_as(account: str) -> dict[str, Any]:
    """Give the subprocess arguments that change to an account: none unless root runs this and one is named."""
    if not account or os.geteuid() != 0:
        return {}
    return {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []}


def give_to(account: str, *paths: Path) -> None:
    """Make an account the owner of the paths, where `run_as` changes to it."""
    if account and os.geteuid() == 0:
        entry = pwd.getpwnam(account)
        for path in paths:
            os.chown(path, entry.pw_uid, entry.pw_gid)


def run(argv: list[str], folder: Path, account: str = "") -> str:
    """Run a command of a server to its end and give its output.

    Raises:
        RuntimeError: it failed; the message holds its output.
    """
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=folder,
        env=environment(folder),
        timeout=READY_DEADLINE,
        **run_as(account),
    )
    if done.returncode != 0:
        raise RuntimeError(f"{Path(argv[0]).name} ended with code {done.returncode}:\n{done.stdout}")
    return done.stdout


def ask(port: int, line: bytes, timeout: float = 2.0) -> str:
    """Send one line to a port and give the first part of the answer."""
    with contextlib.closing(socket.create_connection((HOST, port), timeout)) as connection:
        connection.sendall(line)
        return connection.recv(65536).decode(errors="replace")
