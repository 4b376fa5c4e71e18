"""Routes: how people write them. Each narrows the nodes that a call may go to, before one of them is picked.

They are taken in a fixed order, whatever their names: versions, conditions, tags, gray, zones; among routes of one sort the higher
priority first. A route that would leave no node is passed over, unless it is forced: then the call fails.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from qiantang.kernel import wire
from qiantang.registry.model import ServiceName, Word

Value = Annotated[str, msgspec.Meta(max_length=256)]
Path = Annotated[
    str,
    msgspec.Meta(
        max_length=200,
        description="name of the header or the tag, or the path of an argument with dots in it, as in req.user_id",
    ),
]
Range = Annotated[
    str,
    msgspec.Meta(max_length=200, description="comparisons that all hold, with commas between them, as in >=1.2,<2"),
]
Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
Operator = Literal["equals", "in", "prefix", "range"]


class Comparison(wire.Command, frozen=True, kw_only=True):
    """What a text is held against. `range` compares versions as versions, everything else as numbers.

    What is not there fits nothing, so that it fits every comparison that is negated.
    """

    operator: Annotated[
        Operator,
        msgspec.Meta(
            description="equals: the one value; in: one of the values; prefix: begins with one; range: in one"
        ),
    ] = "equals"
    values: Annotated[list[Value], msgspec.Meta(min_length=1, max_length=64, description="what it is held against")]
    negate: Annotated[bool, msgspec.Meta(description="holds where it otherwise would not")] = False


class Condition(Comparison, frozen=True, kw_only=True):
    """What must be so of a call for a route to apply to it."""

    of: Annotated[
        Literal["method", "consumer", "argument", "header", "tag"],
        msgspec.Meta(description="the method, the calling application, an argument, a header or a tag of the call"),
    ]
    name: Path = ""


class Target(Comparison, frozen=True, kw_only=True):
    """What must be so of a node for the call to go to it."""

    of: Annotated[
        Literal["tag", "zone", "cluster", "version", "group", "node"],
        msgspec.Meta(
            description="a tag, the zone, the cluster or the name of the node; version or group of its service"
        ),
    ]
    name: Annotated[Word, msgspec.Meta(description="name of the tag")] = ""


Conditions = Annotated[
    list[Condition], msgspec.Meta(max_length=32, description="what must all be so of a call; none for every call")
]
Targets = Annotated[
    list[Target], msgspec.Meta(min_length=1, max_length=32, description="what must all be so of a node")
]


class VersionRoute(wire.Command, frozen=True, kw_only=True):
    """Calls go to nodes whose service is of these versions and of this group."""

    when: Conditions = []
    versions: Range = ""
    group: Annotated[Word, msgspec.Meta(description="the group; empty for any")] = ""


class ConditionRoute(wire.Command, frozen=True, kw_only=True):
    """Calls of which something is so go to nodes of which something is so."""

    when: Conditions = []
    to: Targets


class TagRoute(wire.Command, frozen=True, kw_only=True):
    """Calls with a tag go to nodes that have it with the same value; calls without it to nodes without it.

    Where no node has the value, a call goes to nodes without the tag, unless the route is forced.
    """

    tag: Annotated[str, msgspec.Meta(min_length=1, max_length=128, description="name of the tag")] = "lane"


class GrayRoute(wire.Command, frozen=True, kw_only=True):
    """A percentage of calls goes to these nodes, and all others do not.

    Equal keys go the same way, in all processes; a higher percentage only adds keys. Calls without the key are not among them.
    """

    when: Conditions = []
    percent: Annotated[Percent, msgspec.Meta(description="percent of keys that are among them")]
    key: Annotated[
        Literal["key", "consumer", "argument", "header", "tag"],
        msgspec.Meta(
            description="what decides: the call's key, its application, an argument, a header or a tag of the call"
        ),
    ] = "key"
    key_name: Path = ""
    to: Targets


class ZoneRoute(wire.Command, frozen=True, kw_only=True):
    """Calls stay in the zone of their caller while it can take them; else they go to all zones.

    Forced, they never leave it.
    """

    healthy_percent: Annotated[
        Percent, msgspec.Meta(description="percent of the zone's weight that must be healthy for calls to stay")
    ] = 70.0
    capacity_percent: Annotated[
        Percent, msgspec.Meta(description="percent of all healthy weight that the zone must have for calls to stay")
    ] = 0.0


Section: TypeAlias = VersionRoute | ConditionRoute | TagRoute | GrayRoute | ZoneRoute
SECTIONS: Final = ("version", "condition", "tag", "gray", "zone")
"""The sorts of routes, in the order in which they are taken: each is a section, and a route has exactly one."""


class Route(wire.Command, frozen=True, kw_only=True):
    """The body of a resource of kind "route"."""

    services: Annotated[
        list[ServiceName], msgspec.Meta(max_length=64, description="services it is about; none for all")
    ] = []
    priority: Annotated[
        int, msgspec.Meta(ge=-1000, le=1000, description="the higher first, among routes of one sort")
    ] = 0
    enabled: Annotated[bool, msgspec.Meta(description="a route that is not enabled does nothing")] = True
    force: Annotated[
        bool, msgspec.Meta(description="calls fail where no node is left, in place of passing the route over")
    ] = False
    public: Annotated[
        bool, msgspec.Meta(description="for applications that name this one as a source; names its services then")
    ] = False
    version: VersionRoute | None = None
    condition: ConditionRoute | None = None
    tag: TagRoute | None = None
    gray: GrayRoute | None = None
    zone: ZoneRoute | None = None
    description: Annotated[str, msgspec.Meta(max_length=4000)] = ""

    def __post_init__(self) -> None:
        given = [name for name in SECTIONS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a route has one of {', '.join(SECTIONS)}; this one has {' and '.join(given) or 'none'}")
        if self.public and not self.services:
            raise ValueError("a public route is about services of this application: name them")

    @property
    def sort(self) -> str:
        """The name of its section."""
        return next(name for name in SECTIONS if getattr(self, name) is not None)

    @property
    def section(self) -> Section:
        """What it does."""
        found: Section = getattr(self, self.sort)
        return found
