"""Namespaces as text, out and in again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.config import model
from qiantang.kernel import secret
from qiantang_server.config.rules import contents, documents, exchange
from qiantang_server.config.rules.documents.toml_syntax import NotInTomlError
from qiantang_server.config.rules.exchange import KEPT, PLACEHOLDER

OPEN = secret.Secret(secret.SecretValue(value="hunter2", mask="•"))
MASKED = secret.Secret(secret.SecretValue(mask="•"))

SHOP = model.Namespace(
    format="properties",
    items={
        "db.pool": model.Item(value="5", type="number", comment="how many"),
        "db.url": model.Item(value="postgresql://h"),
        "db.password": model.Item(value=OPEN),
        "flags": model.Item(value='{"a": [1, null]}', type="json"),
        "tls": model.Item(value="true", type="boolean"),
    },
)


def test_properties_with_comments_and_without_secrets():
    text = exchange.export_text(SHOP, "properties", reveal=False)
    assert text.startswith("# how many\ndb.pool = 5\ndb.url = postgresql://h\n")
    assert f"db.password = {PLACEHOLDER}\n" in text
    assert "hunter2" not in text
    assert "db.password = hunter2\n" in exchange.export_text(SHOP, "properties", reveal=True)


def test_properties_as_yaml_and_json():
    for kind in ("yaml", "json"):
        text = exchange.export_text(SHOP, kind, reveal=True)
        assert documents.parse(kind, text, contents.NamespaceLimits()).data == {
            "db": {"pool": 5, "url": "postgresql://h", "password": "hunter2"},
            "flags": {"a": [1, None]},
            "tls": True,
        }
        assert "hunter2" not in exchange.export_text(SHOP, kind, reveal=False)
    with pytest.raises(NotInTomlError):
        exchange.export_text(SHOP, "toml", reveal=False)
    with pytest.raises(exchange.NotTextError):
        exchange.export_text(SHOP, "text", reveal=False)


def test_documents_keep_their_writing_in_their_own_format():
    body = model.Namespace(format="yaml", document="# note\na: 1\n")
    assert exchange.export_text(body, "yaml", reveal=False) == "# note\na: 1\n"
    assert exchange.export_text(body, "toml", reveal=False) == "a = 1\n"
    with pytest.raises(exchange.NotTextError):
        exchange.export_text(body, "text", reveal=False)
    assert exchange.export_text(model.Namespace(format="text", document="x"), "text", reveal=False) == "x"


def test_secret_documents_leave_only_when_revealed():
    body = model.Namespace(format="yaml", document=OPEN)
    assert exchange.export_text(body, "yaml", reveal=False) == PLACEHOLDER
    assert exchange.export_text(body, "yaml", reveal=True) == "hunter2"
    with pytest.raises(contents.SealedError):
        exchange.export_text(model.Namespace(format="yaml", document=MASKED), "yaml", reveal=True)


def test_what_was_exported_comes_in_as_it_was():
    text = exchange.export_text(SHOP, "properties", reveal=False)
    incoming = exchange.import_text("x", text, "properties", SHOP)
    assert not incoming.problems
    assert incoming.body.items["db.password"].value == KEPT
    assert incoming.body.items["db.pool"] == SHOP.items["db.pool"]
    assert list(incoming.body.items) == list(SHOP.items)


def test_a_tree_comes_in_by_key_with_its_types():
    text = (
        "db:\n  pool: 6\n  url: u\n  password: '${secret: not exported}'\nlist: [1]\nnone: null\non: true\nempty: {}\n"
    )
    incoming = exchange.import_text("x", text, "yaml", SHOP)
    assert {key: (item.value, item.type) for key, item in incoming.body.items.items()} == {
        "db.pool": ("6", "number"),
        "db.url": ("u", "string"),
        "db.password": (KEPT, "string"),
        "list": ("[1]", "json"),
        "none": ("null", "json"),
        "on": ("true", "boolean"),
        "empty": ("{}", "json"),
    }
    assert incoming.body.items["db.pool"].comment == "how many"


def test_a_new_namespace_takes_the_format_of_the_text_and_an_existing_one_keeps_its_own():
    assert exchange.import_text("x", "a: 1", "yaml", None).body == model.Namespace(format="yaml", document="a: 1")
    existing = model.Namespace(format="json", document="{}", public=True, description="d")
    body = exchange.import_text("x", "a: 1", "yaml", existing).body
    assert (body.format, body.public, body.description) == ("json", True, "d")
    assert body.document == '{\n  "a": 1\n}\n'


@pytest.mark.parametrize(
    ("text", "kind", "existing", "words"),
    [
        ("a: [", "yaml", None, None),
        ("a: [", "yaml", SHOP, "flow"),
        ("[1]", "json", SHOP, "not a mapping"),
        ('{"a.b": 1, "a": {"b": 2}}', "json", SHOP, "twice"),
        ("hello", "text", SHOP, "cannot be taken"),
        ("hello", "text", model.Namespace(format="yaml"), "cannot be taken"),
        ("a=\\u1", "properties", SHOP, "hexadecimal"),
        ("a = 1", "toml", model.Namespace(format="text"), "cannot be taken"),
    ],
)
def test_what_cannot_be_taken_is_said(text, kind, existing, words):
    incoming = exchange.import_text("x", text, kind, existing)
    assert (not incoming.problems) if words is None else (words in incoming.problems[0].message)


def test_the_placeholder_is_never_a_value():
    whole = exchange.import_text("x", f"{PLACEHOLDER}\n", "yaml", None)
    assert whole.body.document == KEPT
    inside = exchange.import_text("x", f"a: '{PLACEHOLDER}'", "yaml", None)
    assert exchange.placeholders(inside.body)[0].path == "document"
    item = exchange.import_text("x", f"a = x{PLACEHOLDER}", "properties", None)
    assert exchange.placeholders(item.body)[0].path == "a"


keys = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map(".".join)
strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(lambda text: model.Item(value=text))
numbers = st.integers(-9, 9).map(lambda number: model.Item(value=str(number), type="number"))
booleans = st.sampled_from(["true", "false"]).map(lambda text: model.Item(value=text, type="boolean"))


@given(
    st.dictionaries(keys, strings | numbers | booleans, max_size=4),
    st.sampled_from(["properties", "yaml", "json", "toml"]),
)
def test_export_and_import_are_inverse(items, kind):
    body = model.Namespace(format="properties", items=items)
    if contents.read(body, contents.NamespaceLimits()).problems:
        return
    text = exchange.export_text(body, kind, reveal=False)
    again = exchange.import_text("x", text, kind, body)
    assert not again.problems
    assert again.body.items == items
