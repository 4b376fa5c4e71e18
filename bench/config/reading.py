"""Reading: one typed read from the bound view, beside a dynaconf and a pydantic-settings object with the same values."""

from __future__ import annotations

import statistics
import tempfile
import timeit
from pathlib import Path
from typing import Any

import dynaconf
import msgspec
import pydantic_settings

from bench.figures import Value, rounded
from qiantang.config.testing import FakeConfig

READS = 200_000
ROUNDS = 9
VALUES: dict[str, Any] = {"host": "db.example", "port": 5432, "timeout": 2.5, "debug": False}


class Model(msgspec.Struct):
    """What is bound."""

    host: str = ""
    port: int = 0
    timeout: float = 0.0
    debug: bool = True


class PydanticSettings(pydantic_settings.BaseSettings):
    """The same for pydantic-settings."""

    host: str = ""
    port: int = 0
    timeout: float = 0.0
    debug: bool = True


def _dynaconf(folder: str) -> Any:
    file = Path(folder) / "settings.toml"
    file.write_text("\n".join(f"{key} = {msgspec.json.encode(value).decode()}" for key, value in VALUES.items()))
    settings = dynaconf.Dynaconf(
        settings_files=[str(file)], validators=[dynaconf.Validator("timeout", cast=float, must_exist=True)]
    )
    settings.validators.validate()
    return settings


def measure() -> dict[str, Value]:
    """Time `settings.timeout` of each in turn, several rounds; the median of the rounds stands for each."""
    config = FakeConfig(VALUES)
    bound = config.bind(Model)
    with tempfile.TemporaryDirectory() as folder:
        read = {"qiantang": bound, "dynaconf": _dynaconf(folder), "pydantic": PydanticSettings(**VALUES)}
        for name, settings in read.items():
            if type(settings.timeout) is not float or settings.timeout != VALUES["timeout"]:
                raise AssertionError(f"{name} reads {settings.timeout!r}")
        timers = {name: timeit.Timer("settings.timeout", globals={"settings": one}) for name, one in read.items()}
        rounds: dict[str, list[float]] = {name: [] for name in timers}
        for _ in range(ROUNDS):
            for name, timer in timers.items():
                rounds[name].append(timer.timeit(READS) / READS * 1e9)
    took = {name: statistics.median(samples) for name, samples in rounds.items()}
    return {
        "read_ns": rounded(took["qiantang"]),
        "read_vs_dynaconf": rounded(took["qiantang"] / took["dynaconf"]),
        "read_vs_pydantic": rounded(took["qiantang"] / took["pydantic"]),
        "read_dynaconf_ns": rounded(took["dynaconf"]),
        "read_pydantic_ns": rounded(took["pydantic"]),
    }
