"""Rules: what is wrong with a service or a subscription, in itself and in the place of what is published."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from qiantang.catalog.model import kinds
from qiantang.catalog.model.compatibility import BREAKING, Finding, compare, same_major
from qiantang.catalog.model.kinds import ServiceBody, SubscriptionBody
from qiantang.kernel import errors, resource, wire
from qiantang.kernel.errors import Problem
from qiantang.registry.model import SERVICE
from qiantang.rpc.model.definition import digest_of

MOST_PROBLEMS: Final = 50
STATE_PATH: Final = "state"
"""Where the search's index holds the state of each published service."""
_NAME: Final = re.compile(SERVICE)


def check_service_name(name: str) -> None:
    """Refuse what is no name of a service.

    Raises:
        InvalidRequestError: it is none.
    """
    if not _NAME.fullmatch(name):
        raise errors.InvalidRequestError(
            f"{name[:80]!r} is no name of a service: letters, digits, '.', '_' and '-', 128 at most, a letter first"
        )


def check_service(name: str, body: Any) -> list[Problem]:
    """List the problems of a service: it and its definition are one thing."""
    service = wire.convert(body, ServiceBody)
    document = service.document
    found = [
        Problem(f"the definition says {said!r}, the service {own!r}", path)
        for path, said, own in (
            ("document.name", document.name, name),
            ("document.version", document.version, service.version),
            ("document.group", document.group, service.group),
            ("document.digest", document.digest, service.digest),
        )
        if said != own
    ]
    if not document.methods:
        found.append(Problem("the definition has no methods", "document.methods"))
    methods = [one.name for one in document.methods]
    found += [
        Problem(f"the method {one!r} is defined twice", f"document.methods.{at}") for at, one in _repeated(methods)
    ]
    found += [Problem(f"{one} is named twice", f"subscribers.{at}") for at, one in _repeated(service.subscribers)]
    return found[:MOST_PROBLEMS]


def check_subscription(_name: str, body: Any) -> list[Problem]:
    """List the problems of a subscription."""
    services = wire.convert(body, SubscriptionBody).services
    return [Problem(f"the service {one!r} is named twice", f"services.{at}") for at, one in _repeated(services)]


def check_service_change(_name: str, before: Any, after: Any) -> list[Problem]:
    """List the problems of putting a service in the place of the published one, which it must go on being."""
    old = None if before is None else wire.convert(before, ServiceBody)
    if after is None:
        return [] if old is None else _removal(old)
    new = wire.convert(after, ServiceBody)
    # numbers that an editor wrote otherwise (1 for 1.0) are no other definition
    is_same = old is not None and old.document == new.document
    if (old is None or not is_same) and digest_of(new.document) != new.digest:
        return [Problem("the definition has not the digest that it names: export it again from code", "digest")]
    return [] if old is None else [*_state_change(old, new), *_breaking(old, new)]


def _state_change(old: ServiceBody, new: ServiceBody) -> list[Problem]:
    if new.state == kinds.REGISTERED != old.state:
        return [Problem("a service that was online is never only registered again: take it offline", "state")]
    return []


def _removal(old: ServiceBody) -> list[Problem]:
    found: list[Problem] = []
    if old.state == kinds.ONLINE:
        found.append(Problem("it is online: take it offline, publish that, and remove it then", "state"))
    if old.subscribers:
        names = ", ".join(old.subscribers[:5]) + (", …" if len(old.subscribers) > 5 else "")
        found.append(
            Problem(f"it has subscribers ({names}): remove them, publish that, and remove it then", "subscribers")
        )
    return found


def _breaking(old: ServiceBody, new: ServiceBody) -> list[Problem]:
    if not same_major(old.version, new.version):
        return []
    return [
        Problem(
            f"{one.what}: who calls {old.version} would fail, so it needs another major version than {new.version}",
            _at(one),
        )
        for one in compare(old.document, new.document)
        if one.level == BREAKING
    ][:MOST_PROBLEMS]


def is_public(body: Any) -> bool:
    """Say whether applications that subscribed to the provider get it."""
    return bool(body.get("state") == kinds.ONLINE)


def deliver(body: Any) -> Any:
    """Give what instances need of a service, without what is for people alone."""
    return {name: value for name, value in body.items() if name != "description"}


def links(body: Any) -> Sequence[tuple[str, str]]:
    """Name the provider, whose services that are online are needed as well."""
    return [(body["center"], body["application"])]


def service_texts(body: Any) -> Iterable[tuple[str, str]]:
    """Give what a service is found by: its state, version, description, and its methods with theirs."""
    yield STATE_PATH, body.get("state", kinds.REGISTERED)
    yield "version", body["version"]
    document = body["document"]
    for text in dict.fromkeys(one.get("description", "") for one in (body, document)):
        if text:
            yield "description", text
    for one in document.get("methods", ()):
        yield f"methods.{one['name']}"[:500], one.get("description", "") or one["name"]


def subscription_texts(body: Any) -> Iterable[tuple[str, str]]:
    """Give what a subscription is found by: each service, with who provides it."""
    provider = f"{body['center']}/{body['application']}"
    for service in body["services"]:
        yield service_path(service), provider


def service_path(service: str) -> str:
    """Give where the search's index holds that somebody subscribed to a service."""
    return f"services.{service}"


def differences(before: Any, after: Any) -> list[resource.Change]:
    """List what changed of a service, method by method, and what that means for those who call it."""
    if before is None or after is None:
        return resource.differences(before, after)
    found = resource.differences(_by_method(before), _by_method(after))
    return found + [
        resource.Change(path=f"compatibility.{one.path}".rstrip("."), after=f"{one.level}: {one.what}")
        for one in findings(before, after)
    ]


def findings(before: Any, after: Any) -> list[Finding]:
    """Give what a change means."""
    if before.get("document") == after.get("document"):
        return []
    old, new = (wire.convert(one, ServiceBody) for one in (before, after))
    return compare(old.document, new.document)


def _by_method(body: Mapping[str, Any]) -> dict[str, Any]:
    """Have methods stand under their names, so that each is compared with itself."""
    document: dict[str, Any] = body.get("document", {})
    methods: list[dict[str, Any]] = document.get("methods", [])
    return {**body, "document": {**document, "methods": {one["name"]: one for one in methods}}}


def _at(finding: Finding) -> str:
    return f"document.methods.{finding.path}" if finding.path else "document"


def _repeated(names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Give what was named before, with its place."""
    known: set[str] = set()
    for at, name in enumerate(names):
        if name in known:
            yield at, name
        known.add(name)
