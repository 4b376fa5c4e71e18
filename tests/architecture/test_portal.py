"""The portal keeps to its floors, its words are the same in both languages, and its client is what the server says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qiantang_server.app.catalog import CAPABILITIES
from qiantang_server.app.process import declared_permissions
from qiantang_server.app.sections import sections
from qiantang_server.identity.rules.roles import BUILT_IN
from qiantang_server.kernel.resources import Kinds

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "portal/web/src"
FLOORS = ["kit", "shell", "api", "life"]
"""From the bottom; every other folder is a capability, which stands on all of these and on no other capability."""
ONLY_KIT = {"antd", "uplot", "@codemirror", "@lezer"}
COMPOSES = {"main.tsx", "capabilities.ts"}


def sources() -> list[Path]:
    return sorted(path for suffix in ("ts", "tsx") for path in SOURCE.rglob(f"*.{suffix}"))


def imports(path: Path) -> Iterator[str]:
    text = re.sub(r"/\*.*?\*/|^\s*//.*$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    yield from re.findall(r"""(?:from\s+|import\s*\(\s*|^import\s+|new URL\(\s*)["']([^"']+)["']""", text, re.MULTILINE)


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_an_import_goes_down(path: Path) -> None:
    if path.name in COMPOSES:
        return
    own = room(path)
    for name in imports(path):
        if not name.startswith("."):
            assert own == "kit" or name.split("/")[0] not in ONLY_KIT, f"only kit/ may import {name}"
            continue
        other = room((path.parent / name).resolve())
        if other == own:
            continue
        assert other in FLOORS, f"{own} imports {name}: capabilities do not know each other"
        if own in FLOORS:
            assert FLOORS.index(other) < FLOORS.index(own), f"{own} imports {name}, which is above it"


def keys(texts: dict[str, Any], before: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in texts.items():
        one = re.sub("_(one|other)$", "", name)  # Chinese has no plural
        found |= keys(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{one}"}
    return found


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("en.json")), ids=lambda path: path.parent.name)
def test_both_languages_say_the_same(path: Path) -> None:
    english, chinese = (json.loads((path.parent / name).read_text()) for name in ("en.json", "zh.json"))
    assert keys(english) == keys(chinese)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("zh.json")), ids=lambda path: path.parent.name)
def test_chinese_is_written_as_agreed(path: Path) -> None:
    text = path.read_text()
    for word in ("您", "亲"):
        assert word not in text
    close = re.findall(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]", re.sub(r"\{\{\w+\}\}", " ", text))
    assert not close, "a space between Chinese and Latin letters"


def test_no_chinese_outside_of_the_texts() -> None:
    own_words = {"words.ts", "parts.words.ts", "codemirror.words.ts", "texts.ts", "Status.tsx"}
    found = [
        f"{path.relative_to(SOURCE)}:{number}"
        for path in sources()
        if path.name not in own_words and "test" not in path.name and room(path) != "gallery"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"[\u4e00-\u9fff]", line) and not re.search(r"alias|钱塘|中文|lang=|\"中\"|\\u4e00", line)
    ]
    assert not found


def test_colours_are_tokens() -> None:
    styles = [*SOURCE.rglob("*.css"), *(path for path in sources() if path.name not in {"tokens.ts", "schema.gen.ts"})]
    found = [
        f"{path.relative_to(SOURCE)}: {hit}"
        for path in styles
        if "test" not in path.name
        for hit in re.findall(r"#[0-9a-fA-F]{6}\b|#[0-9a-fA-F]{3}\b(?![\w-])|rgba?\(", path.read_text())
    ]
    assert not found


def test_the_lock_names_no_address() -> None:
    lock = json.loads((ROOT / "portal/web/package-lock.json").read_text())
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert packages
    assert not [name for name, one in packages.items() if "resolved" in one]
    assert all("integrity" in one for one in packages.values())


def test_the_client_is_what_the_server_says() -> None:
    command = [sys.executable, str(ROOT / "tools/portal_client.py"), "--check"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 0, said.stderr


def test_what_the_server_explains_is_said_in_chinese_too() -> None:
    """Each permission, built-in role, setting and kind of the server has its words, and none is left of those that went."""
    said: dict[str, str] = {}
    for path in SOURCE.rglob("meanings.zh.json"):
        said |= json.loads(path.read_text())
    kinds = Kinds(kind for room in CAPABILITIES for kind in room.kinds)
    settings = {f"setting.{section}.{one}" for section, model in sections().items() for one in model.__struct_fields__}
    roles = {f"role.{name}" for name in BUILT_IN}
    titles = {f"kind.{kind.capability}.{kind.name}" for room in CAPABILITIES for kind in room.kinds}
    homes = {f"capability.{room.name}" for room in CAPABILITIES if len(room.kinds) > 1}
    assert set(said) == declared_permissions(kinds).keys() | roles | settings | titles | homes
    assert all(re.search("[\u4e00-\u9fff]", text) for text in said.values())
