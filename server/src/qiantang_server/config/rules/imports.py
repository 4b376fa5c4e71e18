"""Imports: what an import would do, namespace by namespace, as a plan that can be read before anything is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from qiantang.config import model
from qiantang.config.model import tree
from qiantang.kernel import errors, release, secret, wire
from qiantang.kernel.errors import Problem
from qiantang_server.config.rules import checks, contents, diffs, documents
from qiantang_server.config.rules.diffs import KeyChange
from qiantang_server.config.rules.exchange import KEPT, Incoming, placeholders
from qiantang_server.config.rules.limits import DEFAULT, NamespaceLimits

Policy = Literal["fail", "skip", "overwrite", "merge"]
"""What becomes of a namespace that exists already: the import fails, leaves it, replaces it, or lays itself over it."""


class ImportConflictError(errors.ConflictError):
    """The import would change namespaces that exist, and was told to fail then."""

    code = "config.import_conflict"


class ImportStep(wire.Wire, frozen=True, omit_defaults=True):
    """One step as people read it; secrets show as masks alone."""

    name: str
    action: Literal["put", "delete", "keep"]
    reason: str
    changes: list[KeyChange] = msgspec.field(default_factory=list[KeyChange])


@dataclass(frozen=True, slots=True, repr=False)
class PlannedDraft:
    """What becomes of one namespace. `body` is the draft to save for "put": it may hold secrets that are new."""

    step: ImportStep
    body: model.Namespace | None = None

    def __repr__(self) -> str:
        """Never show the body: secrets may be in it."""
        return f"PlannedDraft({self.step.name!r}, {self.step.action!r})"


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """Everything that an import would do, in order of name. With problems it must not be carried out."""

    drafts: tuple[PlannedDraft, ...]
    problems: tuple[release.LocatedProblem, ...] = ()

    def steps(self) -> list[ImportStep]:
        """Give the steps as people read them."""
        return [draft.step for draft in self.drafts]


def plan(
    incoming: Iterable[Incoming],
    existing: Mapping[str, model.Namespace],
    policy: Policy,
    *,
    prune: bool = False,
    limits: NamespaceLimits = DEFAULT,
) -> ImportPlan:
    """Decide what an import does. `existing` bodies have their secrets masked; `prune` removes what does not come in.

    Raises:
        ImportConflictError: the policy is "fail" and a namespace that exists would change; every such one
        is a problem.
    """
    drafts: dict[str, PlannedDraft] = {}
    problems: list[release.LocatedProblem] = []
    for each in incoming:
        drafts[each.name], found = _planned(each, existing.get(each.name), policy, limits)
        problems += [_located(each.name, problem) for problem in found]
    if prune:
        for name in existing.keys() - drafts.keys():
            changes = diffs.compare(wire.builtins(existing[name]), None, limits).changes
            step = ImportStep(name=name, action="delete", reason="does not come in", changes=changes)
            drafts[name] = PlannedDraft(step)
    ordered = tuple(drafts[name] for name in sorted(drafts))
    if policy == "fail":
        _refuse_changes(ordered, existing)
    return ImportPlan(ordered, tuple(problems))


def _refuse_changes(drafts: tuple[PlannedDraft, ...], existing: Mapping[str, model.Namespace]) -> None:
    changed = [draft.step for draft in drafts if draft.step.action != "keep" and draft.step.name in existing]
    if changed:
        problems = [Problem(f"exists and would change in {len(step.changes)} places", step.name) for step in changed]
        raise ImportConflictError("the import would change what exists: choose what to do then", problems=problems)


def _located(name: str, problem: Problem) -> release.LocatedProblem:
    return release.LocatedProblem(
        kind=model.KIND,
        name=name,
        message=problem.message,
        path=problem.path,
        line=problem.line,
        column=problem.column,
    )


def _planned(
    incoming: Incoming, existing: model.Namespace | None, policy: Policy, limits: NamespaceLimits
) -> tuple[PlannedDraft, list[Problem]]:
    if existing is not None and policy == "skip":
        return _kept(incoming.name, "exists already, and existing ones are skipped"), []
    if incoming.problems:
        return _kept(incoming.name, "cannot be taken: see its problems"), list(incoming.problems)
    body, problems = _resolved(incoming.body, existing)
    reason = "is new" if existing is None else "replaces what exists"
    if existing is not None and policy == "merge":
        body, reason = _merged(existing, body, limits)
    problems += [*placeholders(body), *checks.check_namespace(incoming.name, body, limits)]
    before = None if existing is None else wire.builtins(existing)
    changes = diffs.compare(before, wire.builtins(body), limits).changes
    if existing is not None and not changes:
        return _kept(incoming.name, "nothing would change"), problems
    return PlannedDraft(ImportStep(name=incoming.name, action="put", reason=reason, changes=changes), body), problems


def _kept(name: str, reason: str) -> PlannedDraft:
    return PlannedDraft(ImportStep(name=name, action="keep", reason=reason))


def _resolved(body: model.Namespace, existing: model.Namespace | None) -> tuple[model.Namespace, list[Problem]]:
    """Put what is there where a secret was not exported, and keep secret what is one."""
    problems: list[Problem] = []
    before = existing.items if existing else {}
    items: dict[str, model.Item] = {}
    for key, item in body.items.items():
        value, wrong = _value(item.value, before[key].value if key in before else None, key)
        items[key] = msgspec.structs.replace(item, value=value)
        problems += wrong
    there = existing.document if existing and existing.format != "properties" else None
    document, wrong = _value(body.document, there, "document")
    return msgspec.structs.replace(body, items=items, document=document), [*problems, *wrong]


def _value(
    value: str | secret.Secret, there: str | secret.Secret | None, path: str
) -> tuple[str | secret.Secret, list[Problem]]:
    if value == KEPT:
        if there is None:
            message = "this secret was not exported, and there is none here to keep: export with secrets revealed"
            return "", [Problem(message, path)]
        return there, []
    if isinstance(value, str) and value and isinstance(there, secret.Secret):
        return secret.Secret.of(value), []
    return value, []


_LOSSLESS: Final = "is laid over what exists"


def _merged(
    existing: model.Namespace, incoming: model.Namespace, limits: NamespaceLimits
) -> tuple[model.Namespace, str]:
    """Lay a namespace over another: by key in properties, as trees in documents, else it takes the place."""
    if existing.format != incoming.format:
        return incoming, f"takes the place of what exists, which is in {existing.format} format"
    if existing.format == "properties":
        return msgspec.structs.replace(incoming, items={**existing.items, **incoming.items}), _LOSSLESS
    if existing.format == "text" or not (isinstance(existing.document, str) and isinstance(incoming.document, str)):
        return incoming, "takes the place of what exists, since it is one whole"
    low, high = contents.read(existing, limits), contents.read(incoming, limits)
    if low.problems or high.problems:
        return incoming, "takes the place of what exists, which cannot be read"
    merged = tree.thaw(tree.merge(low.data, high.data))
    if tree.same(merged, low.data):
        return msgspec.structs.replace(incoming, document=existing.document), _LOSSLESS
    if tree.same(merged, high.data):
        return incoming, _LOSSLESS
    text = documents.emit(existing.format, merged)
    return msgspec.structs.replace(incoming, document=text), f"{_LOSSLESS}; comments in the document are lost"
