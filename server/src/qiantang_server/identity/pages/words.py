"""Words: what the pages of signing in say, in Chinese and in English."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

Language = Literal["zh", "en"]

_WORDS: dict[Language, dict[str, str]] = {
    language: msgspec.json.decode((Path(__file__).parent / f"words.{language}.json").read_bytes(), type=dict[str, str])
    for language in ("zh", "en")
}


class Words:
    """The words of one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._texts = _WORDS[language]

    def __call__(self, key: str, **values: str) -> str:
        """Give a text; every key is in both languages."""
        return self._texts[key].format(**values)

    def duration(self, seconds: float) -> str:
        """Say how long something lasts, rounded up."""
        if seconds <= 90:
            return self("seconds", count=str(max(1, -int(-seconds // 1))))
        return self("minutes", count=str(-int(-seconds // 60)))


def negotiated(accepted: str) -> Language:
    """Give the language that a browser's Accept-Language asks for first of those that there are; English for none."""
    best: tuple[float, Language] = (0.0, "en")
    for part in accepted[:1000].split(","):
        tag, _, quality = part.strip().partition(";")
        weight = _weight(quality)
        short = tag.strip().lower().partition("-")[0]
        if weight > best[0] and short in {"zh", "en"}:
            best = (weight, "zh" if short == "zh" else "en")
    return best[1]


def _weight(quality: str) -> float:
    name, _, value = quality.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        found = float(value)
    except ValueError:
        return 0.0
    return found if 0.0 <= found <= 1.0 else 0.0
