"""A connection and what is sent over it, against a server that does what the test says."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import pytest

from qiantang.kernel import errors
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging.adapters.activemq import connecting, connection, sender
from qiantang.messaging.adapters.activemq.address import Address
from qiantang.messaging.adapters.activemq.incoming import Incoming, Said
from qiantang.messaging.adapters.activemq.sender import StompSender
from qiantang.messaging.model import Frame
from qiantang.messaging.port import SendOutcome

CONNECTED = "CONNECTED\nversion:1.2\nserver:ActiveMQ/5.0\n\n\0\n"
SECURITY = "ERROR\nmessage:User name [a] or password is invalid.\n\njava.lang.SecurityException: no\0\n"
Answer = Callable[[Said], str | None]
"""What the server says of a frame; None ends the connection."""


def receipts(said: Said) -> str:
    if said.command == "CONNECT":
        return CONNECTED
    receipt = said.headers.get("receipt")
    return f"RECEIPT\nreceipt-id:{receipt}\n\n\0\n" if receipt else ""


@contextlib.asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    """Give the address of a server."""

    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming = Incoming()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                for said in incoming.feed(data):
                    words = answer(said)
                    if words is None:
                        writer.transport.abort()
                        break
                    writer.write(words.encode())
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    made = await asyncio.start_server(begin, "127.0.0.1", 0)
    host, port = made.sockets[0].getsockname()
    try:
        yield f"stomp://app:s3cret@{host}:{port}"
    finally:
        made.close()
        await asyncio.sleep(0)
        if tasks:
            await asyncio.wait(tasks, timeout=60)


async def nothing(_: connection.StompConnection) -> None: ...


async def sent(url: str, *some: Frame) -> list[SendOutcome]:
    connections = connecting.supervisor(Address(url), "test", nothing)
    one = StompSender(connections, lambda _: 1, delays=False, largest=10**6)
    try:
        return await one.send(some)
    finally:
        await connections.close()


def frame(id: str = "1", topic: str = "t", body: bytes = b"") -> Frame:
    return Frame(topic=topic, id=id, body=body, text={"mf-v": "2.0", "mf-id": id})


async def test_a_batch_is_one_transaction_of_each_topic() -> None:
    heard: list[tuple[str, str]] = []

    def answer(said: Said) -> str:
        heard.append((said.command, said.headers.get("mf-id", "")))
        return receipts(said)

    async with server(answer) as url:
        outcomes = await sent(url, frame("1"), frame("2", "u"), frame("3"))
    assert [one.verdict for one in outcomes] == ["accepted"] * 3
    assert heard[1:6] == [("BEGIN", ""), ("SEND", "1"), ("SEND", "3"), ("COMMIT", ""), ("SEND", "2")]


async def test_what_is_refused_is_refused_for_its_topic_alone() -> None:
    def answer(said: Said) -> str:
        if said.command == "COMMIT":
            words = "java.lang.SecurityException: User app is not authorized"
            return f"ERROR\nmessage:not authorized\nreceipt-id:{said.headers['receipt']}\n\n{words}\0\n"
        return receipts(said)

    async with server(answer) as url:
        outcomes = await sent(url, frame("1"), frame("2", "u"), frame("3"))
    assert [one.verdict for one in outcomes] == ["refused", "accepted", "refused"]
    assert isinstance(outcomes[0].error, messaging_errors.SendForbiddenError)


async def test_a_transaction_is_refused_for_what_was_wrong_in_it() -> None:
    def answer(said: Said) -> str:
        if said.headers.get("transaction") and said.command == "SEND":
            return "ERROR\nmessage:User app is not authorized to write to\\c topic\\c//x\n\n\0\n"
        if said.command == "COMMIT":
            return f"ERROR\nmessage:marked rollback only\nreceipt-id:{said.headers['receipt']}\n\n\0\n"
        return receipts(said)

    async with server(answer) as url:
        outcomes = await sent(url, frame("1"), frame("2", "u"), frame("3"))
    assert [one.verdict for one in outcomes] == ["refused", "accepted", "refused"]
    assert isinstance(outcomes[0].error, messaging_errors.SendForbiddenError)


async def test_a_connection_that_is_lost_before_the_answer_leaves_the_outcome_unknown() -> None:
    def answer(said: Said) -> str | None:
        return None if said.headers.get("receipt") and said.command == "COMMIT" else receipts(said)

    async with server(answer) as url:
        outcomes = await sent(url, frame("0", "u"), frame("1"), frame("2"), frame("3", "v"))
    assert [one.verdict for one in outcomes] == ["accepted", "unknown", "unknown", "unknown"]
    assert isinstance(outcomes[1].error, messaging_errors.OutcomeUnknownError)


async def test_of_messages_that_were_not_looked_at_since_one_is_too_large_only_that_one_is_at_fault() -> None:
    def answer(said: Said) -> str:
        if len(said.body) > 10:
            return "ERROR\nmessage:The maximum frame size was exceeded\n\nstack\0\n"
        return receipts(said)

    async with server(answer) as url:
        outcomes = await sent(
            url, frame("0", "u"), frame("1"), frame("2", body=b"x" * 11), frame("3", "v"), frame("4", "v")
        )
    assert [one.verdict for one in outcomes] == ["accepted", *["refused"] * 4]
    kinds = [type(one.error) for one in outcomes[1:]]
    away = messaging_errors.BrokerAwayError
    assert kinds == [away, messaging_errors.BodyTooLargeError, away, away]


async def test_what_cannot_be_written_is_refused_and_the_rest_goes() -> None:
    bad = frame("2")
    bad.text = {"a": "\ud800"}
    async with server(receipts) as url:
        outcomes = await sent(url, frame("1"), bad, frame("3"))
        assert [one.verdict for one in outcomes] == ["accepted", "refused", "accepted"]
        assert isinstance(outcomes[1].error, messaging_errors.InvalidMessageError)
        assert [one.verdict for one in await sent(url, bad)] == ["refused"]


async def test_what_is_over_the_limit_that_is_known_is_not_sent() -> None:
    async with server(receipts) as url:
        outcomes = await sent(url, frame("1"), frame("2", body=bytes(10**6)), frame("3"))
    assert [one.verdict for one in outcomes] == ["accepted", "refused", "accepted"]
    assert isinstance(outcomes[1].error, messaging_errors.BodyTooLargeError)


async def test_no_answer_is_no_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "CONFIRM_SECONDS", 0.2)
    async with server(lambda said: CONNECTED if said.command == "CONNECT" else "") as url:
        outcomes = await sent(url, frame("1"), frame("2"))
    assert [one.verdict for one in outcomes] == ["unknown", "unknown"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda _: SECURITY, errors.UnauthenticatedError),
        (lambda _: SECURITY.replace("java.lang.SecurityException: no", ""), errors.UnauthenticatedError),
        (lambda _: "ERROR\nmessage:no such version\n\n\0", messaging_errors.BrokerAwayError),
        (lambda _: "HTTP/1.1 400 Bad Request\n\n", messaging_errors.BrokerAwayError),
        (lambda _: None, messaging_errors.BrokerAwayError),
        (lambda _: "", messaging_errors.BrokerAwayError),
    ],
)
async def test_who_is_not_let_in_is_told_so(
    answer: Answer, error: type[errors.QiantangError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "CONNECT_SECONDS", 0.5)
    async with server(answer) as url:
        connections = connecting.supervisor(Address(url), "test", nothing)
        with pytest.raises(error) as caught:
            await connections.get()
    assert "s3cret" not in str(caught.value)


async def test_a_server_that_is_not_heard_of_is_given_up() -> None:
    async with server(lambda said: CONNECTED if said.command == "CONNECT" else "") as url:
        made = await connecting.supervisor(Address(f"{url}?heartbeat=1"), "test", nothing).get()
        lost: list[bool] = []
        made.when_lost(lambda: lost.append(True))
        ends = time.monotonic() + 60
        while not lost:
            assert time.monotonic() < ends
            await asyncio.sleep(0.05)
    assert not made.is_opened
    with pytest.raises(ConnectionError):
        await made.write(b"\n")


async def test_an_error_of_nothing_that_was_asked_ends_nothing() -> None:
    def answer(said: Said) -> str:
        return "ERROR\nmessage:Unexpected ACK\n\n\0\n" if said.command == "ACK" else receipts(said)

    async with server(answer) as url:
        made = await connecting.supervisor(Address(url), "test", nothing).get()
        await made.ask(b"ACK\nid:1\n\n\0BEGIN\ntransaction:1\nreceipt:r\n\n\0", "r")
        assert made.is_opened
        await made.end()
