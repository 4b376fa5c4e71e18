"""The sender: batches, and which queue a message goes to while brokers are away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from qiantang.messaging.adapters.rocketmq import sender, wire
from qiantang.messaging.adapters.rocketmq.address import Address, Host
from qiantang.messaging.adapters.rocketmq.connection import Remotes
from qiantang.messaging.adapters.rocketmq.routes import Route, Share
from qiantang.messaging.adapters.rocketmq.sender import Home, RocketSender
from qiantang.messaging.adapters.rocketmq.wire import Answer, Code
from qiantang.messaging.errors import BrokerAwayError, OutcomeUnknownError
from qiantang.messaging.model import Frame

NOWHERE: Host = ("127.0.0.1", 1)


class Server:
    """Takes messages, or gives the answers that it is told to: None for none, and the connection is closed."""

    def __init__(self) -> None:
        self.answers: list[int | None] = []
        self.codes: list[int] = []
        self._count = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length = wire.length_of(await reader.readexactly(4))
                command = wire.read(await reader.readexactly(length))
                self.codes.append(command.header.code)
                answer = self.answers.pop(0) if self.answers else Answer.DONE
                if answer is None:
                    break
                fields = {"queueOffset": str(self._count)}
                self._count += 10
                number = command.header.opaque
                writer.write(wire.written(answer, fields, b"", number=number, flag=wire.ANSWER))
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, Host]]:
    made = Server()
    listening = await asyncio.start_server(made.talk, "127.0.0.1", 0)
    yield made, listening.sockets[0].getsockname()[:2]
    listening.close()


@pytest.fixture
async def remotes() -> AsyncIterator[Remotes]:
    made = Remotes(Address("rocketmq://localhost"))
    yield made
    await made.close()


def frames(count: int, key: str = "k") -> list[Frame]:
    return [Frame(topic="t", id=f"{number}", body=b"x", key=key) for number in range(count)]


def home(*shares: Share) -> Home:
    return Home("t", "t", "", Route({f"broker-{number}": share for number, share in enumerate(shares)}))


async def test_a_batch_has_positions_that_follow_one_another(server: tuple[Server, Host], remotes: Remotes) -> None:
    made, host = server
    one = RocketSender(remotes, lambda _: 0)
    outcomes = await one.send(frames(3), [home(Share(host, 1))] * 3)
    assert [(found.verdict, found.queue, found.position) for found in outcomes] == [
        ("accepted", "0", number) for number in range(3)
    ]
    assert made.codes == [Code.SEND_BATCH]


async def test_after_a_batch_without_an_answer_nothing_of_its_queue_is_sent(
    server: tuple[Server, Host], remotes: Remotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "BATCH_MESSAGES", 2)
    made, host = server
    made.answers = [Answer.DONE, None]
    outcomes = await RocketSender(remotes, lambda _: 0).send(frames(6), [home(Share(host, 1))] * 6)
    assert [found.verdict for found in outcomes] == ["accepted"] * 2 + ["unknown"] * 2 + ["refused"] * 2
    assert isinstance(outcomes[2].error, OutcomeUnknownError)
    assert isinstance(outcomes[4].error, BrokerAwayError)
    assert len(made.codes) == 2


async def test_one_that_is_wrong_is_found_among_those_that_are_not(
    server: tuple[Server, Host], remotes: Remotes
) -> None:
    made, host = server
    made.answers = [Answer.ILLEGAL_MESSAGE, Answer.DONE, Answer.ILLEGAL_MESSAGE]
    outcomes = await RocketSender(remotes, lambda _: 0).send(frames(3), [home(Share(host, 1))] * 3)
    assert [found.verdict for found in outcomes] == ["accepted", "refused", "accepted"]
    assert made.codes == [Code.SEND_BATCH, Code.SEND, Code.SEND, Code.SEND]


async def test_messages_without_a_key_go_past_a_broker_that_is_away(
    server: tuple[Server, Host], remotes: Remotes
) -> None:
    _, host = server
    one, both = RocketSender(remotes, lambda _: 0), home(Share(NOWHERE, 2), Share(host, 2))
    with pytest.raises(BrokerAwayError):
        await remotes.get(NOWHERE)
    outcomes = await one.send(frames(8, key=""), [both] * 8)
    assert {(found.verdict, found.queue) for found in outcomes} == {("accepted", "2"), ("accepted", "3")}
    keyed = [Frame(topic="t", id=key, body=b"x", key=key) for key in "abcdefgh"]
    outcomes = await one.send(keyed, [both] * 8)
    assert {found.verdict for found in outcomes} == {"accepted", "refused"}, "keys wait for theirs"


async def test_what_was_never_sent_is_not_taken_back(remotes: Remotes) -> None:
    one = RocketSender(remotes, lambda _: 0)
    assert not await one.cancel("t", "0"), "it was never sent"
