"""RocketMQ: messages of 1 KB through one real server, from the first send until the last is handled and settled: ours, and its
official Python client, which goes through the proxy and brings so many packages that it has an environment of its own.

Rounds are interleaved, on new topics, and each contender's best counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import uvloop

from bench.figures import Value, rounded
from bench.messaging.brokers import ours
from bench.messaging.sql import BATCH, TEXT
from tests.servers.rocketmq import RocketMQ

MESSAGES = 4_000
MESSAGES_OFFICIAL = 2_000
ROUNDS = 3
HERE = Path(__file__).parent
BOOT = HERE.parent.parent / ".boot"
DEADLINE = 400


def measure() -> dict[str, Value]:
    """Start the server, let the contenders take turns, give the best of each and the ratio."""
    python = _environment()
    found: dict[str, list[tuple[float, float]]] = {"rocketmq": [], "official_rocketmq": []}
    with RocketMQ() as server:
        for number in range(ROUNDS):
            url = f"rocketmq://{server.names.hosts}"
            found["rocketmq"].append(uvloop.run(ours("rocketmq", url, f"orders-{number}")))
            found["official_rocketmq"].append(_official(python, server))
    best = {name: max(whole for _, whole in rounds) for name, rounds in found.items()}
    return {
        **{f"{name}_per_s": rounded(value) for name, value in best.items()},
        **{f"{name}_send_per_s": rounded(max(sent for sent, _ in rounds)) for name, rounds in found.items()},
        "rocketmq_vs_official": rounded(best["rocketmq"] / best["official_rocketmq"]),
    }


def _environment() -> Path:
    """Have the official client installed, as its lock says; give its interpreter."""
    folder = BOOT / "official"
    python = folder / "bin" / "python"
    uv = str(BOOT / "bin" / "uv")
    if not python.exists():
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    lock = str(HERE / "official.lock")
    subprocess.run([uv, "pip", "sync", "--quiet", "--python", str(python), "--require-hashes", lock], check=True)
    return python


def _official(python: Path, server: RocketMQ) -> tuple[float, float]:
    topic, group = server.create_topic("official", queues=4), server.create_group("official")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(TEXT)
        file.flush()
        arguments = [server.hosts, topic, group, str(MESSAGES_OFFICIAL), str(BATCH), file.name]
        command = [str(python), "-P", str(HERE / "official.py"), *arguments]  # -P: this file has the client's name
        said = subprocess.run(
            command, capture_output=True, text=True, timeout=DEADLINE, check=False, cwd=tempfile.gettempdir()
        )
    if said.returncode or not said.stdout.strip():
        raise RuntimeError(f"the official client ended with {said.returncode}: {said.stderr.strip()[-500:]}")
    sent, whole = json.loads(said.stdout.strip().splitlines()[-1])
    return sent, whole
