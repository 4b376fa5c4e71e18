"""Sharing: which physical queues of a group are whose. Pure, so that members that know the same come to the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def shares(members: Mapping[str, Collection[int]], queues: Collection[int]) -> dict[str, list[int]]:
    """Give each member its queues. `members` names, with each, the queues that it asks for; none means whichever.

    A queue goes to those who ask for it by number, else to those who take any, in turns by name. One that nobody may have is
    nobody's.
    """
    found: dict[str, list[int]] = {name: [] for name in members}
    free = sorted(name for name, wanted in members.items() if not wanted)
    for number in sorted(queues):
        asking = sorted(name for name, wanted in members.items() if number in wanted)
        candidates = asking or free
        if candidates:
            found[candidates[number % len(candidates)]].append(number)
    return found
