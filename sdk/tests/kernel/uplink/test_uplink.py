"""The uplink against a control plane in this process: routing, proof, errors, deadlines, streams, fork, TLS."""

import asyncio
import datetime
import ipaddress
import json
import logging
import multiprocessing
import os
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from qiantang.kernel import errors, protocol, resource, runtime, scope
from qiantang.kernel.testing import FakeControlPlane
from qiantang.kernel.uplink import BrokenError, Limits, Tls, UnexpectedAnswerError, UnreachableError, Uplink

INSTANCE = scope.Instance(name="one")
DEAD = "http://127.0.0.1:9"


@pytest.fixture
def plane():
    with FakeControlPlane() as made:
        made.publish(made.bundle("config"), {"application": {"a": 1}})
        yield made


def fetching(plane: FakeControlPlane) -> protocol.FetchRequest:
    return protocol.FetchRequest(instance=INSTANCE, bundle=plane.bundle("config"))


async def fetch(uplink: Uplink, plane: FakeControlPlane, **options: Any) -> resource.Snapshot:
    options.setdefault("idempotent", True)
    return await uplink.request("POST", protocol.FETCH_PATH, fetching(plane), resource.Snapshot, **options)


def streaming(plane: FakeControlPlane) -> protocol.StreamRequest:
    return protocol.StreamRequest(scope=plane.scope, instance=INSTANCE, capabilities=["config"])


async def test_a_call_is_proven_and_decoded(plane: FakeControlPlane) -> None:
    uplink = plane.uplink()
    assert (await fetch(uplink, plane)).position.revision == 1
    assert await asyncio.gather(*(fetch(uplink, plane) for _ in range(40)))
    assert plane.tokens_given == 1
    await uplink.close()
    assert plane.secret not in repr(uplink) + repr(vars(uplink))


def test_blocking_programs_call_it_too(plane: FakeControlPlane) -> None:
    uplink = plane.uplink()
    assert runtime.call(fetch(uplink, plane), 5).position.revision == 1
    runtime.call(uplink.close(), 5)


async def test_the_error_is_the_one_that_the_server_rendered(plane: FakeControlPlane) -> None:
    uplink = plane.uplink()
    plane.refuse(errors.StaleRevisionError("someone was faster", facts={"revision": 7}))
    with pytest.raises(errors.StaleRevisionError) as caught:
        await fetch(uplink, plane)
    assert caught.value.facts == {"revision": 7}
    await uplink.close()


async def test_a_fixed_token_that_is_refused_is_not_retried(plane: FakeControlPlane) -> None:
    uplink = Uplink([plane.address], token="nobody-knows-it")
    with pytest.raises(errors.UnauthenticatedError):
        await fetch(uplink, plane)
    assert plane.tokens_given == 0
    await uplink.close()


async def test_forgotten_tokens_are_replaced(plane: FakeControlPlane) -> None:
    uplink = plane.uplink()
    await fetch(uplink, plane)
    plane.forget_tokens()
    assert await fetch(uplink, plane)
    assert plane.tokens_given == 2
    await uplink.close()


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_is_an_hour_off(plane: FakeControlPlane, hours: int) -> None:
    plane.clock_offset_ms = hours * 3_600_000
    uplink = plane.uplink()
    assert await fetch(uplink, plane)
    await uplink.close()


async def test_goes_on_to_the_next_server_and_stays_there(plane: FakeControlPlane) -> None:
    for _ in range(5):  # whichever is tried first
        uplink = Uplink([DEAD, plane.address], credential_id=plane.credential_id, secret=plane.secret)
        assert await fetch(uplink, plane)
        await uplink.close()


async def test_an_unavailable_server_is_left_for_another(plane: FakeControlPlane) -> None:
    with FakeControlPlane() as sick:
        sick.refuse(errors.UnavailableError("the database is away", retry_after=5))
        uplink = plane.uplink()
        uplink = Uplink([sick.address, plane.address], credential_id=plane.credential_id, secret=plane.secret)
        for _ in range(5):
            assert await fetch(uplink, plane)
        await uplink.close()


async def test_a_hanging_server_takes_only_its_share_of_the_deadline(plane: FakeControlPlane) -> None:
    with FakeControlPlane() as hanging:
        hanging.hang = True
        for _ in range(3):
            uplink = Uplink([hanging.address, plane.address], credential_id=plane.credential_id, secret=plane.secret)
            assert await fetch(uplink, plane, deadline=2)
            await uplink.close()


async def test_a_deadline_is_kept(plane: FakeControlPlane) -> None:
    uplink = plane.uplink()
    await fetch(uplink, plane)
    plane.hang = True
    with pytest.raises((errors.DeadlineError, BrokenError)):
        await fetch(uplink, plane, deadline=0.2)
    plane.hang = False
    assert await fetch(uplink, plane)
    await uplink.close()


async def test_nobody_there_is_said_at_once(plane: FakeControlPlane) -> None:
    uplink = plane.uplink()
    await fetch(uplink, plane)
    plane.kill()
    with pytest.raises(UnreachableError):
        await fetch(uplink, plane)
    plane.restart()
    assert await fetch(uplink, plane)
    await uplink.close()


async def test_what_is_not_a_control_plane_is_unavailable_and_refuses_nobody() -> None:
    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\nno!!")
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    uplink = Uplink([f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"], token="x")
    with pytest.raises(UnexpectedAnswerError, match="status 403"):
        await uplink.request("GET", "/x", None, bytes)
    await uplink.close()
    server.close()
    await server.wait_closed()


async def test_a_call_that_is_not_idempotent_is_sent_once() -> None:
    seen = 0

    async def breaking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        await reader.readuntil(b"\r\n\r\n")
        seen += 1
        writer.close()

    first = await asyncio.start_server(breaking, "127.0.0.1", 0)
    second = await asyncio.start_server(breaking, "127.0.0.1", 0)
    addresses = [f"http://127.0.0.1:{one.sockets[0].getsockname()[1]}" for one in (first, second)]
    uplink = Uplink(addresses, token="x")
    with pytest.raises(BrokenError):
        await uplink.request("POST", "/x", None, bytes)
    assert seen == 1
    with pytest.raises(BrokenError):
        await Uplink(addresses, token="x").request("POST", "/x", None, bytes, idempotent=True)
    assert seen == 3
    for one in (first, second):
        one.close()
        await one.wait_closed()


async def test_an_answer_of_another_shape_is_unexpected(plane: FakeControlPlane) -> None:
    uplink = plane.uplink()
    with pytest.raises(UnexpectedAnswerError, match="another version"):
        await uplink.request("POST", protocol.FETCH_PATH, fetching(plane), protocol.Hello, idempotent=True)
    await uplink.close()


async def test_a_stream_tells_events_and_servers(plane: FakeControlPlane, tmp_path: Path) -> None:
    uplink = plane.uplink(folder=tmp_path)
    names: list[str] = []

    async def listen() -> None:
        async with await uplink.stream(protocol.STREAM_PATH, streaming(plane)) as events:
            async for event in events:
                names.append(event.name)
                if event.name == "hello":
                    plane.tell_servers([plane.address, "http://127.0.0.1:1234"])
                elif event.name == "servers":
                    plane.publish(plane.bundle("config"), {"application": {"a": 2}})
                elif b"[1,2]" in event.data:
                    return

    await runtime.bridge(listen())
    assert [name for name in names if name != "notice"] == ["hello", "servers"]
    assert "http://127.0.0.1:1234" in repr(uplink)
    file = tmp_path / "servers.json"
    await plane.until(file.exists)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await uplink.close()
    again = Uplink(folder=tmp_path, credential_id=plane.credential_id, secret=plane.secret)
    assert await fetch(again, plane)
    await again.close()


async def test_a_silent_stream_is_broken() -> None:
    with FakeControlPlane(heartbeat_seconds=0.1) as plane:
        uplink = plane.uplink()

        async def listen() -> None:
            async with await uplink.stream(protocol.STREAM_PATH, streaming(plane)) as events:
                async for event in events:
                    plane.hang = event.name == "hello"

        with pytest.raises(BrokenError, match="silent"):
            await runtime.bridge(listen())
        await plane.until(lambda: plane.streams == 0)
        await uplink.close()


async def test_a_refused_stream_raises_what_the_server_rendered(plane: FakeControlPlane) -> None:
    uplink = plane.uplink()
    plane.refuse(errors.ForbiddenError("not yours"))
    with pytest.raises(errors.ForbiddenError):
        await runtime.bridge(uplink.stream(protocol.STREAM_PATH, streaming(plane)))
    await uplink.close()


async def test_streams_are_bounded(plane: FakeControlPlane) -> None:
    uplink = plane.uplink(limits=Limits(streams=1))

    async def open_two() -> None:
        async with await uplink.stream(protocol.STREAM_PATH, streaming(plane)):
            await uplink.stream(protocol.STREAM_PATH, streaming(plane))

    with pytest.raises(errors.ExhaustedError):
        await runtime.bridge(open_two())
    await uplink.close()


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe", b"x" * 100_000])
def test_a_damaged_file_of_servers_is_not_used(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "servers.json").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        uplink = Uplink([DEAD], folder=tmp_path)
    assert "last known servers" in caplog.text
    assert repr(uplink) == f"Uplink({DEAD})"


def test_a_line_under_tls_is_never_led_to_a_plain_one(tmp_path: Path) -> None:
    told = {"addresses": ["http://127.0.0.1:1", "https://127.0.0.1:2"]}
    (tmp_path / "servers.json").write_text(json.dumps(told))
    uplink = Uplink(["https://center:8600"], folder=tmp_path)
    assert repr(uplink) == "Uplink(https://center:8600, https://127.0.0.1:2)"


def test_no_server_named_is_a_mistake() -> None:
    with pytest.raises(errors.MisconfiguredError, match="no server"):
        Uplink()


class _Directory:
    name = "directory"

    def __init__(self, *answers: list[str] | Exception) -> None:
        self.answers = list(answers)

    async def addresses(self) -> list[str]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_servers_are_found_in_a_directory(plane: FakeControlPlane) -> None:
    uplink = Uplink(
        sources=[_Directory(["not an address", plane.address])],
        credential_id=plane.credential_id,
        secret=plane.secret,
    )
    assert await fetch(uplink, plane)
    await uplink.close()


async def test_a_directory_that_is_away_is_said(caplog: pytest.LogCaptureFixture) -> None:
    uplink = Uplink(sources=[_Directory(errors.UnavailableError("the ensemble is away"))], token="x")
    with pytest.raises(UnreachableError, match="no server of the control plane is known yet"):
        await uplink.request("GET", "/x", None, bytes)
    assert "cannot look up the servers" in caplog.text
    await uplink.close()


def _call_in_child(uplink: Uplink, plane: FakeControlPlane, queue: Any) -> None:
    queue.put((os.getpid(), runtime.call(fetch(uplink, plane), 10).position.revision))


def test_parent_and_forked_children_use_it_at_once(plane: FakeControlPlane) -> None:
    uplink = plane.uplink()
    runtime.call(fetch(uplink, plane), 5)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    children = [context.Process(target=_call_in_child, args=(uplink, plane, queue)) for _ in range(3)]
    for child in children:
        child.start()
    answers = [queue.get() for _ in children]
    for child in children:
        child.join(10)
        assert child.exitcode == 0
    assert {revision for _, revision in answers} == {1}
    assert runtime.call(fetch(uplink, plane), 5).position.revision == 1
    runtime.call(uplink.close(), 5)


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, key_file


async def test_tls_is_spoken_and_checked(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    large = os.urandom(300_000)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            while await reader.readline() != b"\r\n":
                pass
            assert head.startswith(b"GET ")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(large) + large)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    trusting = Uplink([address], token="x", tls=Tls(authority_file=certificate))
    for _ in range(3):
        assert await trusting.request("GET", "/x", None, bytes) == large
    await trusting.close()
    strict = Uplink([address], token="x")
    with pytest.raises(UnreachableError, match="certificate"):
        await strict.request("GET", "/x", None, bytes)
    server.close()
    await server.wait_closed()


def test_a_missing_authority_file_is_said() -> None:
    uplink = Uplink(["https://127.0.0.1:1"], token="x", tls=Tls(authority_file=Path("/nowhere.pem")))
    with pytest.raises(errors.MisconfiguredError, match=r"nowhere\.pem"):
        runtime.call(uplink.request("GET", "/x", None, bytes), 5)
