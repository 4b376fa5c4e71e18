"""Importing: what `import qiantang` costs in a clean environment that holds the built wheel and what it depends on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.children import ROOT
from bench.figures import Value, quantile, rounded

RUNS = 21
DEADLINE = 240.0
_PROGRAM = """
import sys, time
before = len(sys.modules)
began = time.perf_counter()
import qiantang
bare = time.perf_counter() - began
bare_modules = len(sys.modules)
from qiantang import App
everything = time.perf_counter() - began
modules = len(sys.modules)
import json
print(json.dumps({"bare": bare, "all": everything, "modules": modules,
                  "bare_modules": bare_modules, "before": before, "place": qiantang.__file__}))
"""


class NotBuiltError(Exception):
    """The wheel could not be built or installed."""


def measure() -> dict[str, Value]:
    """Build, install, and import in fresh processes with warm files; the median of several.

    `import qiantang` brings the rest at the first use of a name; what `from qiantang import App` takes, all that an application
    needs, is told beside it. What a bare interpreter has loaded is not counted.
    """
    with tempfile.TemporaryDirectory() as folder:
        python = _installed(Path(folder))
        runs = [json.loads(_said([str(python), "-I", "-c", _PROGRAM], Path(folder))) for _ in range(RUNS + 1)][1:]
    if not runs[0]["place"].startswith(folder):
        raise NotBuiltError(f"imported {runs[0]['place']} instead of the wheel")
    return {
        "sdk_import_ms": rounded(quantile([one["bare"] for one in runs], 0.5) * 1000),
        "sdk_import_modules": runs[-1]["bare_modules"] - runs[-1]["before"],
        "sdk_import_app_ms": rounded(quantile([one["all"] for one in runs], 0.5) * 1000),
        "sdk_import_app_modules": runs[-1]["modules"] - runs[-1]["before"],
    }


def _installed(folder: Path) -> Path:
    uv = _uv()
    _said([uv, "build", "--quiet", "--wheel", "--out-dir", str(folder / "dist"), str(ROOT / "sdk")], ROOT)
    wheel = next((folder / "dist").glob("*.whl"))
    _said([uv, "venv", "--quiet", "--python", sys.executable, str(folder / "clean")], ROOT)
    python = folder / "clean" / "bin" / "python"
    # only what the lock names, though without its hashes: the wheel itself has none there
    pins = folder / "pins.txt"
    pins.write_text(_pins(ROOT / "requirements.lock"))
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), "--constraint"]
    _said([*install, str(pins), str(wheel)], ROOT)
    return python


def _pins(lock: Path) -> str:
    lines = [line.partition("\\")[0].strip() for line in lock.read_text().splitlines()]
    return "\n".join(line for line in lines if "==" in line and not line.startswith(("#", "-")))


def _uv() -> str:
    own = ROOT / ".boot" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if found is None:
        raise NotBuiltError("uv is neither in .boot/bin nor in the path: `make check` sets it up")
    return found


def _said(argv: list[str], folder: Path) -> str:
    # the caller's QIANTANG_ settings and PYTHON variables would change what is imported
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("QIANTANG_", "PYTHON"))}
    done = subprocess.run(
        argv, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=DEADLINE
    )
    if done.returncode:
        raise NotBuiltError(f"{Path(argv[0]).name} {argv[1]}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout
