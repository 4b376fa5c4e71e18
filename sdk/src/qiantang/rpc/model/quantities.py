"""Quantities: what values of rules are, said once: their bounds, and what a person reads of them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from qiantang.kernel import scope

Share = Annotated[float, msgspec.Meta(ge=0, le=1, description="a share, 0 to 1; 0 switches it off")]
Positive = Annotated[float, msgspec.Meta(gt=0, le=1, description="a share above 0, up to 1")]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400, description="seconds")]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000, description="a number, from 1")]
PerSecond = Annotated[float, msgspec.Meta(gt=0, le=10_000_000, description="so many a second")]
_SERVICE = r"^[A-Za-z_][A-Za-z0-9_.-]*$(?!\n)"
_METHOD = r"^[A-Za-z_][A-Za-z0-9_]*$(?!\n)"
Service = Annotated[
    str, msgspec.Meta(pattern=scope.or_empty(_SERVICE), max_length=128, description="the name of a service; empty: all")
]
Method = Annotated[
    str, msgspec.Meta(pattern=scope.or_empty(_METHOD), max_length=64, description="the name of a method; empty: all")
]
Consumer = Annotated[
    str,
    msgspec.Meta(
        pattern=scope.or_empty(scope.WHO_PATTERN),
        max_length=129,
        description="who calls: a center, or an application of one: center/application; empty: everybody",
    ),
]
Argument = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$(?!\n)",
        max_length=128,
        description="where the value stands in the arguments, with dots: req.user_id",
    ),
]
Mode = Annotated[
    Literal["enforce", "shadow", "off"],
    msgspec.Meta(description="enforce it; shadow: count what it would refuse, and refuse nothing; off"),
]
