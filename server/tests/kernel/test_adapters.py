"""Adapters of the kernel's ports: built-in ones and those of another distribution, by real entry points."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from qiantang.kernel import errors, plugins, settings
from qiantang_server.app.sections import sections
from qiantang_server.kernel import adapters
from qiantang_server.kernel.cache import CacheSettings
from qiantang_server.kernel.cache import choice as cache_choice
from qiantang_server.kernel.cache.adapters.memory import MemoryReleaseCache
from qiantang_server.kernel.coordination import CoordinationSettings
from qiantang_server.kernel.coordination import choice as coordination_choice
from qiantang_server.kernel.coordination.adapters.zookeeper import ZooKeeperCoordination

THIRD = """
from typing import Annotated
import msgspec

class Pond(msgspec.Struct, forbid_unknown_fields=True):
    depth: Annotated[int, msgspec.Meta(description="metres of water")] = 3

class PondCache:
    def __init__(self, depth): self.depth = depth

def make(context):
    return PondCache(context.section("pond", Pond).depth)
"""


def context(**given: msgspec.Struct) -> adapters.Context:
    return adapters.Context(settings=given, database=cast("Any", None), seal_key=bytes(32))


@pytest.fixture
def pond(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed distribution with a cache of its own and a section of settings."""
    info = tmp_path / "probe_pond-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: probe-pond\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[qiantang.cache.adapters]\npond = probe_pond:make\n[qiantang.sections]\npond = probe_pond:Pond\n"
    )
    (tmp_path / "probe_pond.py").write_text(THIRD)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield info
    sys.modules.pop("probe_pond", None)


def test_what_is_built_in_is_found_as_others_are() -> None:
    assert plugins.names(plugins.adapters("coordination")) == ["database", "zookeeper"]
    assert plugins.names(plugins.adapters("cache")) == ["memory", "redis"]


def test_the_choice_follows_the_settings_that_are_there() -> None:
    assert coordination_choice.name(context()) == "database"
    chosen = coordination_choice.choose(context(coordination=CoordinationSettings(zookeeper="127.0.0.1:1")))
    assert isinstance(chosen, ZooKeeperCoordination)
    assert isinstance(cache_choice.choose(context()), MemoryReleaseCache)


def test_an_unknown_adapter_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(errors.MisconfiguredError, match=r"'etcd' is installed .* known: database, zookeeper"):
        coordination_choice.choose(context(coordination=CoordinationSettings(adapter="etcd")))


def test_another_distribution_brings_an_adapter_and_its_settings(pond: Path) -> None:
    loaded = settings.load(sections(), environment={"QIANTANG_CACHE_ADAPTER": "pond", "QIANTANG_POND_DEPTH": "7"})
    chosen = cast("Any", cache_choice.choose(context(**loaded.sections)))
    assert chosen.depth == 7


@pytest.mark.parametrize(
    ("line", "reason"), [("web = probe_pond:Pond", "is taken"), ("pond = probe_pond:make", "no Struct")]
)
def test_a_section_that_cannot_be_is_refused(pond: Path, line: str, reason: str) -> None:
    (pond / "entry_points.txt").write_text(f"[qiantang.sections]\n{line}\n")
    with pytest.raises(errors.MisconfiguredError, match=reason):
        sections()


def test_settings_of_a_section_nobody_gave_are_its_defaults() -> None:
    assert context().section("cache", CacheSettings) == CacheSettings()
