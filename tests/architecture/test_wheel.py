"""The sdk's wheel in an environment of its own: what an application pays for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
UV = ROOT / ".boot" / "bin" / "uv"
BUDGET_MODULES = 250
BUDGET_PACKAGES = 5
PROBE = """
import json, sys, sysconfig
before = set(sys.modules)
import qiantang
face = sorted(set(sys.modules))
from qiantang import App
site = sysconfig.get_path("purelib")
def packages(names):
    found = set()
    for name in names:
        file = getattr(sys.modules.get(name), "__file__", None) or ""
        if file.startswith(site):
            found.add(name.partition(".")[0])
    return sorted(found - {"qiantang"})
print(json.dumps({"face": len(face), "whole": len(sys.modules), "packages": packages(list(sys.modules)),
                  "names": sorted(name.partition(".")[0] for name in sys.modules)}))
"""


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("wheel")

    def uv(*arguments: str) -> None:
        done = subprocess.run([str(UV), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    uv("build", "--quiet", "--wheel", "--out-dir", str(folder), "sdk")
    wheel = next(folder.glob("*.whl"))
    uv("venv", "--quiet", "--python", sys.executable, str(folder / "venv"))
    python = folder / "venv" / "bin" / "python"
    uv("pip", "install", "--quiet", "--python", str(python), "--constraint", "requirements.lock", str(wheel))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    told = subprocess.run([str(python), "-c", PROBE], capture_output=True, text=True, check=True, env=clean, cwd=folder)
    return json.loads(told.stdout)


@pytest.mark.process
def test_the_face_is_light(probed: dict[str, Any]) -> None:
    assert probed["face"] <= BUDGET_MODULES


@pytest.mark.process
def test_an_application_brings_few_packages_and_nothing_of_a_server(probed: dict[str, Any]) -> None:
    assert len(probed["packages"]) <= BUDGET_PACKAGES, probed["packages"]
    assert not {"sqlalchemy", "litestar", "uvicorn", "click", "yaml", "kazoo", "pydantic"} & set(probed["names"])
