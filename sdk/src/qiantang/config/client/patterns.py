"""Patterns: which dotted keys a callback is for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from qiantang.kernel import errors

ANY = "*"


class Pattern:
    """A pattern of dotted keys.

    "db.url" is that key and everything below it, "db.*" everything below db, "*" everything; a star in the middle
    ("db.*.url") stands for exactly one step.

    Raises, when made:
        MisconfiguredError: it is empty, or has an empty step or a star beside other letters.
    """

    __slots__ = ("_below", "_steps", "text")

    def __init__(self, text: str) -> None:
        steps = text.split(".")
        if any(not step or (ANY in step and step != ANY) for step in steps):
            raise errors.MisconfiguredError(
                f"{text[:200]!r} is not a pattern of keys: write a key such as db.url, or db.* for all below db, or *"
            )
        self.text = text
        self._below = steps[-1] == ANY
        self._steps = steps[:-1] if self._below else steps

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    def matches(self, key: str) -> bool:
        """Say whether it is for the key; the empty key, a text as a whole, is met by "*" alone."""
        if not self._steps:
            return True
        steps = key.split(".")
        if len(steps) < len(self._steps) + self._below:
            return False
        return all(wanted in {ANY, step} for wanted, step in zip(self._steps, steps, strict=False))

    def among(self, keys: Iterable[str]) -> Iterator[str]:
        """Go through the keys that it is for."""
        return (key for key in keys if self.matches(key))
