"""Capability of calls between services: its manifest. Rules and routes are delivered to applications, which do the rest."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import msgspec

from qiantang.rpc.model import kinds
from qiantang.rpc.model.routes import Route
from qiantang.rpc.model.rules import Rule
from qiantang_server.kernel.capability import Capability, Kernel, Opened
from qiantang_server.kernel.jobs import Job, JobContext
from qiantang_server.kernel.resources import Limits, ResourceKind, contents
from qiantang_server.rpc import api, rules
from qiantang_server.rpc.service import CallTokens
from qiantang_server.rpc.settings import RpcSettings

LIMITS = Limits(resource_bytes=256 << 10, bundle_bytes=8 << 20, bundle_count=2000)


def _kind(name: str, plural: str, title: str, model: type[msgspec.Struct], **rules_of_it: Any) -> ResourceKind:
    return ResourceKind(
        capability=kinds.CAPABILITY,
        name=name,
        plural=plural,
        title=title,
        model=model,
        limits=LIMITS,
        texts=contents.texts,
        **rules_of_it,
    )


KINDS = (
    _kind(kinds.RULE, "rules", "rules of calls", Rule, check=rules.check_rule, is_public=contents.is_public),
    _kind(kinds.ROUTE, "routes", "routes of calls", Route, check=rules.check_route, is_public=contents.is_public),
    _kind(kinds.SOURCE, "sources", "sources of calls", kinds.SourceBody, links=contents.application_named),
)


@asynccontextmanager
async def opened(kernel: Kernel) -> AsyncGenerator[Opened]:
    """Open the room."""
    settings = cast("RpcSettings", kernel.settings[kinds.CAPABILITY])
    tokens = CallTokens(kernel.database, kernel.sealing, settings, lambda: int(time.time() * 1000))
    await tokens.open()

    async def rotate(_context: JobContext) -> None:
        await tokens.rotate()

    yield Opened(routes=[api.router(tokens)], jobs=[Job("rpc-signing-keys", timedelta(hours=1), rotate)])


RPC = Capability(
    name=kinds.CAPABILITY,
    title="Calls",
    kinds=KINDS,
    open=opened,
    settings=RpcSettings,
    migrations=Path(__file__).parent / "migrations",
)
