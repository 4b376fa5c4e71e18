"""Acknowledgements: said a moment later with what followed, the same word once, a failed call made again."""

import asyncio
import random
from typing import Any, cast

import msgspec
import pytest

from qiantang.kernel import errors, protocol, resource, scope
from qiantang.kernel.mirror import acknowledgements
from qiantang.kernel.mirror.pace import Pace
from qiantang.kernel.testing import SCOPE
from qiantang.kernel.uplink import Uplink


class _Line:
    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.problems: list[errors.QiantangError] = []

    async def request(self, _method: str, _path: str, body: protocol.Acknowledgement, *_: Any, **__: Any) -> None:
        self.calls.append([word.position.revision for word in body.held])
        if self.problems:
            raise self.problems.pop()


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> _Line:
    monkeypatch.setattr(acknowledgements, "GATHER_SECONDS", 0.03)
    return _Line()


def words_over(line: _Line) -> acknowledgements.Acknowledgements:
    return acknowledgements.Acknowledgements(
        cast("Uplink", line), SCOPE, scope.Instance(name="one"), Pace(random.Random(1), 30)
    )


def word(revision: int, capability: str = "config", **options: Any) -> protocol.Held:
    return protocol.Held(
        bundle=resource.Bundle(scope=SCOPE, capability=capability),
        position=resource.Position(epoch=1, revision=revision),
        **options,
    )


async def test_what_follows_within_a_moment_goes_in_one_call(line: _Line) -> None:
    words = words_over(line)
    words.put([word(1)])
    await asyncio.sleep(0)
    assert line.calls == []  # whoever else hears of the release fetches it first
    for revision in range(2, 6):
        words.put([word(revision)])
    await asyncio.sleep(0.1)
    assert line.calls == [[5]]
    words.put([word(6)])
    await asyncio.sleep(0.1)
    assert line.calls == [[5], [6]]
    await words.close()


async def test_the_same_word_is_said_once(line: _Line) -> None:
    words = words_over(line)
    words.put([word(1, took_ms=3.0)])
    await asyncio.sleep(0.06)
    words.put([word(1, took_ms=9.0)])
    await asyncio.sleep(0.06)
    assert line.calls == [[1]]
    assert [msgspec.structs.replace(one, took_ms=0) for one in words.held()] == [word(1)]
    await words.close()


async def test_a_failed_call_is_made_again_with_the_newest(line: _Line) -> None:
    line.problems = [errors.UnavailableError("away")]
    words = words_over(line)
    words.put([word(1)])
    await asyncio.sleep(0.06)
    words.put([word(2)])
    await asyncio.sleep(0.4)
    assert line.calls == [[1], [2]]
    await words.close()


async def test_what_will_never_be_taken_is_not_said_for_ever(line: _Line) -> None:
    line.problems = [errors.InvalidRequestError("too old a protocol")]
    words = words_over(line)
    words.put([word(1)])
    await asyncio.sleep(0.4)
    assert line.calls == [[1]]
    await words.close()


async def test_closing_says_what_is_unsaid(line: _Line) -> None:
    words = words_over(line)
    words.put([word(1)])
    await asyncio.sleep(0.01)
    words.put([word(2), word(7, "rpc")])
    words.keep_only([word(2).bundle])
    await words.close()
    assert line.calls == [[2]]
