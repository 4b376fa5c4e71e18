"""Exchange: namespaces out as text or as a whole application, and in again as drafts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qiantang.config import model
from qiantang.config.model.answers import ImportLine, ImportResult, Policy
from qiantang.kernel import errors, resource, wire
from qiantang_server.config.rules import archive, exchange, imports
from qiantang_server.config.rules.exchange import Incoming
from qiantang_server.config.settings import ConfigSettings
from qiantang_server.kernel import access, audit
from qiantang_server.kernel.resources import Resources
from qiantang_server.kernel.resources.service.drafts import Stored

REVEAL = "config.namespace:reveal"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What to do with namespaces that exist, and whether only to say what would be done."""

    policy: Policy = "fail"
    dry_run: bool = False


class Exchange:
    """Exports what is published; imports become drafts, each over the version that the import saw."""

    def __init__(self, resources: Resources, settings: ConfigSettings) -> None:
        self._resources = resources
        self._settings = settings

    async def export_application(self, principal: access.Principal, bundle: resource.Bundle, *, reveal: bool) -> bytes:
        """Give a zip of all published namespaces.

        Raises:
            NotPermittedError: secrets are asked for and not for the reader.
        """
        namespaces = await self._published(principal, bundle, "*", reveal=reveal)
        status = await self._resources.history.status(bundle)
        return archive.write(
            namespaces, application=str(bundle.scope), revision=status.position.revision, reveal=reveal
        )

    async def export_namespace(
        self,
        principal: access.Principal,
        bundle: resource.Bundle,
        name: str,
        kind: model.Format | None,
        *,
        reveal: bool,
    ) -> str:
        """Give a published namespace as text, in its own format or another.

        Raises:
            NotFoundError: there is no such namespace, or it was never published.
            NotPermittedError: secrets are asked for and not for the reader.
        """
        namespaces = await self._published(principal, bundle, name, reveal=reveal)
        found = namespaces.get(name)
        if found is None:
            raise errors.NotFoundError(f"{bundle.scope} has no published namespace {name[:80]!r}")
        return exchange.export_text(found, kind or found.format, reveal=reveal)

    async def import_application(
        self, principal: access.Principal, bundle: resource.Bundle, data: bytes, options: ImportOptions
    ) -> ImportResult:
        """Take the namespaces of a zip in as drafts."""
        self._require_size(data)
        return await self._import(principal, bundle, archive.read(data), options)

    async def import_namespace(
        self,
        principal: access.Principal,
        bundle: resource.Bundle,
        data: bytes,
        *,
        named: tuple[str, model.Format],
        options: ImportOptions,
    ) -> ImportResult:
        """Take one namespace in as a draft; `named` is its name and the format of the text."""
        self._require_size(data)
        name, kind = named
        model.check_name(name)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise errors.InvalidRequestError(f"the file is not UTF-8: byte {error.start} is not") from error
        existing = (await self._edited(bundle)).get(name)
        body = None if existing is None else self._masked(bundle, existing)
        return await self._import(principal, bundle, [exchange.import_text(name, text, kind, body)], options)

    async def _import(
        self,
        principal: access.Principal,
        bundle: resource.Bundle,
        incoming: Sequence[Incoming],
        options: ImportOptions,
    ) -> ImportResult:
        there = await self._edited(bundle)
        existing = {name: self._masked(bundle, one) for name, one in there.items()}
        planned = imports.plan(incoming, existing, options.policy)
        wrong = {problem.name for problem in planned.problems}
        if planned.problems and not options.dry_run:
            raise errors.InvalidRequestError(
                f"{len(planned.problems)} problem(s) in what comes in; nothing was written",
                problems=[
                    errors.Problem(one.message, f"{one.name} {one.path}".strip(), one.line, one.column)
                    for one in planned.problems
                ],
            )
        lines: list[ImportLine] = []
        for draft in planned.drafts:
            name = draft.step.name
            if draft.body is not None and not options.dry_run:
                expected = there[name].version if name in there else "0"
                body = wire.builtins(draft.body)
                await self._resources.drafts.save(principal, bundle, model.KIND, name, body, expected=expected)
            lines.append(_line(draft.step, exists=name in existing, wrong=name in wrong))
        return ImportResult(dry_run=options.dry_run, lines=lines)

    async def _edited(self, bundle: resource.Bundle) -> dict[str, Stored]:
        found = await self._resources.drafts.stored(bundle, drafted=True)
        return {name: one for (kind, name), one in found.items() if kind == model.KIND}

    async def _published(
        self, principal: access.Principal, bundle: resource.Bundle, name: str, *, reveal: bool
    ) -> dict[str, model.Namespace]:
        parts = self._resources.parts
        if reveal:
            place = access.Target.of(bundle.scope)
            access.require(principal, REVEAL, place)
            event = audit.AuditEvent.by(principal, REVEAL, place, resource=f"config/export/{name}"[:256])
            await parts.database.write(lambda session: audit.record(session, event))
        bodies = parts.bodies(bundle)
        await bodies.ready()
        found = await self._resources.drafts.stored(bundle, drafted=False)

        def read(kind: str, name: str, one: Stored) -> Any:
            return bodies.opened(kind, name, one.body) if reveal else bodies.masked(one.body)

        return {
            key[1]: wire.convert(read(*key, one), model.Namespace) for key, one in found.items() if key[0] == model.KIND
        }

    def _masked(self, bundle: resource.Bundle, one: Stored) -> model.Namespace:
        return wire.convert(self._resources.parts.bodies(bundle).masked(one.body), model.Namespace)

    def _require_size(self, data: bytes) -> None:
        limit = self._settings.import_bytes
        if len(data) > limit:
            raise errors.TooLargeError(f"the file has {len(data):,} bytes; an import may have {limit:,}")


def _line(step: imports.ImportStep, *, exists: bool, wrong: bool) -> ImportLine:
    if wrong:
        return ImportLine(namespace=step.name, action="refuse", reason=step.reason)
    if step.action == "keep":
        return ImportLine(namespace=step.name, action="keep", reason=step.reason)
    return ImportLine(namespace=step.name, action="change" if exists else "add", reason=step.reason)
