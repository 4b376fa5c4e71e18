"""Opening: every adapter that the package offers is what it says, and the settings reach what they are for."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from qiantang.kernel import errors, plugins, settings
from qiantang.kernel.settings import Secret
from qiantang.registry.client import directory_of, opening, registry_of
from qiantang.registry.settings import RegistrySettings
from qiantang.registry.testing import fresh_name, node, until

GROUP = "qiantang.registry.adapters"
PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
OFFERED: dict[str, str] = PROJECT["entry-points"][GROUP]


def load(group: str, name: str) -> Any:
    """Load what this very project offers, whatever is installed."""
    assert group == GROUP
    return plugins.load_entry(metadata.EntryPoint(name=name, value=OFFERED[name], group=group))


@pytest.fixture(autouse=True)
def as_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening.plugins, "load", load)


@pytest.mark.parametrize("adapter", sorted(OFFERED))
def test_each_adapter_is_made_from_settings(adapter: str) -> None:
    address = "http://127.0.0.1:1" if adapter == "platform" else "127.0.0.1:1"
    made = registry_of(
        RegistrySettings(adapter=adapter, address=address, platform_credential="qtc-1", platform_secret=Secret("s"))
    )
    assert type(made).__name__.lower() == f"{adapter}registry"


def test_drivers_are_extras_that_there_are() -> None:
    for value in OFFERED.values():
        entry = metadata.EntryPoint(name="x", value=value, group=GROUP)
        assert set(entry.extras) <= PROJECT["optional-dependencies"].keys()


async def test_a_directory_keeps_its_copy_where_the_settings_say(tmp_path: Path) -> None:
    told = RegistrySettings(address=fresh_name("space"), tenant="acme", copies=str(tmp_path / "copies"))
    async with registry_of(told) as registry:
        await registry.register("order", node("a"))
        async with directory_of(registry, "order", told) as directory:
            await until((tmp_path / "copies" / "acme~order.nodes").exists)
            assert [one.name for one in directory.snapshot.nodes] == ["a"]


async def test_no_time_for_suspects_turns_protection_off() -> None:
    told = RegistrySettings(address=fresh_name("space"), suspected_for=timedelta(0))
    async with registry_of(told) as registry:
        await registry.register("order", node("a"))
        async with directory_of(registry, "order", told) as directory:
            await until(lambda: directory.snapshot.nodes)
            await registry.deregister("order", "a")
            await until(lambda: not directory.snapshot.nodes)


def test_settings_are_read_as_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {field.name for field in settings.fields({"registry": RegistrySettings})}
    assert {"registry.adapter", "registry.address", "registry.tenant", "registry.zookeeper_auth"} <= names
    monkeypatch.undo()
    with pytest.raises(errors.MisconfiguredError, match="nothing called 'nonsense'"):
        registry_of(RegistrySettings(adapter="nonsense"))


@pytest.mark.parametrize("tenant", ["../evil", "", "a/b", "UPPER"])
@pytest.mark.parametrize("adapter", sorted(OFFERED))
def test_a_tenant_that_is_no_name_is_refused(adapter: str, tenant: str) -> None:
    with pytest.raises(errors.MisconfiguredError, match="tenant"):
        registry_of(RegistrySettings(adapter=adapter, address="127.0.0.1:1", tenant=tenant))
