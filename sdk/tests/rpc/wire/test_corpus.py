"""All that fuzzing found worth keeping: nothing is raised that nobody hears, and nothing stays."""

from __future__ import annotations

import pytest

from .fuzzing import CORPUS, feed, seeds

FILES = sorted(CORPUS.glob("*.bin"))


def test_there_is_a_corpus() -> None:
    assert len(FILES) >= 30


@pytest.mark.parametrize("part", range(8))
async def test_whatever_comes_ends_at_most_its_connection(part: int) -> None:
    for file in FILES[part::8]:
        try:
            await feed(file.read_bytes())
        except Exception as error:
            raise AssertionError(file.name) from error


@pytest.mark.parametrize("number", range(len(seeds())))
async def test_what_is_well_formed_is_taken(number: int) -> None:
    await feed(seeds()[number])
