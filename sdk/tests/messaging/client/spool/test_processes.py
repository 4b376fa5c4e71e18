"""The store in processes of their own: killed, on a disk that is full, and with a large backlog in little memory."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from qiantang.messaging.client.spool import Spool

pytestmark = pytest.mark.process

APPENDS = """
    import asyncio, sys
    from pathlib import Path
    from qiantang.messaging.client.spool import Spool
    from qiantang.messaging.model import Frame
    async def main():
        spool = Spool(Path(sys.argv[1]), "main/one")
        await spool.open()
        first, drains = int(sys.argv[2]), sys.argv[3] == "drains"
        async def one(worker):
            number = first
            while True:
                ids = [f"{worker}-{number + offset}" for offset in range(7)]
                await spool.append([Frame(topic="t", id=id, body=b"x" * 900, key=f"k{worker}") for id in ids])
                print("kept", *ids, flush=True)
                number += 7
        async def drain():
            while True:
                for record in (some := await spool.take(5, 1 << 20)):
                    print("sent", record.frame.id, flush=True)
                await spool.done(len(some))
                await asyncio.sleep(0.001)
        await asyncio.gather(*(one(worker) for worker in range(4)), *([drain()] if drains else []))
    asyncio.run(main())
"""


def run(program: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(program), *(str(one) for one in arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def left(folder: Path) -> list[str]:
    spool = Spool(folder, "main/one")
    await spool.open()
    found: list[str] = []
    while some := await spool.take(1000, 1 << 24):
        found += [one.frame.id for one in some]
        await spool.done(len(some))
    assert spool.damaged == 0
    await spool.close()
    return found


def numbers(ids: list[str], worker: int) -> list[int]:
    return [int(one.partition("-")[2]) for one in ids if one.startswith(f"{worker}-")]


def killed_and_started(folder: Path, chance: random.Random, what: str) -> tuple[list[str], list[str]]:
    kept: list[str] = []
    sent: list[str] = []
    for number in range(3):
        with run(APPENDS, folder, number * 1_000_000, what) as child:
            assert child.stdout is not None
            first = child.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.4))
            child.send_signal(signal.SIGKILL)
            said = first + child.stdout.read()
        whole = [line.split() for line in said.splitlines(keepends=True) if line.endswith("\n")]
        kept += [one for words in whole if words[:1] == ["kept"] for one in words[1:]]
        sent += [one for words in whole if words[:1] == ["sent"] for one in words[1:]]
    return kept, sent


@pytest.mark.parametrize("seed", range(6))
async def test_a_process_that_is_killed_loses_nothing_that_it_acknowledged(tmp_path: Path, seed: int) -> None:
    """Killed and started three times in a row, with a drainer or without; then all that was kept is there, in its order."""
    kept, sent = killed_and_started(tmp_path, random.Random(seed), "drains" if seed % 2 else "keeps")
    remaining = await left(tmp_path)
    assert set(kept) <= set(remaining) | set(sent)
    assert len(kept) > 20
    for worker in range(4):
        assert numbers(remaining, worker) == sorted(set(numbers(remaining, worker)))
        firsts = list(dict.fromkeys(numbers(sent, worker) + numbers(remaining, worker)))
        assert firsts == sorted(firsts)
    again = len(sent) + len(remaining) - len(set(sent) | set(remaining))
    assert again <= 3 * 5_000 if seed % 2 else again == 0


FILLS = """
    import asyncio, resource, sys
    from pathlib import Path
    from qiantang.messaging.client.spool import Spool
    from qiantang.messaging.errors import SpoolFullError
    from qiantang.messaging.model import Frame
    async def main():
        spool = Spool(Path(sys.argv[1]), "main/one")
        await spool.open()
        def frames(number, count=3):
            return [Frame(topic="t", id=f"0-{number + one}", body=b"x" * 1000, key="k") for one in range(count)]
        number = 0
        for limit in (50_000, 120_000, 0):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                while True:
                    await spool.append(frames(number))
                    print("kept", *(one.id for one in frames(number)), flush=True)
                    number += 3
            except SpoolFullError as error:
                print("full", error, flush=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await spool.append(frames(number))
        print("kept", *(one.id for one in frames(number)), flush=True)
        await spool.close()
    asyncio.run(main())
"""


async def test_a_disk_that_is_full_leaves_what_was_kept_and_nothing_half(tmp_path: Path) -> None:
    said, _ = run(FILLS, tmp_path).communicate(timeout=60)
    lines = said.splitlines()
    assert len([line for line in lines if line.startswith("full")]) == 3
    assert "did not take 3 messages: [Errno 27] File too large" in said
    kept = [one for line in lines if line.startswith("kept") for one in line.split()[1:]]
    assert len(kept) > 100
    assert await left(tmp_path) == kept


HOLDS = """
    import asyncio, re, sys
    from pathlib import Path
    from qiantang.messaging.client.spool import Spool
    from qiantang.messaging.model import Frame
    def highest():  # of this program: the system's own count begins with that of its parent
        return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
    async def main():
        spool = Spool(Path(sys.argv[1]), "main/one")
        await spool.open()
        before = highest()
        number = 0
        async def one():
            nonlocal number
            while number < 200_000:
                number += 500
                ids = range(number - 500, number)
                await spool.append([Frame(topic="t", id=f"{id}", body=b"x" * 1024, key=f"k{id}") for id in ids])
        await asyncio.gather(*(one() for _ in range(4)))
        appended = highest()
        count = spool.pending
        await spool.close()
        spool = Spool(Path(sys.argv[1]), "main/one")
        await spool.open()
        expected = 0
        while some := await spool.take(500, 4 << 20):
            expected += len(some)
            await spool.done(len(some))
        await spool.close()
        print(count, expected, before, appended, highest())
    asyncio.run(main())
"""


def test_a_large_backlog_is_not_in_memory(tmp_path: Path) -> None:
    said, _ = run(HOLDS, tmp_path).communicate(timeout=110)
    count, taken, before, appended, drained = (int(one) for one in said.split())
    assert count == taken == 200_000
    assert appended - before < 64 * 1024, said
    assert drained - before < 64 * 1024, said
