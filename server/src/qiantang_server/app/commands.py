"""Commands: `qiantang up` for one machine, `qiantang server` for production. Found by entry point, so nothing imports upward."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from qiantang.kernel import errors, settings
from qiantang_server.app.demo.messages import SCHEMES, Broker
from qiantang_server.app.sealed import run_sealed
from qiantang_server.app.sections import OF_OTHERS, sections
from qiantang_server.app.start import Start, run

FLAGS = {
    "database_url": "storage.url",
    "redis": "cache.redis",
    "zookeeper": "coordination.zookeeper",
    "host": "web.host",
    "port": "web.port",
    "folder": "server.folder",
}


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option("--config", "file", type=click.Path(path_type=Path, dir_okay=False), help="settings file (TOML)"),
        click.option("--database-url", help="postgresql://… or mysql://…; SQLite in the data folder if left out"),
        click.option("--redis", help="redis://host:port of the release cache; memory if left out"),
        click.option("--zookeeper", help="host:port,… of ZooKeeper; the database coordinates if left out"),
        click.option("--host", help="address to listen on (127.0.0.1)"),
        click.option("--port", type=int, help="port to listen on (8900, or the next free one)"),
        click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="data folder"),
        click.option("--set", "more", multiple=True, metavar="SECTION.KEY=VALUE", help="any other setting"),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def load(file: Path | None, more: tuple[str, ...], given: dict[str, Any]) -> settings.Loaded:
    """Read the settings: defaults, file, environment, flags.

    Raises:
        MisconfiguredError: something in them is wrong; every problem is listed.
    """
    flags: dict[str, Any] = {}
    for name, key in FLAGS.items():
        if given.get(name) is not None:
            flags[key] = settings.Flag(given[name], f"--{name.replace('_', '-')}")
    for one in more:
        key, equals, value = one.partition("=")
        if not equals:
            raise errors.MisconfiguredError(f"--set {one!r}: write section.key=value")
        flags[key] = settings.Flag(value, "--set")
    return settings.load(sections(), file=file, environment=os.environ, flags=flags, ignore_sections=OF_OTHERS)


@click.command()
@_options
@click.option("--demo", is_flag=True, help="also start the estate of examples: an order, a stock and a billing service")
@click.option("--kafka", help="host:port,… of Kafka: the demo's messages go over it; a file carries them if left out")
@click.option("--rabbitmq", help="host:port of RabbitMQ, or amqp://user:password@host:port/, for the demo's messages")
@click.option("--activemq", help="host:port of ActiveMQ, or stomp://user:password@host:port, for the demo's messages")
@click.option("--rocketmq", help="host:port of RocketMQ's name server, or rocketmq://…, for the demo's messages")
@click.option("--json", "as_json", is_flag=True, help="say what was started as one JSON object, for scripts")
@click.option("--open", "open_browser", is_flag=True, help="open the link that is printed in this machine's browser")
def up(
    *, file: Path | None, more: tuple[str, ...], demo: bool, as_json: bool, open_browser: bool, **given: Any
) -> None:
    """Start the platform on this machine.

    Without options it needs nothing else: SQLite, embedded parts, and only this machine can reach it. Ctrl-C stops it in order.
    A broker that is named carries the messages of the demo, which is started with it.
    """
    broker = _broker({name: given.pop(name) for name in SCHEMES})
    start = Start(
        loaded=load(file, more, given),
        friendly=True,
        demo=demo or broker is not None,
        broker=broker,
        as_json=as_json,
        open_browser=open_browser,
    )
    sys.exit(run(start))


def _broker(places: dict[str, str | None]) -> Broker | None:
    """Give the broker of the demo's messages, where one is named."""
    named = [Broker.at(adapter, place) for adapter, place in places.items() if place]
    if len(named) > 1:
        raise click.UsageError(f"name one broker: not --{named[0].adapter} and --{named[1].adapter}")
    return named[0] if named else None


@click.command()
@_options
def server(*, file: Path | None, more: tuple[str, ...], **given: Any) -> None:
    """Run one server of the control plane, as a service manager would.

    Servers on the same database are equals: start as many as you like behind any balancer.
    """
    loaded = load(file, more, given)
    sys.exit(run(Start(loaded=loaded, friendly=False)))


@click.group()
def keys() -> None:
    """Look after the keys that secrets are sealed with; works on the database, with or without servers running."""


@keys.command()
@_options
def rewrap(*, file: Path | None, more: tuple[str, ...], **given: Any) -> None:
    """Put every data key under the current master key.

    Add the new master key in front of `sealing.keys` (or to keyring.json) of every server first, then run this, then take the
    old one away.
    """
    moved = run_sealed(load(file, more, given), lambda sealing: sealing.rewrap())
    click.echo(f"{moved} data keys are under the current master key now", err=True)


@keys.command()
@click.argument("tenant")
@_options
def rotate(*, tenant: str, file: Path | None, more: tuple[str, ...], **given: Any) -> None:
    """Give a tenant a new data key, for what is sealed from now on; what was sealed before still opens."""
    key = run_sealed(load(file, more, given), lambda sealing: sealing.rotate_data_key(tenant))
    click.echo(key)
