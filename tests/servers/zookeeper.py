"""ZooKeeper: a standalone server, and an ensemble of three with a leader that can be killed."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Self

from tests.servers import ports
from tests.servers.process import HOST, READY_DEADLINE, Process, ask, find_program

_JARS = ("/usr/share/java/slf4j-simple.jar", "/usr/share/java/zookeeper.jar")
_MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
_JVM = (
    "-Xmx128m",
    "-Xss512k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dzookeeper.jmx.log4j.disable=true",
)
_SETTINGS = (
    "tickTime=500",
    "initLimit=20",
    "syncLimit=10",
    "minSessionTimeout=1000",
    "maxSessionTimeout=40000",
    "maxClientCnxns=0",
    "admin.enableServer=false",
    "4lw.commands.whitelist=*",
)


class ZooKeeper(Process):
    """A ZooKeeper server: standalone, or a member of an ensemble. Its sessions last between 1 and 40 s."""

    name = "zookeeper"

    def __init__(self, *, number: int = 0) -> None:
        super().__init__()
        self.port = ports.take()
        self.number = number
        """The member's number in its ensemble; 0 stands alone."""
        self.roster: list[str] = []
        """The ensemble's server lines, the same for all members."""

    @staticmethod
    def missing() -> list[str]:
        found = {name: Path(name).exists() for name in _JARS} | {"java": find_program("java") is not None}
        return [name for name, there in found.items() if not there]

    @property
    def hosts(self) -> str:
        """The connect string for a client of this server alone."""
        return f"{HOST}:{self.port}"

    def prepare(self) -> None:
        data = self.folder / "data"
        data.mkdir()
        lines = [*_SETTINGS, f"dataDir={data}", *self.roster]
        if self.roster:
            (data / "myid").write_text(f"{self.number}\n")
        else:
            lines += [f"clientPort={self.port}", f"clientPortAddress={HOST}"]
        (self.folder / "zoo.cfg").write_text("\n".join(lines) + "\n")

    def argv(self) -> list[str]:
        return [
            find_program("java") or "java",
            *_JVM,
            "-cp",
            ":".join(_JARS),
            _MAIN,
            str(self.folder / "zoo.cfg"),
        ]

    def probe(self) -> None:
        self.mode()

    def mode(self) -> str:
        """Give `standalone`, `leader` or `follower`.

        Raises:
            OSError: it is down, or serves no one because its ensemble has no leader.
        """
        answer = ask(self.port, b"srvr")
        for line in answer.splitlines():
            if line.startswith("Mode: "):
                return line.removeprefix("Mode: ")
        raise ConnectionError(answer.strip() or "no answer")


class ZooKeeperEnsemble:
    """Three servers that elect a leader."""

    def __init__(self) -> None:
        self.members = [ZooKeeper(number=number) for number in (1, 2, 3)]
        roster: list[str] = []
        for member in self.members:
            peer, elect = ports.take_many(2)
            roster.append(f"server.{member.number}={HOST}:{peer}:{elect};{HOST}:{member.port}")
        for member in self.members:
            member.roster = roster

    @property
    def hosts(self) -> str:
        """The connect string with all members."""
        return ",".join(member.hosts for member in self.members)

    def start(self, deadline: float = READY_DEADLINE) -> Self:
        """Start the members that are down, together, and wait until each leads or follows."""
        down = [member for member in self.members if not member.running]
        for member in down:
            member.launch()
        for member in down:
            member.wait_ready(deadline)
        return self

    def leader(self, deadline: float = READY_DEADLINE) -> ZooKeeper:
        """Give the member that leads, waiting for an election.

        Raises:
            TimeoutError: none leads after `deadline` seconds.
        """
        until = time.monotonic() + deadline
        while time.monotonic() < until:
            for member in self.members:
                if member.running and self._mode(member) == "leader":
                    return member
            time.sleep(0.05)
        raise TimeoutError(f"no leader after {deadline:g} s")

    def followers(self) -> list[ZooKeeper]:
        """Give the members that follow now."""
        return [member for member in self.members if member.running and self._mode(member) == "follower"]

    @staticmethod
    def _mode(member: ZooKeeper) -> str:
        with contextlib.suppress(OSError):
            return member.mode()
        return ""

    def stop(self) -> None:
        """Stop all members; their data stay."""
        for member in self.members:
            member.stop()

    def close(self) -> None:
        """Stop all members and remove their data."""
        for member in self.members:
            member.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()
