"""Readiness: red while serving is impossible, and only then."""

from __future__ import annotations

import asyncio

import pytest

from qiantang.kernel import errors
from qiantang_server.kernel.web import health as probes

NOT_READY = "not ready; this server's log says why"


async def well() -> None:
    """Be there."""


async def away() -> None:
    raise errors.UnavailableError("it is away")


async def silent() -> None:
    await asyncio.sleep(3600)


def health(*, needed: object = well, spared: object = well, opened: bool = True) -> probes.Health:
    return probes.Health(
        version="1",
        node="n",
        checks={"database": needed},  # type: ignore[dict-item]
        spared={"coordination": spared},  # type: ignore[dict-item]
        opened=opened,
    )


async def test_all_well_is_ready() -> None:
    found = await health().readiness()
    assert found.ready
    assert found.parts == {"database": "ok", "coordination": "ok", "process": "ok"}


async def test_a_part_that_serving_needs_turns_it_red() -> None:
    found = await health(needed=away).readiness()
    assert not found.ready
    assert found.parts["database"] == NOT_READY


@pytest.mark.parametrize(("check", "said"), [(away, "it is away"), (silent, "no answer within 0.01 s")])
async def test_a_part_that_serving_does_without_is_told_and_stays_green(
    check: object, said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(probes, "CHECK_WITHIN", 0.01)
    found = await health(spared=check).readiness()
    assert found.ready
    assert found.parts["coordination"] == NOT_READY
    assert [(one.part, one.reason) for one in caplog.records] == [("coordination", said)]  # type: ignore[attr-defined]


async def test_a_reason_goes_to_the_log_once_and_again_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    checked = health(needed=away)
    await checked.readiness()
    await checked.readiness()
    checked.checks = {"database": well}
    await checked.readiness()
    assert [one.message for one in caplog.records] == ["a part is not ready", "a part is back"]


async def test_a_process_that_opens_or_closes_is_red() -> None:
    found = await health(opened=False).readiness()
    assert not found.ready
