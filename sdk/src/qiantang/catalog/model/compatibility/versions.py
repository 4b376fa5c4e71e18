"""Versions: which ones promise to fit each other (semantic versioning)."""

from __future__ import annotations


def major(version: str) -> str:
    """Give the part of a version that changes where callers have to change: `1` of 1.4.0; `0.3` of 0.3.1, since before 1.0 the
    second number is that one.
    """
    first, dot, rest = version.partition("+")[0].partition(".")
    if first.isdecimal():
        first = str(int(first))
    second = rest.partition(".")[0].partition("-")[0]
    return f"0.{second}" if first == "0" and dot else first


def same_major(one: str, other: str) -> bool:
    """Say whether two versions promise to fit each other."""
    return major(one) == major(other)
