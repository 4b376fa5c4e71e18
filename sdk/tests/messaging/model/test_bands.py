"""Bands: priorities keep their topics, and keys theirs."""

from __future__ import annotations

import pytest

from qiantang.messaging.model import Frame, bands


@pytest.mark.parametrize(
    ("priority", "band"),
    [*((one, "low") for one in range(3)), *((one, "") for one in range(3, 7)), (7, "high"), (9, "high")],
)
def test_a_priority_has_its_band_and_a_key_stays_in_the_topic(priority: int, band: str) -> None:
    assert bands.band_of(Frame(topic="t", id="", body=b"", priority=priority)) == band
    assert bands.band_of(Frame(topic="t", id="", body=b"", priority=priority, key="k")) == ""


def test_names() -> None:
    assert [bands.name_of("t", band) for band in bands.BANDS] == ["t.high", "t", "t.low"]
    assert [bands.queue_of(band, 3) for band in bands.BANDS] == ["high-3", "3", "low-3"]
