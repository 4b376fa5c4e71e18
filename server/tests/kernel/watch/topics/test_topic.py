"""Topics as they are written, and who may follow them."""

from __future__ import annotations

import pytest

from qiantang.kernel import errors
from qiantang_server.kernel.access import Target
from qiantang_server.kernel.watch.topics.topic import MAX_TOPICS, Row, Topic, may_hear, topics_of, wanted
from server.tests.kernel.resources.notes import BUNDLE, KINDS
from server.tests.kernel.watch.overview.conftest import NOBODY, OWNER, READER, person

ORDER = "bundle:acme/dev/trade/order/test"


@pytest.mark.parametrize("text", ["work:acme", "bundles:acme", ORDER, "list:acme/test.note", "list:*/test.note"])
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
        "list:acme",
        "list:acme/",
        "list:acme/user",
        "list:acme/test.note:list",
        "list:acme/test.note/x",
        "list:/test.note",
        "list:a/b/test.note",
        "list:acme/*.note",
        "🌊:acme",
    ],
)
def test_what_is_no_topic_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidRequestError):
        Topic.parse(text)


def test_who_may_follow_what() -> None:
    for who, expected in (
        (OWNER, {"work:acme", "list:acme/test.note", "list:*/test.note", ORDER}),
        (READER, {"work:acme", "list:acme/test.note", "list:*/test.note", ORDER}),
        (NOBODY, {"work:acme", "work:other", "list:acme/test.note", "list:other/test.note", "list:*/test.note"}),
    ):
        asked = [
            "work:acme",
            "work:other",
            "list:acme/test.note",
            "list:other/test.note",
            "list:*/test.note",
            ORDER,
            "bundle:acme/dev/trade/order/none",
            "bundle:other/dev/trade/x/none",
        ]
        assert {one for one in asked if Topic.parse(one).may_be_followed(who, KINDS)} == expected


def test_a_bundle_is_told_of_in_three_topics() -> None:
    assert [str(one) for one in topics_of(BUNDLE)] == [ORDER, "bundles:acme", "work:acme"]


def test_a_row_is_told_of_in_the_list_of_its_tenant_and_in_that_of_all() -> None:
    note = Row("test.note", Target("acme", "dev"), "id-x")
    assert [str(one) for one in topics_of(note)] == ["list:acme/test.note", "list:*/test.note"]
    assert [str(one) for one in topics_of(Row("test.note", Target("*"), ""))] == ["list:*/test.note"]


def test_of_a_row_hears_who_may_list_it_and_who_changed_it() -> None:
    lister = person("lister", ("test.note:list", "acme/dev/trade"))
    for place, expected in (("acme/dev", True), ("acme/dev/trade/order", True), ("acme/prod", False), ("*", True)):
        assert may_hear(lister, KINDS, Row("test.note", Target.parse(place), "id-x")) is expected, place
    assert not may_hear(lister, KINDS, Row("test.other", Target("acme", "dev"), "id-x"))
    assert not may_hear(NOBODY, KINDS, Row("test.note", Target("acme"), "id-x"))
    assert may_hear(NOBODY, KINDS, Row("test.note", Target("acme"), NOBODY.id))


def test_a_stream_follows_some_topics_and_not_too_many() -> None:
    assert wanted(" work:acme,,work:acme,x ") == ["work:acme", "x"]
    for text in ("", ",", ",".join(f"t{n}" for n in range(MAX_TOPICS + 1))):
        with pytest.raises(errors.InvalidRequestError):
            wanted(text)
