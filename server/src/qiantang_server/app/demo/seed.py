"""Seed: makes the demo's tenant, application, credential and first settings, and runs the demo as a child process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

import msgspec

from qiantang.config.model import CAPABILITY, KIND
from qiantang.kernel import errors, release, resource, scope, wire
from qiantang_server.app.process import Running, identity_of, system_of
from qiantang_server.kernel.resources import Resources

log = logging.getLogger(__name__)
PLACE = scope.Scope(tenant="demo", environment="dev", center="trade", application="greeter")
BUNDLE = resource.Bundle(scope=PLACE, capability=CAPABILITY)
NAMESPACE = "application"
FIRST = {
    "format": "properties",
    "description": "what the demo's greeter is told",
    "items": {
        "greeting.text": {"value": "hello from the configuration center", "comment": "what it says"},
        "greeting.every": {"value": "5", "type": "number", "comment": "seconds between two greetings"},
        "greeting.shout": {"value": "false", "type": "boolean"},
    },
}
STOP_SECONDS = 2.0
FILE = "demo.json"


class _Known(msgspec.Struct):
    credential: str
    secret: str


class Demo:
    """The running demo. Starting it twice changes nothing that is there."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.described = f"{PLACE}, namespace {NAMESPACE}: its lines begin with `greeter |`"

    @classmethod
    async def start(cls, running: Running) -> Demo:
        """Have the estate and the first settings, and start the greeter with a credential of its own."""
        known = await _credential(running)
        await _first_settings(running.kernel.resources, running)
        environment = {
            **os.environ,
            "QIANTANG_CLIENT_SERVERS": running.address,
            "QIANTANG_CLIENT_TENANT": PLACE.tenant,
            "QIANTANG_CLIENT_ENVIRONMENT": PLACE.environment,
            "QIANTANG_CLIENT_CENTER": PLACE.center,
            "QIANTANG_CLIENT_APPLICATION": PLACE.application,
            "QIANTANG_CLIENT_INSTANCE": "greeter-1",
            "QIANTANG_CLIENT_CREDENTIAL": known.credential,
            "QIANTANG_CLIENT_SECRET": known.secret,
            "QIANTANG_CLIENT_FOLDER": str(running.kernel.folder / "demo"),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "qiantang_server.app.demo.greeter", env=environment, start_new_session=True
        )
        return cls(process)

    async def stop(self) -> None:
        """Ask the greeter to end, and end it where it does not."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def _credential(running: Running) -> _Known:
    bootstrap = identity_of(running).bootstrap
    await bootstrap.ensure_application(PLACE, "Greeter")
    file = running.kernel.folder / FILE
    held = _read(file)
    known = (held.credential, held.secret) if held is not None else None
    issued = await bootstrap.ensure_credential(PLACE, "demo", known)
    fresh = _Known(credential=issued.id, secret=issued.secret)
    if held != fresh:
        _write(file, fresh)
    return fresh


async def _first_settings(resources: Resources, running: Running) -> None:
    system = system_of(running)
    try:
        await resources.drafts.read(BUNDLE, KIND, NAMESPACE)
    except errors.NotFoundError:
        await resources.drafts.save(system, BUNDLE, KIND, NAMESPACE, FIRST, expected=release.NO_VERSION)
        command = release.PublishCommand(expected_revision=0, message="the demo's first settings")
        await resources.publishing.publish(system, BUNDLE, command)


def _read(file: Path) -> _Known | None:
    try:
        return wire.decode(file.read_bytes(), _Known)
    except (OSError, errors.InvalidRequestError):
        return None


def _write(file: Path, known: _Known) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as opened:
        opened.write(wire.encode(known))
