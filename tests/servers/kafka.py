"""Kafka: one server that is broker and controller, with group timeouts short enough for tests."""

from __future__ import annotations

import base64
import itertools
import logging
import os
import socket

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.servers import certificates, jars, ports
from tests.servers.process import HOST, Process, run

_SETTINGS = (
    "process.roles=broker,controller",
    "node.id=1",
    "controller.listener.names=CONTROLLER",
    "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name=PLAINTEXT",
    "auto.create.topics.enable=false",
    # One server and one partition for each of its own topics: they are made at first use, while somebody waits.
    "offsets.topic.replication.factor=1",
    "offsets.topic.num.partitions=1",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    "transaction.state.log.num.partitions=1",
    "share.coordinator.state.topic.replication.factor=1",
    "share.coordinator.state.topic.min.isr=1",
    "share.coordinator.state.topic.num.partitions=1",
    # A server that was killed is let in again when its old registration has run out: after 9 s otherwise.
    "broker.session.timeout.ms=2000",
    "broker.heartbeat.interval.ms=250",
    "group.initial.rebalance.delay.ms=0",
    "group.min.session.timeout.ms=1000",
    # group.protocol=consumer takes its times from the server, and joins after 5 to 10 s without these.
    "group.consumer.min.heartbeat.interval.ms=200",
    "group.consumer.heartbeat.interval.ms=300",
    "group.consumer.min.session.timeout.ms=1000",
    "group.consumer.session.timeout.ms=2000",
    "log.cleaner.dedupe.buffer.size=16777216",
    "num.network.threads=2",
    "num.io.threads=4",
    "background.threads=2",
)
_LOG = """\
<Configuration status="WARN">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %c{1}: %m%n"/></Console></Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""
_TIMEOUT = 30.0
_PROBE = 2.0
_QUIET = logging.getLogger("tests.servers.kafka")  # without one librdkafka tells stderr of each refused connection
_QUIET.setLevel(logging.CRITICAL)


class Kafka(Process):
    """A Kafka broker. It makes no topic by itself, and what it acknowledged outlives a kill.

    A consumer of `group.protocol=classic` may set `session.timeout.ms` down to 1000; one of `consumer` has 2 s.
    """

    name = "kafka"

    def __init__(self) -> None:
        super().__init__()
        self.port, self.tls_port, self._controller = ports.take_many(3)
        self._topics = itertools.count(1)

    @staticmethod
    def missing() -> list[str]:
        return jars.missing("kafka")

    @property
    def hosts(self) -> str:
        """The `bootstrap.servers` for a client."""
        return f"{HOST}:{self.port}"

    def prepare(self) -> None:
        own = (
            f"controller.quorum.voters=1@{HOST}:{self._controller}",
            f"listeners=PLAINTEXT://{HOST}:{self.port},SSL://{HOST}:{self.tls_port},CONTROLLER://{HOST}:{self._controller}",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={certificates.make(self.folder).chain}",
            f"log.dirs={self.folder / 'data'}",
        )
        (self.folder / "server.properties").write_text("\n".join((*own, *_SETTINGS)) + "\n")
        (self.folder / "log4j2.xml").write_text(_LOG)
        # A cluster's number is 16 bytes; one that began with a dash would be taken for an option.
        cluster = "A" + base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")[1:]
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self.folder / "server.properties")]
        run([*self._java(), *tool], self.folder)

    def argv(self) -> list[str]:
        return [*self._java(), "kafka.Kafka", str(self.folder / "server.properties")]

    def _java(self) -> list[str]:
        classes = str(jars.folder("kafka") / "*")
        return jars.java("256m", f"-Dlog4j2.configurationFile={self.folder / 'log4j2.xml'}", "-cp", classes)

    def probe(self) -> None:
        """Ask for the offsets of a group: groups work then, and the first test need not wait until they do."""
        socket.create_connection((HOST, self.port), 1.0).close()
        # By a consumer: an AdminClient that is told to look for another coordinator ends this process (librdkafka 2.16.0).
        consumer = Consumer({**self._client(), "group.id": "probe"}, logger=_QUIET)
        try:
            consumer.committed([TopicPartition("probe", 0)], timeout=_PROBE)
        finally:
            consumer.close()

    def admin(self) -> AdminClient:
        """Give a client for the server's topics and groups."""
        return AdminClient(self._client(), logger=_QUIET)

    def _client(self) -> dict[str, str | int | float | bool]:
        return {"bootstrap.servers": self.hosts, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100}

    def create_topic(self, name: str = "test", *, partitions: int = 1) -> str:
        """Create an empty topic, a new one at each call (NAME_1, NAME_2, …), and give its name."""
        fresh = f"{name}_{next(self._topics)}"
        admin = self.admin()  # kept until the answer is there: without it the answer comes to nobody
        for made in admin.create_topics([NewTopic(fresh, partitions, 1)], request_timeout=_TIMEOUT).values():
            made.result(_TIMEOUT)
        return fresh

    def delete_topic(self, name: str) -> None:
        """Remove a topic with all that is in it."""
        admin = self.admin()
        for gone in admin.delete_topics([name], request_timeout=_TIMEOUT).values():
            gone.result(_TIMEOUT)
