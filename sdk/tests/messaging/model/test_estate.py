"""The estate: what is written with all that it leaves out is read back as it is."""

from __future__ import annotations

import msgspec
import pytest

from qiantang.kernel import errors, wire
from qiantang.messaging.model.estate import FailureRule, RateLimit


@pytest.mark.parametrize(
    "one", [RateLimit(per_second=1), RateLimit(per_second=1, who="shop/till"), FailureRule(), FailureRule(topic="a")]
)
def test_what_is_left_out_may_be_written_as_empty(one: msgspec.Struct) -> None:
    assert wire.decode(wire.encode(one), type(one)) == one


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (RateLimit, {"per_second": 1, "who": "a/b/c"}),
        (RateLimit, {"per_second": 1, "who": "\n"}),
        (FailureRule, {"topic": "A"}),
        (FailureRule, {"center": "-"}),
    ],
)
def test_what_is_no_name_is_refused(model: type[msgspec.Struct], said: dict[str, object]) -> None:
    with pytest.raises(errors.InvalidRequestError):
        wire.convert(said, model)
