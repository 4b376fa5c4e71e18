"""Plugins: real entry points of distributions made for the test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qiantang.kernel import errors, plugins

GROUP = plugins.adapters("probe")


class Site:
    """A folder on the path in which distributions are installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, entries: str, *, extras: tuple[str, ...] = (), **modules: str) -> None:
        info = self.folder / f"{name.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        provides = "".join(f"Provides-Extra: {extra}\n" for extra in extras)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n{provides}")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entries}\n")
        for module, text in modules.items():
            (self.folder / f"{module}.py").write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    request = Site(tmp_path)
    yield request
    for name in set(sys.modules) - before:
        if name.startswith("probe_"):
            del sys.modules[name]


def test_a_plugin_is_loaded_by_name(site: Site) -> None:
    site.install("probe-one", "memory = probe_one:Memory\nother = probe_one", probe_one="class Memory: ...\n")
    assert plugins.names(GROUP) == ["memory", "other"]
    assert plugins.load(GROUP, "memory").__name__ == "Memory"
    assert plugins.load(GROUP, "other") is sys.modules["probe_one"]


def test_listing_imports_nothing(site: Site) -> None:
    site.install("probe-bomb", "bomb = probe_bomb:X", probe_bomb="raise SystemExit(3)\n")
    assert plugins.names(GROUP) == ["bomb"]
    assert "probe_bomb" not in sys.modules


def test_an_unknown_name_lists_the_known(site: Site) -> None:
    with pytest.raises(errors.MisconfiguredError, match=r"'radis' .* known: none is installed"):
        plugins.load(GROUP, "radis")
    site.install("probe-two", "redis = probe_two:A\nmemory = probe_two:A")
    with pytest.raises(errors.MisconfiguredError, match=r"'radis' .* known: memory, redis"):
        plugins.load(GROUP, "radis")


@pytest.mark.parametrize(
    ("entry", "extras", "line"),
    [
        ("redis = probe_three:A", ("redis", "more"), "pip install 'probe-three[redis]'"),
        ("stream = probe_three:A [redis]", ("redis",), "pip install 'probe-three[redis]'"),
        ("stream = probe_three:A", ("redis",), "pip install --upgrade 'probe-three'"),
    ],
)
@pytest.mark.parametrize("import_line", ["import no_such_driver.sub", "from json import no_such_thing"])
def test_a_missing_driver_gives_the_install_line(
    site: Site, entry: str, extras: tuple[str, ...], line: str, import_line: str
) -> None:
    site.install("probe-three", entry, extras=extras, probe_three=f"{import_line}\n")
    with pytest.raises(errors.MissingExtraError) as caught:
        plugins.load(GROUP, entry.partition(" ")[0])
    assert caught.value.detail.endswith(line)
    assert ("no_such_driver" in caught.value.detail) or ("needs json" in caught.value.detail)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import probe_four.gone", "probe_four"),
        ("x = 1", "AttributeError"),
        ("syntax error", "SyntaxError"),
    ],
)
def test_a_broken_plugin_is_named_by_its_distribution(site: Site, text: str, reason: str) -> None:
    site.install("probe-four", "four = probe_four:Missing", probe_four=f"{text}\n")
    with pytest.raises(errors.MisconfiguredError, match=r"offered by probe-four 1\.2, cannot be loaded") as caught:
        plugins.load(GROUP, "four")
    assert reason in caught.value.detail
    assert not isinstance(caught.value, errors.MissingExtraError)


def test_a_name_that_two_claim_is_refused_naming_both(site: Site) -> None:
    site.install("probe-five", "memory = probe_five:A", probe_five="A = 1\n")
    site.install("probe-six", "memory = probe_six:A", probe_six="A = 2\n")
    with pytest.raises(errors.MisconfiguredError, match=r"claimed by probe-five 1\.2 and probe-six 1\.2"):
        plugins.load(GROUP, "memory")
