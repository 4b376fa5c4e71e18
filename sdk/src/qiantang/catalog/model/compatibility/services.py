"""Services: what taking a service's definition in place of an earlier one means for those who call it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from qiantang.catalog.model.compatibility.finding import BREAKING, COMPATIBLE, UNCLEAR, Finding
from qiantang.catalog.model.compatibility.types import Place, Types
from qiantang.kernel import wire
from qiantang.rpc.model.definition import MethodDocument, MethodOptions, ServiceDocument

MOST_FINDINGS: Final = 500
_ORDER: Final = {BREAKING: 0, UNCLEAR: 1, COMPATIBLE: 2}
_HARMLESS: Final = frozenset({"timeout", "hash_key", "priority"})
"""Options that say how a call is treated, and nothing of what callers may count on."""
_TYPED: Final = frozenset({"name", "arguments", "result", "options", "description"})


def compare(before: ServiceDocument, after: ServiceDocument) -> list[Finding]:
    """List what a change means, what is breaking first; nothing where both mean the same. Never fails, whatever they hold."""
    found = [*_service(before, after)]
    old, new = {one.name: one for one in before.methods}, {one.name: one for one in after.methods}
    found += [Finding(level=BREAKING, path=name, what="the method was removed") for name in old if name not in new]
    found += [Finding(level=COMPATIBLE, path=name, what="a method is new") for name in new if name not in old]
    types = Types(before.schemas, after.schemas)
    for name in (name for name in old if name in new):
        if old[name] == new[name] and before.schemas == after.schemas:
            continue
        found += _options(name, old[name], new[name])
        types.compare(old[name].arguments, new[name].arguments, Place(f"{name}.arguments", taken=True))
        items = old[name].item, new[name].item
        if items[0] is not None and items[1] is not None:
            types.compare(items[0], items[1], Place(f"{name}.item", taken=True))
        types.compare(old[name].result, new[name].result, Place(f"{name}.result", taken=False))
    found += types.findings
    return sorted(dict.fromkeys(found), key=lambda one: (_ORDER[one.level], one.path))[:MOST_FINDINGS]


def is_breaking(findings: Iterable[Finding]) -> bool:
    """Say whether a change breaks what was promised."""
    return any(one.level == BREAKING for one in findings)


def _service(before: ServiceDocument, after: ServiceDocument) -> list[Finding]:
    return [
        Finding(level=BREAKING, path="", what=f"the {what} was {old}, is {new}")
        for what, old, new in (("name", before.name, after.name), ("group", before.group, after.group))
        if old != new
    ]


def _options(name: str, old: MethodDocument, new: MethodDocument) -> list[Finding]:
    found: list[Finding] = []
    for one in msgspec.structs.fields(MethodOptions):
        before, after = getattr(old.options, one.name), getattr(new.options, one.name)
        if before != after:
            level = COMPATIBLE if one.name in _HARMLESS else BREAKING
            found.append(Finding(level=level, path=name, what=f"{one.name} was {_said(before)}, is {_said(after)}"))
    # whatever else a method says is how it is called, such as in a stream
    others = [one.name for one in msgspec.structs.fields(MethodDocument) if one.name not in _TYPED]
    return found + [
        Finding(level=BREAKING, path=name, what=f"{other} changed: it is called in another way")
        for other in others
        if getattr(old, other) != getattr(new, other)
    ]


def _said(value: object) -> str:
    return wire.encode(value).decode()[:80]
