"""What the search finds, and what it must not."""

from __future__ import annotations

from qiantang_server.config.rules import texts

SECRET = {"$secret": {"value": "hunter2", "mask": "h•••"}}


def test_properties_by_key_with_comments_and_without_secrets():
    body = {
        "format": "properties",
        "items": {
            "db.url": {"value": "postgresql://h\x00/db", "comment": "main\ndatabase"},
            "db.password": {"value": SECRET, "comment": "rotated"},
        },
        "description": "the shop",
    }
    assert list(texts.texts(body)) == [
        ("", "the shop"),
        ("db.url", "postgresql://h /db\nmain\ndatabase"),
        ("db.password", "rotated"),
    ]


def test_documents_by_leaf_and_texts_by_line():
    assert list(texts.texts({"format": "yaml", "document": "a:\n  b: x\n  c: [1, y]\nd: true"})) == [
        ("a.b", "x"),
        ("a.c", '[1,"y"]'),
        ("d", "true"),
    ]
    assert list(texts.texts({"format": "text", "document": "one\n\ntwo"})) == [("1", "one"), ("3", "two")]


def test_secret_and_broken_documents_are_not_found():
    assert list(texts.texts({"format": "yaml", "document": SECRET})) == []
    assert list(texts.texts({"format": "yaml", "document": "a: ["})) == []


def test_texts_are_bounded():
    ((_, text),) = texts.texts({"format": "text", "document": "x" * 100_000})
    assert len(text) == texts.MAX_TEXT
