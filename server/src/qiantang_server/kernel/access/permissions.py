"""Permissions: the closed set that the capabilities declare, and the wildcards that roles write over it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping

from qiantang.kernel import errors

VERBS = frozenset(
    {
        "approve",
        "create",
        "delete",
        "execute",
        "grant",
        "list",
        "publish",
        "read",
        "reveal",
        "rollback",
        "update",
    }
)
_declared = re.compile(r"([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*):([a-z]+)")
_written = re.compile(r"!?(?:\*|([a-z][a-z0-9_]*|\*)\.([a-z][a-z0-9_]*|\*)):([a-z]+|\*)")


class Permissions(Mapping[str, str]):
    """Every permission there is, `"<capability>.<kind>:<verb>"`, with one line of meaning. Never changes
    after start.

    Raises:
        MisconfiguredError: a name is not of that form or its verb is not one of `VERBS`.
    """

    def __init__(self, declared: Mapping[str, str]) -> None:
        for name in declared:
            parts = _declared.fullmatch(name)
            if parts is None or parts[3] not in VERBS:
                raise errors.MisconfiguredError(
                    f"{name!r} is not a permission: write <capability>.<kind>:<verb> with one of "
                    f"{', '.join(sorted(VERBS))}"
                )
        self._meanings = dict(sorted(declared.items()))
        self._expanded: dict[str, frozenset[str]] = {}

    def __getitem__(self, name: str) -> str:
        return self._meanings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._meanings)

    def __len__(self) -> int:
        return len(self._meanings)

    def expand(self, written: Iterable[str]) -> frozenset[str]:
        """Give what a role's lines come to: all that match one, without all that match one beginning with
        `!`.

        A line that matches nothing (its capability is not installed) counts for nothing.
        """
        allowed: frozenset[str] = frozenset()
        refused: frozenset[str] = frozenset()
        for line in written:
            if line.startswith("!"):
                refused |= self._matching(line[1:])
            else:
                allowed |= self._matching(line)
        return allowed - refused

    def check(self, written: Iterable[str]) -> None:
        """Refuse lines that are badly formed or match nothing: said while somebody is there to mend them.

        Raises:
            InvalidRequestError: with one problem per line.
        """
        problems = [errors.Problem(self._wrong(line), path=line[:120]) for line in written if self._wrong(line)]
        if problems:
            raise errors.InvalidRequestError("some permissions are not known", problems=problems)

    def _wrong(self, line: str) -> str:
        if not _written.fullmatch(line):
            return "not a permission: write <capability>.<kind>:<verb>, '*' for any part, '!' to take away"
        if self._matching(line.removeprefix("!")):
            return ""
        near = difflib.get_close_matches(line, self._meanings, n=1)
        return "matches no permission" + (f"; did you mean {near[0]}?" if near else "")

    def _matching(self, line: str) -> frozenset[str]:
        known = self._expanded.get(line)
        if known is None:
            known = frozenset(name for name in self._meanings if _matches(line, name))
            if len(self._expanded) < 10_000:
                self._expanded[line] = known
        return known


def _matches(line: str, name: str) -> bool:
    kinds, _, verb = line.rpartition(":")
    parts = _declared.fullmatch(name)
    if parts is None or verb not in ("*", parts[3]):
        return False
    if kinds == "*":
        return True
    capability, _, kind = kinds.partition(".")
    return capability in ("*", parts[1]) and kind in ("*", parts[2])
