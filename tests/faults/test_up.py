"""`qiantang up`: stops in order however busy it is, keeps its data, and says what it could not do as it was told."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from qiantang.kernel import ids, protocol
from tests.servers import ports
from tests.servers.platform import Platform
from tests.servers.process import HOST, environment
from tests.servers.product import Application, Platforms, eventually

pytestmark = pytest.mark.process

STREAMS = 200


def token(application: Application) -> str:
    """Exchange the credential as an instance does."""
    timestamp, nonce = int(time.time() * 1000), ids.secret_token()[:32]
    signature = protocol.sign(protocol.signing_key(application.secret), application.credential, timestamp, nonce)
    request = protocol.TokenRequest(
        credential=application.credential, timestamp=timestamp, nonce=nonce, signature=signature
    )
    answer = httpx.post(f"{application.platform.address}{protocol.TOKEN_PATH}", content=msgspec.json.encode(request))
    return str(answer.raise_for_status().json()["token"])


def request(path: str, bearer: str, body: bytes, *, announced: int | None = None) -> bytes:
    """Spell out a POST."""
    length = len(body) if announced is None else announced
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {bearer}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    return head.encode() + body


@contextlib.contextmanager
def connections(platform: Platform, count: int) -> Iterator[list[socket.socket]]:
    """Open plain connections."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection((HOST, platform.port), timeout=60)) for _ in range(count)]


def read_to_the_end(connection: socket.socket) -> bytes:
    found = bytearray()
    with contextlib.suppress(ConnectionError):
        while chunk := connection.recv(65536):
            found += chunk
    return bytes(found)


def wait_for_exit(platform: Platform) -> float:
    """Wait until the process ended; give how long that took."""
    began = time.monotonic()
    eventually(lambda: not platform.running, "it ends")
    return time.monotonic() - began


def test_stops_in_order_with_streams_open(platforms: Platforms, applications: Callable[..., Any]) -> None:
    platform = platforms()
    application: Application = applications(platform)
    application.publish(1)
    client = application.client()
    client.wait_well()
    bearer = token(application)
    with connections(platform, STREAMS) as streams, connections(platform, 3) as others:
        for index, stream in enumerate(streams):
            instance = {"name": f"many-{index}"}
            body = {"scope": application.names, "instance": instance, "capabilities": ["config"]}
            stream.sendall(request(protocol.STREAM_PATH, bearer, msgspec.json.encode(body)))
        for stream in streams:
            assert stream.recv(15, socket.MSG_WAITALL) == b"HTTP/1.1 200 OK"
        others[0].sendall(request(protocol.FETCH_PATH, bearer, b"{", announced=1000))  # never goes on
        others[1].sendall(b"POST /api/v1/watch/stre")  # nor does this
        eventually(lambda: len(application.instances()) == STREAMS + 1)
        os.kill(platform.pid, signal.SIGINT)
        took = wait_for_exit(platform)
        assert platform.stop() == 0, platform.log_tail()
        assert took < 30, "5 s are promised, on a machine that does nothing else"
        assert all(b"event: goodbye" in read_to_the_end(stream) for stream in streams)
    assert "Traceback" not in platform.log_file.read_text()
    assert "stopped [qiantang_server.app.start]" in platform.log_tail(1)
    assert client.number == 1
    platform.start()
    assert platform.started()["first_start_token"] in {None, ""}, "its people are kept"
    assert application.position() == (1, 1), "its releases are kept"
    application.publish(2)
    client.wait(2)
    rows = application.instances()
    assert sum(row["alive"] for row in rows.values()) <= 2, "who left with the stop is not alive any more"
    assert application.audit_is_whole()


def test_a_second_signal_does_not_wait(platforms: Platforms) -> None:
    platform = platforms()
    with connections(platform, 1) as (one,):
        one.sendall(b"POST /api/v1/identity/token HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
        os.kill(platform.pid, signal.SIGINT)
        time.sleep(0.5)  # two at once are one
        os.kill(platform.pid, signal.SIGINT)
        wait_for_exit(platform)
    platform.stop()
    platform.start()


class Spoken(Platform):
    """A server started as a person does, who reads what it says."""

    def argv(self) -> list[str]:
        return [word for word in super().argv() if word != "--json"]

    @property
    def address(self) -> str:
        found = re.search(r"is up in .* s at (\S+)", self.log_file.read_text() if self.log_file.exists() else "")
        return found[1] if found else f"http://{HOST}:1"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    port = ports.take()
    with socket.create_server((HOST, port)):
        yield port


def test_a_taken_port_is_said_aloud_and_the_next_is_used(taken: int) -> None:
    platform = Spoken()
    platform.port = taken
    with platform:
        assert f"the port is taken, so the next free one is used wanted={taken}" in platform.log_file.read_text()
        assert int(platform.address.rpartition(":")[2]) > taken
        assert httpx.get(f"{platform.address}/healthz").json()["alive"]


def test_a_taken_port_is_told_to_a_script_and_an_operator_too(taken: int, platforms: Platforms) -> None:
    platform = platforms.new()
    platform.port = taken
    platform.launch()

    def said() -> dict[str, Any] | None:
        if not platform.running:
            raise RuntimeError(platform.log_tail())
        with contextlib.suppress(IndexError, OSError):
            return platform.started()
        return None

    assert eventually(said)["address"] != f"http://{HOST}:{taken}"
    assert f"the port is taken, so the next free one is used wanted={taken}" in platform.log_file.read_text()


@pytest.mark.parametrize(
    ("flags", "variables", "file", "said"),
    [
        (["--set", "web.prot=1"], {}, "", ["web.prot: not a setting (flag --set)", "did you mean web.port?"]),
        ([], {"QIANTANG_WEB_PROT": "1"}, "", ["QIANTANG_WEB_PROT", "did you mean QIANTANG_WEB_PORT?"]),
        ([], {}, "[web]\nprot = 1\n", ["web.prot (line 2, column 1)", "did you mean web.port?"]),
        ([], {}, "[storge]\nurl = 'x'\n", ["storge (line 1, column 1)", "did you mean storage?"]),
        (
            ["--set", "web.prot=1", "--set", "watch.poll=soon"],
            {"QIANTANG_STORAGE_ULR": "x"},
            "[web]\nhots = 'x'\n",
            ["4 settings are wrong", "web.prot", "watch.poll", "QIANTANG_STORAGE_ULR", "web.hots"],
        ),
    ],
)
def test_unknown_settings_are_refused_by_name(
    tmp_path: Path, flags: list[str], variables: dict[str, str], file: str, said: list[str]
) -> None:
    words = [Platform().argv()[0], "up", "--folder", str(tmp_path / "data"), *flags]
    if file:
        (tmp_path / "settings.toml").write_text(file)
        words += ["--config", str(tmp_path / "settings.toml")]
    done = subprocess.run(
        words, env={**environment(tmp_path), **variables}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    for words_said in said:
        assert words_said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists(), "nothing was begun"
