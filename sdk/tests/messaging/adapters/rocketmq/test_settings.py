"""What brokers say of how they are set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from qiantang.messaging.adapters.rocketmq import failing
from qiantang.messaging.adapters.rocketmq.routes import Names
from qiantang.messaging.adapters.rocketmq.settings import read_settings, settings_of
from qiantang.messaging.adapters.rocketmq.wire import Answer, Code, Command, Header
from qiantang.messaging.errors import BrokerAwayError


class Broker:
    """A broker that answers what it is told to, by what it is asked."""

    def __init__(self, answers: Mapping[Code, Command]) -> None:
        self._answers = answers

    async def brokers(self) -> dict[str, tuple[str, int]]:
        return {"broker": ("host", 1)}

    async def get(self, _host: object) -> Broker:
        return self

    async def ask(
        self, code: Code, _fields: object, *, doing: str, passing: frozenset[Answer] = frozenset()
    ) -> Command:
        answer = self._answers[code]
        if answer.header.code != Answer.DONE and answer.header.code not in passing:
            raise failing.named(answer, doing)
        return answer


def answer(code: Answer, body: bytes = b"", remark: str = "") -> Command:
    return Command(Header(code=code, remark=remark), body)


async def told(said: Mapping[Code, Command]) -> Any:
    broker = Broker(said)
    return await settings_of(cast(Names, broker), cast(Any, broker))


async def test_a_broker_that_has_only_begun_and_cannot_tell_its_version_can_be_used() -> None:
    """5.x has counted nothing in its first second, and says NoSuchElementException."""
    found = await told(
        {
            Code.CONFIGURATION: answer(Answer.DONE, b"maxMessageSize=1000"),
            Code.RUNTIME: answer(Answer.SYSTEM_ERROR, remark="java.util.NoSuchElementException"),
        }
    )
    assert (found.max_message, found.version) == (1000, "")


async def test_a_broker_that_cannot_tell_how_it_is_set_cannot_be_used() -> None:
    with pytest.raises(BrokerAwayError, match="asking how a broker is set"):
        await told({Code.CONFIGURATION: answer(Answer.SYSTEM_ERROR)})


def test_a_broker_holds_back_only_with_the_timer_and_recall() -> None:
    both = {"timerWheelEnable": "true", "recallMessageEnable": "true"}
    assert read_settings(both, "").holds_back
    for name in both:
        assert not read_settings({**both, name: "false"}, "").holds_back
    assert not read_settings({}, "").holds_back


def test_limits() -> None:
    found = read_settings({"timerPrecisionMs": "100", "timerMaxDelaySec": "60", "maxMessageSize": "1000"}, "5.5.0")
    assert (found.precision_ms, found.max_delay, found.max_message, found.version) == (100, 59.8, 1000, "5.5.0")
    odd = read_settings({"timerMaxDelaySec": "many", "maxMessageSize": "-1"}, "")
    assert (odd.precision_ms, odd.max_message) == (1000, 4 * 1024 * 1024)
