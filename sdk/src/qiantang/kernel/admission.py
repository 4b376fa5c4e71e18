"""Admission: who may, by white and black lists of centers and applications. Pure."""

from __future__ import annotations

from collections.abc import Collection


def names_of(center: str, application: str) -> tuple[str, str]:
    """Give the names by which somebody is meant: the application's, which says more, then the center's."""
    return f"{center}/{application}", center


def may(center: str, application: str, allowed: Collection[str], refused: Collection[str]) -> bool:
    """Say whether an application may: nobody refuses it, and the allowed, where there are any, name it."""
    names = names_of(center, application)
    if any(name in refused for name in names):
        return False
    return not allowed or any(name in allowed for name in names)
