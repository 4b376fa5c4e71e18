"""The compiled check against the plain reading of the rules, over random grants."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiantang.kernel import errors
from qiantang_server.kernel import access

DECLARED = [
    f"{capability}.{kind}:{verb}"
    for capability, kind in (
        ("config", "namespace"),
        ("config", "item"),
        ("identity", "user"),
        ("audit", "record"),
    )
    for verb in ("list", "read", "reveal", "update")
]
PERMISSIONS = access.Permissions(dict.fromkeys(DECLARED, "meaning"))
part = st.sampled_from(["*", "a", "b", "c"])
targets = st.builds(access.Target, part, part, part, part)
lines = st.sampled_from(
    [
        "*:*", "*:read", "config.*:*", "config.*:read", "*.item:*", "identity.user:list",
        "config.namespace:update", "gone.kind:read", "!*:reveal", "!audit.*:*", "!config.item:update",
    ]
)  # fmt: skip
grants = st.builds(access.Grant, st.lists(lines, max_size=4).map(tuple), targets)


def matches(line: str, permission: str) -> bool:
    """Read a line of a role as a person would."""
    kinds, verb = line.split(":")
    known_kinds, known_verb = permission.split(":")
    if kinds == "*":
        kinds = "*.*"
    pairs = zip([*kinds.split("."), verb], [*known_kinds.split("."), known_verb], strict=True)
    return all(mine in ("*", theirs) for mine, theirs in pairs)


def reference(held: list[access.Grant], tenant: str, permission: str, target: access.Target) -> bool:
    for grant in held:
        given_here = any(matches(line, permission) for line in grant.permissions if line[0] != "!")
        taken = any(matches(line[1:], permission) for line in grant.permissions if line[0] == "!")
        covers = all(mine in ("*", theirs) for mine, theirs in zip(grant.pattern, target, strict=True))
        if given_here and not taken and covers and (not tenant or target.tenant == tenant):
            return True
    return False


@given(st.lists(grants, max_size=6), st.sampled_from(["", "a", "b"]), st.sampled_from(DECLARED), targets)
@settings(max_examples=600, deadline=None)
def test_the_compiled_check_is_the_plain_reading(
    held: list[access.Grant], tenant: str, permission: str, target: access.Target
) -> None:
    compiled = access.CompiledGrants(held, PERMISSIONS, tenant)
    expected = reference(held, tenant, permission, target)
    assert compiled.allows(permission, target) is expected
    assert compiled.allows(permission, target) is expected, "the remembered answer is the first one"
    if expected:
        assert compiled.reaches(permission, target)


@given(st.lists(grants, max_size=6), st.sampled_from(DECLARED), targets)
@settings(max_examples=300, deadline=None)
def test_reaching_is_holding_it_somewhere_inside(
    held: list[access.Grant], permission: str, target: access.Target
) -> None:
    compiled = access.CompiledGrants(held, PERMISSIONS)
    concrete = [
        access.Target(t, e, c, a)
        for t in ("a", "b", "c", "d") for e in ("a", "b", "c", "d")
        for c in ("a", "b", "c", "d") for a in ("a", "b", "c", "d")
        if target.covers(access.Target(t, e, c, a))
    ]  # fmt: skip
    assert compiled.reaches(permission, target) is any(compiled.allows(permission, place) for place in concrete)


def test_the_memory_of_answers_is_bounded() -> None:
    compiled = access.CompiledGrants([access.Grant(("*:*",), access.Target("a"))], PERMISSIONS)
    for number in range(20_000):
        assert compiled.allows("config.item:read", access.Target("a", f"e{number}"))
    assert len(compiled._memo) <= 4096


def test_a_whole_is_not_covered_by_its_parts() -> None:
    compiled = access.CompiledGrants([access.Grant(("*:*",), access.Target("acme", "dev"))], PERMISSIONS)
    assert compiled.allows("config.item:read", access.Target("acme", "dev", "sales", "orders"))
    assert not compiled.allows("config.item:read", access.Target("acme"))
    assert not compiled.allows("config.item:read", access.PLATFORM)


def test_permissions_are_a_closed_set() -> None:
    with pytest.raises(errors.MisconfiguredError, match="config\\.item:fly"):
        access.Permissions({"config.item:fly": "no such verb"})
    with pytest.raises(errors.MisconfiguredError):
        access.Permissions({"config:read": "no kind"})
    PERMISSIONS.check(["*:*", "config.*:read", "!*:reveal"])
    with pytest.raises(errors.InvalidRequestError) as caught:
        PERMISSIONS.check(["config.item:reed", "nonsense", "config.item:read"])
    assert [problem.path for problem in caught.value.problems] == ["config.item:reed", "nonsense"]
    assert "config.item:read" in caught.value.problems[0].message


def test_targets_read_and_write_as_text() -> None:
    assert str(access.Target("acme", "dev")) == "acme/dev/*/*"
    assert access.Target.parse("acme/*/sales") == access.Target("acme", "*", "sales")
    for wrong in ("", "a/b/c/d/e", "Acme", "a//c"):
        with pytest.raises(errors.InvalidRequestError):
            access.Target.parse(wrong)
