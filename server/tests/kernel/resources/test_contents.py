"""What many kinds say of their bodies: texts for the search, who gets them, whom they name."""

from __future__ import annotations

from qiantang.kernel.secret import FIELD
from qiantang_server.kernel.resources import contents


def test_the_search_never_finds_a_secret() -> None:
    secret = {FIELD: {"value": "amqp://u:pw@h"}}
    body = {"adapter": "kafka", "resources": [{"name": "one", "url": secret}], "weight": 1, "empty": ""}
    assert list(contents.texts(body)) == [("adapter", "kafka"), ("resources.0.name", "one")]


def test_what_is_public_says_so() -> None:
    assert contents.is_public({"public": True})
    assert not contents.is_public({"public": False})
    assert not contents.is_public({})


def test_an_application_is_named_and_repetition_is_found() -> None:
    assert contents.application_named({"center": "a", "application": "b", "description": ""}) == (("a", "b"),)
    assert contents.repeated(["a", "b", "a", "a"]) == [(2, "a"), (3, "a")]
