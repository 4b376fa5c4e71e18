"""The page of the registry: its first program runs, its settings are those that there are, and what it names is offered."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from qiantang import registry
from qiantang.kernel import settings
from qiantang.registry.settings import RegistrySettings

PAGE = (Path(__file__).parents[3] / "docs/capabilities/registry.md").read_text()


def test_the_first_program_does_what_it_says() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("[{'csf1': '127.0.0.1:9000'}]\n", "")


def test_every_setting_is_on_the_page() -> None:
    table = PAGE.partition("## Settings")[2].partition("## ")[0]
    assert {
        field.key for field in settings.fields({"registry": RegistrySettings}) if f"`{field.key}`" not in table
    } == set()


@pytest.mark.parametrize("name", sorted(registry._HOMES))
def test_each_name_of_the_face_is_there(name: str) -> None:
    assert getattr(registry, name).__name__ == name


def test_no_other_name_is() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = registry.nonsense
