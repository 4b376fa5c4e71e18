"""Children: programs of a benchmark as processes of their own, spoken to in lines of JSON and ended by their number."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[1]


class ChildError(Exception):
    """A child ended, or did not answer in time; the message holds the end of what it said on stderr."""


class Child:
    """`python -m <module>` from the root of the repository. It reads orders and gives answers, each a line of JSON.

    It is to end when its stdin closes; `close` ends it by its number if it does not.
    """

    def __init__(self, module: str, *arguments: str, python: str = sys.executable) -> None:
        self.module = module
        self._popen = subprocess.Popen(
            [python, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            bufsize=1,
        )
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._said: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._listen, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._popen.pid

    def order(self, order: Any) -> None:
        """Send an order."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(json.dumps(order) + "\n")
        self._popen.stdin.flush()

    def answer(self, seconds: float) -> Any:
        """Wait for the next answer.

        Raises:
            ChildError: none came.
        """
        try:
            found = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise ChildError(f"{self.module} gave no answer within {seconds:g} s{self._tail()}") from None
        if found is None:
            self._popen.wait(10)
            raise ChildError(f"{self.module} ended with code {self._popen.returncode}{self._tail()}")
        return found

    def close(self) -> None:
        """End it: first by closing its stdin, then by force."""
        with contextlib.suppress(OSError):
            if self._popen.stdin is not None:
                self._popen.stdin.close()
        try:
            self._popen.wait(10)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        for reader in self._readers:
            reader.join(5)
        for stream in (self._popen.stdout, self._popen.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            if line.startswith(("{", "[")):
                self._answers.put(json.loads(line))
        self._answers.put(None)

    def _listen(self) -> None:
        assert self._popen.stderr is not None
        for line in self._popen.stderr:
            self._said.append(line.rstrip())
            del self._said[:-20]

    def _tail(self) -> str:
        return "".join(f"\n  {line}" for line in self._said[-8:])


def answer(found: Any) -> None:
    """Give an answer, in a child."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
