"""Calls: what an App provides to others and calls of others. Rules, tokens and, where wanted, the registry are the platform's."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import Any, Final, TypeVar

import msgspec

from qiantang.app import settings
from qiantang.app.settings import ClientSettings
from qiantang.catalog.model import kinds as catalog
from qiantang.kernel import errors, mirror, resource, runtime, scope, tls
from qiantang.kernel.uplink import Uplink
from qiantang.registry.adapters.platform import PlatformRegistry
from qiantang.registry.client import directory_of, registry_of
from qiantang.registry.port import Registry
from qiantang.registry.settings import RegistrySettings
from qiantang.rpc.balance.matching import Consumer
from qiantang.rpc.client.blocking import BlockingCaller
from qiantang.rpc.client.calling import Caller
from qiantang.rpc.client.tokens import CallerTokens
from qiantang.rpc.client.voting import Voting
from qiantang.rpc.errors import NoTokenError
from qiantang.rpc.model import kinds
from qiantang.rpc.model.definition import definition_of
from qiantang.rpc.model.reports import Report
from qiantang.rpc.provider.keys import PlatformGate
from qiantang.rpc.provider.membership import Member, node_name
from qiantang.rpc.provider.serving import Provider, ProviderSettings
from qiantang.rpc.settings import RpcSettings
from qiantang.rpc.wire import headers

S = TypeVar("S")
logger = logging.getLogger(__name__)

PLATFORM: Final = "platform"
NOTHING: Final = kinds.Assembled({}, {}, {})


class Calls:
    """Of one App. All of it but `provide`, `client` and `blocking` is used on the runtime's loop; what answers and calls lives on
    the loop that it was opened on.
    """

    capability: Final = kinds.CAPABILITY

    def __init__(self, client: ClientSettings, options: settings.Options) -> None:
        self._client = client
        self._rpc = settings.read_part(options, settings.RPC, RpcSettings)
        registry = settings.read_part(options, settings.REGISTRY, RegistrySettings, {"adapter": PLATFORM})
        self._settings = msgspec.structs.replace(registry, tenant=client.tenant)
        self._instance = client.running()
        self._bundle = resource.Bundle(scope=client.place, capability=kinds.CAPABILITY)
        self._coming: kinds.Assembled = NOTHING
        self._provider: Provider | None = None
        self._caller: Caller | None = None
        self._blocking: BlockingCaller | None = None
        self._of: dict[str, None] = {}
        self._tokens: CallerTokens | None = None
        self._stack = AsyncExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()
        self._provided: list[tuple[type, object]] = []
        self.problem = ""
        self.offered: catalog.Offers | None = None

    # -- what an application says before it is opened ----------------------------------------------------

    def provide(self, service: type, implementation: object) -> None:
        """Answer for a service, by an object that has its methods."""
        definition_of(service)
        self._require_closed("provides")
        self._provided.append((service, implementation))

    def client(self, service: type[S], of: str, fallback: object = None) -> S:
        """Give an object whose methods call a service of a microservice, on the App's loop."""
        self._call(of)
        if self._caller is None:
            self._caller = Caller(self._introduce, tls=self._tls(), consumer=self._consumer())
        return self._caller.client(service, fallback)

    def blocking(self, service: type[S], of: str, fallback: object = None) -> S:
        """Give one whose methods block until the answer is there, from any thread."""
        self._call(of)
        if self._blocking is None:
            self._blocking = BlockingCaller(self._introduce, tls=self._tls(), consumer=self._consumer())
        return self._blocking.client(service, fallback)

    def _call(self, of: str) -> None:
        if of not in self._of:
            self._require_closed("calls")
            self._of[scope.check_name(of, "the microservice")] = None

    def _require_closed(self, what: str) -> None:
        if self._loop is not None:
            raise errors.ConflictError(f"say what the App of {self._client.place} {what} before it is opened")

    # -- what the App does -------------------------------------------------------------------------------

    async def open(self, loop: asyncio.AbstractEventLoop, uplink: Uplink) -> None:
        """Begin to answer, and to call; neither the registry nor the platform need be there.

        Raises:
            MisconfiguredError: that cannot work.
        """
        async with self._turn:
            self._loop = loop
            await runtime.on(self._loop, self._open(uplink))

    async def close(self) -> None:
        """Drain, and end what is under way."""
        async with self._turn:
            if self._loop is not None:
                await runtime.on(self._loop, self._stack.aclose())

    def prepare(self, _before: mirror.MirrorView, after: mirror.MirrorView) -> mirror.Outcome | None:
        """Sort what is proposed; what of it cannot be read leaves its last good state in force, and is told afterwards."""
        snapshots = after.of(kinds.CAPABILITY)
        own = snapshots.pop(self._bundle, None)
        self._coming = kinds.assemble(own, snapshots.values()) if own is not None else NOTHING
        return None

    async def tell(self, _before: mirror.MirrorView, _after: mirror.MirrorView) -> mirror.Outcome:
        """Have rules and routes taken in, and say what became of them."""
        async with self._turn:
            if self._loop is None:
                return mirror.APPLIED  # they are taken in when it opens
            await runtime.on(self._loop, self._take())
        return mirror.Outcome(status="failed", error=self.problem) if self.problem else mirror.APPLIED

    async def offer(self) -> str:
        """Have what the catalog says of who may call counted; give what is wrong with it."""
        async with self._turn:
            return await runtime.on(self._loop, self._offer())

    # -- on the loop of what answers and calls -----------------------------------------------------------

    async def _open(self, uplink: Uplink) -> None:
        stack, within = self._stack, self._client.start_deadline.total_seconds()
        try:
            registry = await stack.enter_async_context(self._registry(uplink))
            if self._of:
                await self._open_callers(uplink, registry, within)
            if self._provided:
                self._provider = await self._make_provider(uplink, within)
            await self._take()  # before the first call comes
            await self._offer()
            if self._provider is not None:
                await stack.enter_async_context(self._member(self._provider, registry))
        except BaseException:
            await stack.aclose()
            raise

    async def _open_callers(self, uplink: Uplink, registry: Registry, within: float) -> None:
        stack = self._stack
        self._tokens = CallerTokens(uplink, self._instance.name)
        stack.push_async_callback(self._tokens.close)
        directories = [directory_of(registry, name, self._settings) for name in self._of]
        await asyncio.gather(self._tokens.open(within), *(stack.enter_async_context(one) for one in directories))
        if self._caller is not None:
            await stack.enter_async_context(self._caller)
        if self._blocking is not None:
            stack.enter_context(self._blocking)
        for caller in self._callers:
            for one in directories:
                caller.follow(one)
                await stack.enter_async_context(Voting(registry, one.microservice, caller, self._voter))

    async def _make_provider(self, uplink: Uplink, within: float) -> Provider:
        said, gate = self._rpc, PlatformGate(uplink, self._client.place)
        self._stack.push_async_callback(gate.close)
        await gate.open(within)
        settings = ProviderSettings(threads=said.threads, calls=said.calls, connections=said.connections)
        provider = Provider(node_name(self._instance.name), settings, gate=gate)
        for service, implementation in self._provided:
            provider.add(service, implementation)
        return provider

    def _member(self, provider: Provider, registry: Registry) -> Member:
        said = msgspec.structs.replace(self._rpc, cluster=self._rpc.cluster or self._client.cluster)
        return Member(provider, registry, said, microservice=said.microservice or self._client.application)

    @property
    def _callers(self) -> list[Caller | BlockingCaller]:
        return [one for one in (self._caller, self._blocking) if one is not None]

    async def _take(self) -> None:
        coming, reports = self._coming, list[Report]()
        for caller in self._callers:
            reports += caller.govern(coming.rules, coming.routes)
        if self._provider is not None:
            reports.append(self._provider.guard.rule(coming.own))
        problems = {name: why for report in reports for name, why in report.problems.items()}
        self.problem = "; ".join(f"{name}: {why}" for name, why in sorted(problems.items()))
        if problems:
            logger.error(
                "not all rules of calls are in force", extra={"scope": str(self._client.place), "problems": problems}
            )

    async def _offer(self) -> str:
        """Tell the provider who may call; what it does not have of what is online is a problem that people are told."""
        offered, provider = self.offered, self._provider
        if provider is None or offered is None:
            return ""
        closed = {
            name: f"{name} is {body.state}: its owner has to put it online"
            for name, body in offered.provided.items()
            if body.state != catalog.ONLINE
        }
        provider.guard.subscribe(offered.subscribers, closed)
        lacking = sorted(name for name in offered.provided if name not in provider.services and name not in closed)
        return f"it is online and not provided here: {', '.join(lacking)}" if lacking else ""

    def _registry(self, uplink: Uplink) -> Registry:
        """Give the platform's own registry over the line that is there anyway, or another one."""
        if self._settings.adapter == PLATFORM and not self._settings.address:
            return PlatformRegistry(self._settings, uplink)
        return registry_of(self._settings)

    @property
    def _voter(self) -> str:
        """What this consumer is called among those that vote: instances of other applications may be called the same."""
        return node_name(f"{self._client.center}.{self._client.application}.{self._instance.name}")

    def _introduce(self, challenge: headers.Challenge) -> headers.Hello:
        if self._tokens is None:
            raise NoTokenError(f"the App of {self._client.place} is not open: it calls nobody")
        return self._tokens.introduce(challenge)

    def _tls(self) -> Any:
        authority = self._rpc.authority_file
        return tls.client_context(authority=authority) if authority is not None else None

    def _consumer(self) -> Consumer:
        place = self._client.place
        return Consumer(application=f"{place.center}/{place.application}", zone=self._rpc.zone)


class Offered:
    """What the catalog says of an App: whom its providers answer. All of it is used on the runtime's loop."""

    capability: Final = catalog.CAPABILITY

    def __init__(self, calls: Calls, place: scope.Scope) -> None:
        self._calls = calls
        self._bundle = resource.Bundle(scope=place, capability=catalog.CAPABILITY)
        self._rejected = ""
        self._lacking = ""

    @property
    def problem(self) -> str:
        """What is wrong now."""
        return self._rejected or self._lacking

    async def open(self, _loop: asyncio.AbstractEventLoop, _uplink: Uplink) -> None:
        """Nothing opens: what was delivered counts from the first call on."""

    async def close(self) -> None:
        """Nothing closes."""

    def prepare(self, _before: mirror.MirrorView, after: mirror.MirrorView) -> mirror.Outcome | None:
        """Read what is proposed; what cannot be read is rejected, and what was in force stays."""
        snapshots = after.of(catalog.CAPABILITY)
        own = snapshots.pop(self._bundle, None)
        try:
            offered = catalog.assemble(own, snapshots.values()) if own is not None else None
        except errors.QiantangError as error:
            self._rejected = f"a release of the catalog is rejected: {error.detail}"
            logger.error(  # noqa: TRY400 -- it is the release that is wrong: a trace would tell nothing
                "a release of the catalog is rejected: what was in force stays",
                extra={"scope": str(self._bundle.scope), "error": error.detail},
            )
            return mirror.Outcome(status="rejected", error=error.detail)
        self._calls.offered = offered  # before the first call is answered
        return None

    async def tell(self, _before: mirror.MirrorView, _after: mirror.MirrorView) -> mirror.Outcome:
        """Have it counted."""
        self._rejected = ""
        self._lacking = await self._calls.offer()
        return mirror.Outcome(status="failed", error=self._lacking) if self._lacking else mirror.APPLIED
