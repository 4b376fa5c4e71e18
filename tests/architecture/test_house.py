"""What no import contract can say: sizes, names, documents, and the lock."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import conftest

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "sdk/src", ROOT / "server/src"]
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc", "impl"}
MODULE_LIMIT = 800
FUNCTION_LIMIT = 80
MAX_FILES_IN_A_ROOM = 60


def modules() -> list[Path]:
    return sorted(path for source in SOURCES for path in source.rglob("*.py"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_keeps_to_the_house_rules(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert path.stem not in FORBIDDEN_NAMES, "the name says nothing"
    assert len(text.splitlines()) <= MODULE_LIMIT, "split it into a folder of the same name"
    if "migrations" not in str(path):
        assert ast.get_docstring(tree), "say in one sentence what its role in the house is"
    for function in functions(tree):
        length = (function.end_lineno or 0) - function.lineno + 1
        if "migrations" not in str(path):
            assert length <= FUNCTION_LIMIT, f"{function.name} has {length} lines"


def test_public_classes_state_their_promise() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in modules()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert not silent


def test_imports_stand_at_the_top() -> None:
    """A driver inside its adapter, and what the face of a package loads by name, are the only exceptions."""
    hidden = []
    for path in modules():
        if "adapters" in path.parts or path.name == "__init__.py":
            continue
        tree = ast.parse(path.read_text())
        for function in functions(tree):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    line = path.read_text().splitlines()[node.lineno - 1]
                    if "noqa: PLC0415" not in line:
                        hidden.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not hidden


def test_every_room_has_its_page() -> None:
    pages = {path.stem for path in (ROOT / "docs/capabilities").glob("*.md")}
    rooms = {path.parent.name for path in (ROOT / "server/src/qiantang_server").glob("*/capability.py")} - {"kernel"}
    named = {"config": "configuration"}
    assert {named.get(room, room) for room in rooms} <= pages


def test_the_floors_in_the_documents_are_those_of_the_contracts() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    text = (ROOT / "docs/architecture.md").read_text()
    for name in ("floors-sdk", "floors-server", "kernel-sdk", "kernel-server"):
        layers = next(one["layers"] for one in contracts if one["id"] == name)
        written = re.search(rf"<!-- {name} -->\n```\n(.*?)```", text, re.DOTALL)
        assert written is not None, f"docs/architecture.md shows {name}"
        shown = [re.sub(r"^\d+\s+", "", line).strip() for line in written.group(1).strip().splitlines()]
        assert shown == [layer.replace("(", "").replace(")", "") for layer in layers]


def test_locks_name_no_address() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert not [line for line in lines if "://" in line and not line.lstrip().startswith("#")]
    assert all(" --hash=" in line or line.startswith((" ", "#")) or "\\" in line for line in lines if line.strip())


def test_nothing_names_a_registry_or_a_place_of_one_machine() -> None:
    hosts = [
        r"registry\.npm" + "js",
        "pypi" + r"\.org",
        "python" + "hosted",
        r"repo1?\." + "maven",
        "deb" + r"\.debian",
    ]
    pattern = "|".join([*hosts, r"(^|[^a-z0-9])/wo" + "rk/"])
    found = subprocess.run(
        ["git", "grep", "-nIE", pattern, "--", ".", ":!tests/architecture"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""


def test_the_files_that_make_check_leaves_out_are_there() -> None:
    missing = [name for name in conftest.THOROUGH if not (ROOT / name).exists()]
    assert not missing, "moved or renamed: say so in conftest.py"
