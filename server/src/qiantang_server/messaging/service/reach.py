"""Reach: which published addresses a server opens, and with what of their parameters.

Who publishes names the address; the server that opens it is another machine, with files, commands and secrets of its own. So only
adapters and parameters that are listed here are used: none that names a command, a library or a name service, none that has a
driver take credentials which are not in the address, files only below the folders that the settings name.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import exc
from sqlalchemy.engine import URL, make_url

from qiantang.kernel import errors, plugins
from qiantang.messaging.adapters.sharing import addresses
from qiantang.messaging.model import Cluster, Estate, Resource
from qiantang_server.messaging.service.failures import NoDeadLetterStoreError, NotReachableError
from qiantang_server.messaging.settings import MessagingSettings

INSTEAD: Final = "`qiantang dead` does it where the application runs"


class Known(NamedTuple):
    """What a server uses of an adapter's addresses: their schemes, parameters, and those parameters that name files."""

    schemes: frozenset[str]
    parameters: frozenset[str]
    files: frozenset[str] = frozenset()


_TLS_FILES: Final = frozenset({"cafile", "capath", "certfile", "keyfile"})
_DATABASES: Final = {
    "postgresql": frozenset({"ssl"}),
    "postgres": frozenset({"ssl"}),
    "mysql": frozenset[str](),
    "mariadb": frozenset[str](),
}
_BROKERS: Final[Mapping[str, Known]] = {
    "kafka": Known(
        frozenset({"kafka"}),
        frozenset(
            {
                "broker.address.family",
                "compression.type",
                "enable.ssl.certificate.verification",
                "heartbeat.interval.ms",
                "linger.ms",
                "message.max.bytes",
                "partitioner",
                "sasl.mechanism",
                "sasl.mechanisms",
                "sasl.password",
                "sasl.username",
                "security.protocol",
                "session.timeout.ms",
                "socket.timeout.ms",
                "ssl.ca.pem",
                "ssl.endpoint.identification.algorithm",
            }
        ),
        frozenset({"ssl.ca.location", "ssl.certificate.location", "ssl.key.location"}),
    ),
    "rabbitmq": Known(
        frozenset({"amqp", "amqps"}),
        frozenset({"queue_type", "prefetch", "heartbeat", "max_message_size", "no_verify_ssl"}),
        _TLS_FILES,
    ),
    "activemq": Known(
        frozenset({"stomp", "stomp+ssl"}),
        frozenset({"prefetch", "heartbeat", "max_message_size", "priorities", "scheduler", "no_verify_ssl"}),
        _TLS_FILES,
    ),
    "rocketmq": Known(
        frozenset({"rocketmq", "rocketmq+ssl"}), frozenset({"cluster", "tls_name", "no_verify_ssl"}), _TLS_FILES
    ),
}
_MECHANISMS: Final = frozenset({"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"})
"""Of Kafka: the others run a command, or ask a third party."""


class Reached(NamedTuple):
    """An estate as a server opens it, and why it leaves topics out."""

    estate: Estate
    faults: Mapping[str, str]


class Reach:
    """What the settings allow."""

    def __init__(self, settings: MessagingSettings) -> None:
        self._hosts = [one.strip().lower() for one in settings.hosts.split(",") if one.strip()]
        self._folders = [Path(one.strip()).resolve() for one in settings.file_folders.split(",") if one.strip()]

    def take(self, estate: Estate) -> Reached:
        """Give what of an estate dead letters need: its store, its brokers and topics; nobody consumes or keeps anything.

        Raises:
            NoDeadLetterStoreError: it has none.
            NotReachableError: the store may not be opened.
        """
        if estate.store is None:
            raise NoDeadLetterStoreError(
                "this application has no store for dead letters: publish a message policy `default` with `store`, the "
                "address of a database, and `dead_letters`"
            )
        fault = self._fault(estate.store.adapter, Resource(name="store", url=estate.store.url))
        if fault:
            raise NotReachableError(f"the store of the message policy is not opened from here: {fault}; {INSTEAD}")
        wrong = {one.name: self._fault_of(one) for one in estate.clusters}
        faults = {
            one.name: f"its cluster {name} is not opened from here: {wrong.get(name) or 'it is not declared'}; {INSTEAD}"
            for one in estate.topics
            for name in one.clusters
            if wrong.get(name) != ""
        }
        clusters = [one for one in estate.clusters if not wrong[one.name]]
        topics = [msgspec.structs.replace(one, shrink=None, backlog=None) for one in estate.topics]
        topics = [one for one in topics if one.name not in faults]
        return Reached(Estate(clusters=clusters, topics=topics, store=estate.store), faults)

    def _fault_of(self, cluster: Cluster) -> str:
        """Say why a cluster is not opened; nothing where it is."""
        found = (self._fault(cluster.adapter, one) or _unmade(cluster.adapter, one) for one in cluster.resources)
        return next(filter(None, found), "")

    def _fault(self, adapter: str, resource: Resource) -> str:
        try:
            if adapter == "sql":
                return self._database(make_url(resource.url))
            known = _BROKERS.get(adapter)
            if known is None:
                kept = "is in the memory of a process" if adapter == "memory" else "is not known to the console"
                return f"the adapter {adapter} {kept}"
            return self._broker(known, resource.url)
        except (exc.ArgumentError, ValueError):
            return "its address cannot be read"
        except errors.MisconfiguredError as error:
            return error.detail

    def _database(self, url: URL) -> str:
        kind = url.drivername.partition("+")[0]
        if kind == "sqlite":
            return self._file_database(url)
        allowed = _DATABASES.get(kind)
        if allowed is None:
            return f"{kind} is no database that is known here"
        if not url.username or (
            kind.startswith("postgres") and not url.password
        ):  # whose driver looks for one elsewhere
            return "its address has no name and password, and the server uses none of its own"
        return self._parameters(url.query, allowed) or self._host(url.host or "")

    def _file_database(self, url: URL) -> str:
        path = Path(url.database or "")
        if url.query or url.database == ":memory:" or not path.is_absolute():
            return "a database of SQLite is named by the whole path of its file, without parameters"
        if fault := self._file(str(path)):
            return fault
        return "" if path.is_file() else f"the server has no file {path}"

    def _broker(self, known: Known, url: str) -> str:
        scheme = url.partition("://")[0]
        if scheme not in known.schemes:
            return f"{scheme[:20]!r} is none of {', '.join(sorted(known.schemes))}"
        if "kafka" in known.schemes or "rocketmq" in known.schemes:
            written = addresses.of_hosts(url, known.schemes, "broker", f"{scheme}://host")
            hosts = list(_hosts(written.hosts))
        else:
            written = addresses.of_host(url, dict.fromkeys(known.schemes, 1), "broker", f"{scheme}://host")
            hosts = [written.host]
        said = written.said
        faults = [
            self._parameters(said, known.parameters | known.files),
            *(self._file(said[name]) for name in sorted(known.files & said.keys())),
            *(self._host(one) for one in hosts),
            _mechanism(said, has_user=written.user is not None) if "kafka" in known.schemes else "",
        ]
        return next(filter(None, faults), "")

    def _parameters(self, said: Mapping[str, object], allowed: frozenset[str]) -> str:
        unknown = sorted(said.keys() - allowed)
        return f"the parameter {unknown[0][:60]!r} of its address is not used by the console" if unknown else ""

    def _host(self, host: str) -> str:
        if host and any(fnmatch.fnmatchcase(host.lower(), one) for one in self._hosts):
            return ""
        return f"messaging.hosts of the servers does not allow the host {host[:100]!r}"

    def _file(self, name: str) -> str:
        path = Path(name)
        if path.is_absolute() and any(path.resolve().is_relative_to(one) for one in self._folders):
            return ""
        return "it names a file, and messaging.file_folders of the servers does not allow the folder"


def _hosts(text: str) -> Iterator[str]:
    """Give the hosts of an address with several, without their ports."""
    for one in text.split(","):
        inside, bracket, _ = one.strip().removeprefix("[").partition("]")
        yield inside if bracket else inside.rpartition(":")[0] or inside


def _mechanism(said: Mapping[str, str], *, has_user: bool) -> str:
    named = {said[name].upper() for name in ("sasl.mechanism", "sasl.mechanisms") if name in said}
    if named - _MECHANISMS:
        return f"it signs in by {min(named - _MECHANISMS)[:40]}, and the console by {', '.join(sorted(_MECHANISMS))}"
    if said.get("security.protocol", "").upper().startswith("SASL") and not (named or has_user):
        return "it does not say by which mechanism to sign in"
    return ""


def _unmade(adapter: str, resource: Resource) -> str:
    """Say what keeps an adapter from an address, without connecting."""
    try:
        plugins.load(plugins.adapters("messaging"), adapter)(resource)
    except errors.QiantangError as error:
        return error.detail
    return ""
