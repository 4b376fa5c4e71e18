"""The keeper: a small process that ends a test run's servers and removes their data when the run itself dies.

It is told of each server through a pipe. When the pipe closes, because the run ended or was killed in any way,
SIGKILL included, it kills what is left. The death signal of prctl would not do: it is bound to the thread that
started the server, and does not reach the server's own children.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

_SOCKET_ROOM = 40  # what the temporary folder may take of the ~100 bytes of a unix socket's path


def signal_tree(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process, its group and all its descendants: PostgreSQL's are not in its group.

    Everything is stopped first, until no new child appears, so none can slip away in between. No number can pass
    to a stranger meanwhile, since a stopped parent does not collect its dead.
    """
    if os.getpgid(pid) != pid:
        raise ValueError(f"process {pid} does not lead a group: refusing to signal its group")
    os.killpg(pid, signal.SIGSTOP)
    tree = {pid}
    while fresh := _children(tree) - tree:
        for child in fresh:
            _send(child, signal.SIGSTOP)
        tree |= fresh
    if number != signal.SIGSTOP:
        for member in tree - {pid}:
            _send(member, number)
        os.killpg(pid, number)


def family(pid: int) -> dict[int, str]:
    """Give the descendants of a process, each number with its birth."""
    found: set[int] = set()
    while fresh := _children({pid} | found) - found:
        found |= fresh
    return {member: birth(member) for member in found}


def kill_members(members: dict[int, str]) -> None:
    """Kill the processes that are still the ones of that birth."""
    for pid, born in members.items():
        if birth(pid) == born:
            _send(pid, signal.SIGKILL)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _children(parents: set[int]) -> set[int]:
    names = {str(parent) for parent in parents}
    everyone = (int(entry.name) for entry in Path("/proc").glob("[0-9]*"))
    return {pid for pid in everyone if names.intersection(_status(pid)[1:2])}


def _status(pid: int) -> list[str]:
    """Give the fields of /proc/PID/stat after the name: state, parent, group and so on; none when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def birth(pid: int) -> str:
    """Give the moment a process started, in ticks since boot: with its number it names one process for good."""
    return (_status(pid) or ["gone"] * 20)[19]


class Keeper:
    """The run's side of the pipe, and the run's temporary folder."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._guard = threading.Lock()
        root = tempfile.gettempdir()
        if os.geteuid() == 0 or len(os.fsencode(root)) > _SOCKET_ROOM:
            root = "/tmp"  # root's servers run as other users, who may not enter a private folder
        self.folder = Path(tempfile.mkdtemp(prefix="qt-", dir=root))
        self.folder.chmod(0o711)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    def watch(self, pid: int) -> None:
        """Have the process tree killed when this run is gone."""
        self._tell(f"+{pid}")

    def forget(self, pid: int) -> None:
        """Take a process that has ended off the list."""
        self._tell(f"-{pid}")

    def _tell(self, line: str) -> None:
        with self._guard:
            assert self._process.stdin is not None
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """Let the keeper do its work now, and wait for it. Does nothing in a fork of the run."""
        if os.getpid() != self._owner or self._process.stdin is None:
            return
        self._process.stdin.close()
        self._process.wait()


@functools.cache
def keeper() -> Keeper:
    """Give the one keeper of this run, started at the first call."""
    one = Keeper()
    atexit.register(one.close)
    return one


def _remove(folder: Path) -> None:
    for _ in range(50):  # a killed process may finish its last write
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def _keep(folder: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched: dict[int, str] = {}
    for line in sys.stdin:
        pid = int(line[1:])
        if line.startswith("+"):
            watched[pid] = birth(pid)
        else:
            watched.pop(pid, None)
    for pid, born in watched.items():
        if birth(pid) == born:
            with contextlib.suppress(ProcessLookupError):
                signal_tree(pid, signal.SIGKILL)
    _remove(folder)


if __name__ == "__main__":
    _keep(Path(sys.argv[1]))
