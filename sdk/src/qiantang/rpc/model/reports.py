"""Reports: what became of rules and routes that were delivered. One that cannot be read leaves its last good state in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from qiantang.kernel import errors

T = TypeVar("T")


class Report(NamedTuple):
    """Those in force as they were delivered, and of each other one why its last good state counts, or nothing does."""

    applied: tuple[str, ...]
    problems: Mapping[str, str]


def read_all(
    documents: Mapping[str, bytes], held: Mapping[str, T], read: Callable[[str, bytes], T]
) -> tuple[dict[str, T], dict[str, str]]:
    """Read documents by id; give what counts from now on, in order of id, and the problems. `held` is what counted before."""
    good: dict[str, T] = {}
    problems: dict[str, str] = {}
    for name, document in sorted(documents.items()):
        try:
            good[name] = read(name, document)
        except errors.InvalidRequestError as error:
            there = name in held
            problems[name] = f"{error.detail}; {'its last good state counts' if there else 'it does not count'}"
            if there:
                good[name] = held[name]
    return good, problems
