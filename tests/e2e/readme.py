"""Readme: the code blocks of a document as they are written, for tests that run them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"qiantang [a-z]")
_SPAN = re.compile(r"`(qiantang [^`\n]+)`")


class Block(NamedTuple):
    """A code block: its language, empty where none is named, and its text."""

    language: str
    text: str


def blocks(document: str) -> list[Block]:
    """Give the code blocks of a document of this repository."""
    return [Block(*found) for found in _FENCE.findall((ROOT / document).read_text())]


def block(document: str, containing: str) -> str:
    """Give the text of the only block that has this in it."""
    (found,) = (one.text for one in blocks(document) if containing in one.text)
    return found


def commands(document: str) -> list[str]:
    """Give every `qiantang …` that a document shows, in blocks and in its sentences."""
    lines = [line for one in blocks(document) if not one.language for line in one.text.splitlines()]
    text = _FENCE.sub("", (ROOT / document).read_text())
    return [one for one in (*lines, *_SPAN.findall(text)) if _COMMAND.match(one)]
