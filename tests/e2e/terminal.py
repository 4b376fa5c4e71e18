"""Terminal: a person's shell for tests: commands run in bash on a real pseudo-terminal, and questions are answered."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.servers.keeper import keeper

DEADLINE = 90.0
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_MARK = "\x1e"


class Terminal:
    """One shell that runs a script line by line and stops at the first that fails; `answers` is what questions get."""

    def __init__(
        self, script: str, *, folder: Path, variables: Mapping[str, str], answers: Mapping[str, str] | None = None
    ) -> None:
        self._answers = answers or {}
        self._text = ""
        self._answered = 0
        self._lock = threading.Condition()
        lines = [line for line in script.splitlines() if line.strip()]
        steps = [f"printf '{_MARK}%s{_MARK}' {number}\n{line}" for number, line in enumerate(lines)]
        self._lines = lines
        self._master, slave = pty.openpty()
        self._shell = subprocess.Popen(
            ["bash", "--norc", "-e", "-c", "\n".join(steps)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env={**variables, "COLUMNS": "240", "TERM": "dumb"},
            start_new_session=True,
        )
        keeper().watch(self._shell.pid)
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shell.poll() is None:
            os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait()
        keeper().forget(self._shell.pid)
        self._reader.join(DEADLINE)
        os.close(self._master)

    @property
    def text(self) -> str:
        """All that was shown so far, without its colours."""
        return _COLOUR.sub("", self._text.replace("\r\n", "\n"))

    def press(self, keys: str) -> None:
        """Type something."""
        os.write(self._master, keys.encode())

    def wait_for(self, what: str) -> None:
        """Wait until something is shown."""
        with self._lock:
            shown = self._lock.wait_for(lambda: what in self.text, DEADLINE)
        assert shown, f"not shown: {what!r}\n{self.text}"

    def finish(self) -> dict[str, str]:
        """Wait for the end of the script, and give what each line of it showed.

        Raises:
            AssertionError: a line failed.
        """
        try:
            code = self._shell.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the script does not end:\n{self.text}") from None
        self._reader.join(DEADLINE)
        assert code == 0, f"code {code}\n{self.text}"
        shown = self.text.split(_MARK)[1:]
        return {self._lines[int(number)]: text for number, text in zip(shown[::2], shown[1::2], strict=True)}

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # every process that had the terminal is gone
                data = b""
            with self._lock:
                self._text += data.decode(errors="replace")
                self._lock.notify_all()
            if not data:
                return
            self._answer()

    def _answer(self) -> None:
        fresh = self._text[self._answered :]
        for question, answer in self._answers.items():
            if fresh.rstrip().endswith(question):
                self._answered = len(self._text)
                self.press(answer + "\n")
                return
