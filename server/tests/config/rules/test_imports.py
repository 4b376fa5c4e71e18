"""Import plans: what becomes of each namespace, and nothing done yet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.config import model
from qiantang.kernel import secret, wire
from qiantang_server.config.rules import imports
from qiantang_server.config.rules.exchange import KEPT, PLACEHOLDER, Incoming

MASKED = secret.Secret(secret.SecretValue(mask="•"))


def properties(**values):
    return model.Namespace(format="properties", items={key: model.Item(value=value) for key, value in values.items()})


def yaml(text):
    return model.Namespace(format="yaml", document=text)


def planned(incoming, existing, policy, **options):
    plan = imports.plan([Incoming(name, body) for name, body in incoming.items()], existing, policy, **options)
    assert [draft.step for draft in plan.drafts] == plan.steps()
    return plan


def actions(plan):
    return {step.name: step.action for step in plan.steps()}


def test_new_changed_and_same():
    existing = {"same": yaml("a: 1"), "changed": yaml("a: 1"), "alone": yaml("a: 1")}
    incoming = {"same": yaml("a: 1"), "changed": yaml("a: 2"), "new": yaml("a: 3")}
    plan = planned(incoming, existing, "overwrite")
    assert actions(plan) == {"changed": "put", "new": "put", "same": "keep"}
    assert [step.reason for step in plan.steps()] == ["replaces what exists", "is new", "nothing would change"]
    assert plan.drafts[0].body == incoming["changed"]
    assert [change.key for change in plan.steps()[0].changes] == ["a"]
    assert not plan.problems


def test_skip_leaves_what_exists():
    plan = planned({"a": yaml("x: 2"), "b": yaml("x: 2")}, {"a": yaml("x: 1")}, "skip")
    assert actions(plan) == {"a": "keep", "b": "put"}


def test_fail_names_what_would_change_and_takes_what_would_not():
    assert actions(planned({"a": yaml("x: 1"), "b": yaml("x: 2")}, {"a": yaml("x: 1")}, "fail")) == {
        "a": "keep",
        "b": "put",
    }
    with pytest.raises(imports.ImportConflictError) as caught:
        planned({"a": yaml("x: 2")}, {"a": yaml("x: 1")}, "fail")
    assert [problem.path for problem in caught.value.problems] == ["a"]
    with pytest.raises(imports.ImportConflictError):
        planned({}, {"a": yaml("x: 1")}, "fail", prune=True)


def test_prune_removes_what_does_not_come_in():
    plan = planned({"a": yaml("x: 1")}, {"a": yaml("x: 1"), "b": properties(k="v")}, "overwrite", prune=True)
    assert actions(plan) == {"a": "keep", "b": "delete"}
    assert plan.steps()[1].changes[-1].key == "k"
    assert plan.drafts[1].body is None


def test_merge_by_key():
    plan = planned({"a": properties(x="2", z="3")}, {"a": properties(x="1", y="1")}, "merge")
    assert plan.drafts[0].body == properties(x="2", y="1", z="3")
    assert plan.steps()[0].reason == "is laid over what exists"


@pytest.mark.parametrize(
    ("existing", "incoming", "document", "words"),
    [
        ("# note\na: {b: 1}\n", "a: {c: 2}", "a:\n  b: 1\n  c: 2\n", "comments in the document are lost"),
        ("a: 1 # note", "# other\na: 2", "# other\na: 2", "laid over"),
        ("a: [", "a: 2", "a: 2", "cannot be read"),
    ],
)
def test_merge_of_documents(existing, incoming, document, words):
    plan = planned({"a": yaml(incoming)}, {"a": yaml(existing)}, "merge")
    assert plan.drafts[0].body.document == document
    assert words in plan.steps()[0].reason


def test_merge_that_adds_nothing_keeps_the_document_as_it_is_written():
    plan = planned({"a": yaml("a: 1")}, {"a": yaml("# note\na: 1\nb: 2")}, "merge")
    assert actions(plan) == {"a": "keep"}


def test_merge_of_what_does_not_fit_takes_the_place():
    plan = planned({"a": yaml("x: 1")}, {"a": properties(k="v")}, "merge")
    assert "in properties format" in plan.steps()[0].reason
    text = planned(
        {"a": model.Namespace(format="text", document="b")},
        {"a": model.Namespace(format="text", document="a")},
        "merge",
    )
    assert "one whole" in text.steps()[0].reason


def test_a_secret_that_was_not_exported_stays_what_it_is():
    existing = {"a": properties(p=MASKED, x="1"), "d": yaml(MASKED)}
    plan = planned({"a": properties(p=KEPT, x="2"), "d": yaml(KEPT)}, existing, "overwrite")
    assert actions(plan) == {"a": "put", "d": "keep"}
    assert plan.drafts[0].body.items["p"].value == MASKED
    assert not plan.problems


def test_a_secret_that_is_nowhere_is_a_problem():
    plan = planned({"a": properties(p=KEPT), "d": yaml(KEPT)}, {}, "overwrite")
    assert [(problem.name, problem.path) for problem in plan.problems] == [("a", "p"), ("d", "document")]
    assert "was not exported" in plan.problems[0].message


def test_a_secret_stays_one_when_plain_text_comes_in():
    plan = planned(
        {"a": properties(p="hunter2"), "d": yaml("a: hunter2")}, {"a": properties(p=MASKED), "d": yaml(MASKED)}, "merge"
    )
    assert plan.drafts[0].body.items["p"].value == secret.Secret.of("hunter2")
    assert plan.drafts[1].body.document == secret.Secret.of("a: hunter2")
    assert b"hunter2" not in wire.encode(plan.steps())
    assert "hunter2" not in repr(plan)


def test_problems_are_located_and_nothing_hides_them():
    incoming = [Incoming("bad", yaml("a: ["), ()), Incoming("worse", yaml(""), (imports.Problem("no", "p", 3, 4),))]
    plan = imports.plan(incoming, {"worse": yaml("")}, "overwrite")
    assert [(problem.kind, problem.name, problem.line) for problem in plan.problems] == [
        ("namespace", "bad", 2),
        ("namespace", "worse", 3),
    ]
    assert imports.plan([Incoming("a", yaml(f"b: '{PLACEHOLDER}'"))], {}, "overwrite").problems


names = st.sampled_from(["a", "b", "c"])
namespaces = st.dictionaries(
    names,
    st.one_of(
        st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["1", "2"])).map(
            lambda items: properties(**items)
        ),
        st.sampled_from(["x: 1", "x: 2", "y: 1"]).map(yaml),
    ),
)


@given(namespaces, namespaces, st.sampled_from(["skip", "overwrite", "merge"]), st.booleans())
def test_carrying_a_plan_out_and_planning_again_finds_nothing_to_do(incoming, existing, policy, prune):
    plan = planned(incoming, existing, policy, prune=prune)
    after = dict(existing)
    for draft in plan.drafts:
        if draft.step.action == "delete":
            del after[draft.step.name]
        if draft.body is not None:
            after[draft.step.name] = draft.body
    assert set(actions(planned(incoming, after, policy, prune=prune)).values()) <= {"keep"}
    if policy == "overwrite" and prune:
        assert after == incoming
