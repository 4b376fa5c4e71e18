"""Types: what a change of a type means where it is taken (arguments) and where it is given (results).

What is taken may become wider: callers of before say what they said. What is given may only get further optional fields: callers
of before pass over what they do not know. Anything else is breaking, a field that goes away always: who sends it counts on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from qiantang.catalog.model.compatibility import bounds
from qiantang.catalog.model.compatibility.finding import BREAKING, COMPATIBLE, UNCLEAR, Finding, Level
from qiantang.catalog.model.compatibility.shapes import MORE, Shape, alternatives, covers, mapping, names, values

MOST_STEPS: Final = 20_000
DEEPEST: Final = 60
MOST_NAMES: Final = 50
_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a definition; `taken` where callers send it."""

    path: str
    taken: bool
    depth: int = 0

    def below(self, part: str) -> Place:
        """Go into a part."""
        return Place(f"{self.path}{part}", self.taken, self.depth + 1)


@dataclass(slots=True)
class Types:
    """Compares types of two definitions; structs that refer to themselves are looked at once, and the work is bounded."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    findings: list[Finding] = field(default_factory=list[Finding])
    _seen: set[tuple[str, str, bool]] = field(default_factory=set[tuple[str, str, bool]])
    _steps: int = 0
    _ended: bool = False

    def compare(self, old: Any, new: Any, at: Place) -> None:
        """Note what separates two types."""
        if self._ended or at.depth > DEEPEST or self._steps > MOST_STEPS:
            if not self._ended:
                self._note(UNCLEAR, at, "too large or too deep to be compared further")
            self._ended = self._ended or self._steps > MOST_STEPS
            return
        left, right = alternatives(old, self.before), alternatives(new, self.after)
        self._steps += 1 + len(left) * len(right) // 20 + sum(one.weight for one in (*left, *right))
        if MORE in {one.sort for one in (*left, *right)}:
            self._note(UNCLEAR, at, "has more alternatives than are compared")
        pairs = _pairs(left, right)
        for one, other in pairs:
            self._pair(one, other, at)
        paired = {id(one) for pair in pairs for one in pair}
        self._unpaired(left, right, paired, at)

    def _unpaired(self, left: Sequence[Shape], right: Sequence[Shape], paired: set[int], at: Place) -> None:
        lost = [one for one in left if id(one) not in paired and not any(covers(other, one) for other in right)]
        gained = [one for one in right if id(one) not in paired and not any(covers(other, one) for other in left)]
        if lost and gained:
            self._note(BREAKING, at, f"the type was {_listed(left)}, is {_listed(right)}")
        elif lost:
            self._note(BREAKING, at, f"{'takes' if at.taken else 'gives'} {_listed(lost)} no longer")
        elif gained and at.taken:
            self._note(COMPATIBLE, at, f"takes {_listed(gained)} as well")
        elif gained:
            self._note(BREAKING, at, f"may give {_listed(gained)}, which callers do not expect")

    def _pair(self, one: Shape, other: Shape, at: Place) -> None:
        key = (one.name, other.name, at.taken)
        if one.name and other.name:
            if key in self._seen:
                return
            self._seen.add(key)
        for change, words in bounds.changes(one.schema, other.schema):
            self._bound(change, words, at)
        inside = _INSIDE.get(one.sort)
        if inside is not None:
            inside(self, one.schema, other.schema, at)

    def _bound(self, change: bounds.Change, words: str, at: Place) -> None:
        if change == "unclear":
            self._note(UNCLEAR, at, words)
        else:
            self._note(COMPATIBLE if change == "wider" and at.taken else BREAKING, at, words)

    def enum(self, old: dict[str, Any], new: dict[str, Any], at: Place) -> None:
        """Compare the values of enumerations."""
        gone, come = sorted(values(old) - values(new)), sorted(values(new) - values(old))
        if gone:
            self._note(BREAKING, at, f"{'takes' if at.taken else 'gives'} {_some(gone)} no longer")
        if come and at.taken:
            self._note(COMPATIBLE, at, f"takes {_some(come)} as well")
        elif come:
            self._note(BREAKING, at, f"may give {_some(come)}, which callers do not know")

    def mapping(self, old: dict[str, Any], new: dict[str, Any], at: Place) -> None:
        """Compare the values of mappings."""
        self.compare(_open(old), _open(new), at.below("{}"))

    def items(self, old: dict[str, Any], new: dict[str, Any], at: Place) -> None:
        """Compare the items of lists."""
        self.compare(old.get("items", {}), new.get("items", {}), at.below("[]"))

    def prefix(self, old: dict[str, Any], new: dict[str, Any], at: Place) -> None:
        """Compare tuples, and structs that travel as one, item by item."""
        left, right = old["prefixItems"], new["prefixItems"]
        for number, (one, other) in enumerate(zip(left, right, strict=False)):
            self.compare(one, other, at.below(f"[{number}]"))
        if len(right) < len(left):
            self._note(BREAKING, at, f"has {len(right)} items, had {len(left)}")
        elif len(right) > len(left):
            self._note(COMPATIBLE, at, f"may have {len(right)} items, had {len(left)}")

    def fields(self, old: dict[str, Any], new: dict[str, Any], at: Place) -> None:
        """Compare structs field by field."""
        left, right = mapping(old["properties"]), mapping(new["properties"])
        needed, wanted = names(old.get("required")), names(new.get("required"))
        come = [name for name in right if name not in left]
        for name, schema in left.items():
            if name not in right:
                self._note(BREAKING, at.below(f".{name}"), f"the field was removed{_renamed(schema, right, come)}")
                continue
            self._required(at.below(f".{name}"), before=name in needed, after=name in wanted)
            self._default(schema, right[name], at.below(f".{name}"))
            self.compare(schema, right[name], at.below(f".{name}"))
        for name in come:
            self._added(at.below(f".{name}"), required=name in wanted, closed=old.get("additionalProperties") is False)
        self._further(old, new, at)

    def _added(self, at: Place, *, required: bool, closed: bool) -> None:
        if required:
            who = "callers do not send" if at.taken else "nodes of before do not give"
            self._note(BREAKING, at, f"a field that must be there is new, which {who}")
        elif closed and not at.taken:
            self._note(BREAKING, at, "a field is new, and callers refuse fields that they do not know")
        else:
            self._note(COMPATIBLE, at, "an optional field is new")

    def _required(self, at: Place, *, before: bool, after: bool) -> None:
        if after and not before:
            self._note(BREAKING, at, "the field must be there now, and could be left out")
        elif before and not after:
            self._note(COMPATIBLE if at.taken else BREAKING, at, "the field may be left out now")

    def _default(self, old: Any, new: Any, at: Place) -> None:
        before, after = mapping(old).get("default", _MISSING), mapping(new).get("default", _MISSING)
        if at.taken and _MISSING not in (before, after) and before != after:
            words = f"who leaves it out says {after!r}, and said {before!r}"
            self._note(UNCLEAR, at, words[:300])

    def _further(self, old: dict[str, Any], new: dict[str, Any], at: Place) -> None:
        """Compare what is said of fields that are not named."""
        before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if before == after:
            return
        if isinstance(before, dict) and isinstance(after, dict):
            self.compare(before, after, at.below("{}"))
        elif after is False and at.taken:
            self._note(UNCLEAR, at, "refuses fields that it does not know; callers may send some")
        else:
            self._note(COMPATIBLE, at, "says otherwise what becomes of fields that are not known")

    def _note(self, level: Level, at: Place, what: str) -> None:
        self.findings.append(Finding(level=level, path=at.path[:400], what=what))


_INSIDE: Final[Mapping[str, Callable[[Types, dict[str, Any], dict[str, Any], Place], None]]] = {
    "enum": Types.enum,
    "mapping": Types.mapping,
    "items": Types.items,
    "prefix": Types.prefix,
    "fields": Types.fields,
}


def _pairs(left: Sequence[Shape], right: Sequence[Shape]) -> list[tuple[Shape, Shape]]:
    """Give which alternatives are the same thing: of one sort, by their names first."""
    found: list[tuple[Shape, Shape]] = []
    rest = list(right)
    waiting: list[Shape] = []
    for one in left:
        other = next((two for two in rest if one.name and (two.name, two.sort) == (one.name, one.sort)), None)
        if other is None:
            waiting.append(one)
        else:
            rest.remove(other)
            found.append((one, other))
    for one in waiting:
        alike = [two for two in rest if two.sort == one.sort]
        # of several structs nobody can say which became which
        alone = one.sort != "fields" or (len(alike) == 1 and [two.sort for two in waiting].count("fields") == 1)
        if alike and alone:
            rest.remove(alike[0])
            found.append((one, alike[0]))
    return found


def _renamed(schema: Any, right: Mapping[str, Any], come: Sequence[str]) -> str:
    """Say which new field may be the one that was removed, where it can be only one."""
    same = [name for name in come[:MOST_NAMES] if right[name] == schema]
    return f", or renamed to {same[0]}" if len(same) == 1 else ""


def _open(schema: dict[str, Any]) -> Any:
    return schema.get("additionalProperties", {})


def _listed(shapes: Sequence[Shape]) -> str:
    return " or ".join(dict.fromkeys(str(one) for one in shapes))[:300]


def _some(found: Sequence[str]) -> str:
    return ", ".join(found)[:300]
