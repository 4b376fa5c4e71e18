"""Topics as they are written, and who may follow them."""

from __future__ import annotations

import pytest

from qiantang.kernel import errors
from qiantang_server.kernel.watch.topics.topic import MAX_TOPICS, Topic, topics_of, wanted
from server.tests.kernel.resources.notes import BUNDLE, KINDS
from server.tests.kernel.watch.overview.conftest import NOBODY, OWNER, READER

ORDER = "bundle:acme/dev/trade/order/test"


@pytest.mark.parametrize("text", ["work:acme", "bundles:acme", ORDER])
def test_a_topic_reads_as_it_is_written(text: str) -> None:
    assert str(Topic.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "work",
        "work:",
        "work:*",
        "work:a/b",
        "bundle:acme",
        "bundle:a/b/c/d",
        "bundle:a/b/c/d/e/f",
        "x:acme",
        "🌊:acme",
    ],
)
def test_what_is_no_topic_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidRequestError):
        Topic.parse(text)


def test_who_may_follow_what() -> None:
    for who, expected in (
        (OWNER, {"work:acme", ORDER}),
        (READER, {"work:acme", ORDER}),
        (NOBODY, {"work:acme", "work:other"}),
    ):
        asked = ["work:acme", "work:other", ORDER, "bundle:acme/dev/trade/order/none", "bundle:other/dev/trade/x/none"]
        assert {one for one in asked if Topic.parse(one).may_be_followed(who, KINDS)} == expected


def test_a_bundle_is_told_of_in_three_topics() -> None:
    assert [str(one) for one in topics_of(BUNDLE)] == [ORDER, "bundles:acme", "work:acme"]


def test_a_stream_follows_some_topics_and_not_too_many() -> None:
    assert wanted(" work:acme,,work:acme,x ") == ["work:acme", "x"]
    for text in ("", ",", ",".join(f"t{n}" for n in range(MAX_TOPICS + 1))):
        with pytest.raises(errors.InvalidRequestError):
            wanted(text)
