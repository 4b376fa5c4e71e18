"""An answer that stands: asked for again in time, kept while nobody answers, and said once."""

from __future__ import annotations

import asyncio
import random

import pytest

from qiantang.kernel import errors
from qiantang.kernel.uplink import Standing, standing


class Center:
    """Answers with a number that rises, or not at all."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False

    async def ask(self) -> int:
        self.asked += 1
        if self.away:
            raise errors.UnavailableError("away")
        return self.asked


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(standing, "LONGEST_PAUSE", 0.002)


def of(center: Center, again_in: float) -> Standing[int]:
    return Standing("the number", center.ask, lambda _: again_in, random.Random(1))


async def until(center: Center, asked: int) -> None:
    async with asyncio.timeout(30):
        while center.asked < asked:
            await asyncio.sleep(0.001)


async def test_it_is_there_when_it_is_open_and_asked_for_again() -> None:
    center = Center()
    one = of(center, 0.002)
    await one.open(30)
    assert one.value is not None
    await until(center, 4)
    await one.close()
    assert one.value >= 3
    asked = center.asked
    await asyncio.sleep(0.01)
    assert center.asked == asked


async def test_while_nobody_answers_it_is_asked_on_and_the_last_answer_stays(caplog: pytest.LogCaptureFixture) -> None:
    center = Center()
    center.away = True
    one = of(center, 0.002)
    await one.open(0.01)
    assert one.value is None
    center.away = False
    async with asyncio.timeout(30):
        while one.value is None:
            await asyncio.sleep(0.001)
    first = one.value
    center.away = True
    await until(center, center.asked + 5)
    assert one.value is not None
    assert one.value >= first
    await one.close()
    told = [record for record in caplog.records if record.message == standing.NOT_TOLD]
    assert 1 <= len(told) <= 6, "bounded"
    assert vars(told[0])["what"] == "the number"
