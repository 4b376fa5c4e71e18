"""Each real message broker does what tests rely on: starts, keeps messages over kill -9, freezes and wakes."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx
import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer

from tests.servers import activemq
from tests.servers.activemq import ActiveMQ
from tests.servers.fixtures import Factory
from tests.servers.kafka import Kafka
from tests.servers.process import HOST, ask
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.remoting import LAST_OFFSET, PULL, ROUTE, SEND, RemotingError, remoting
from tests.servers.rocketmq import RocketMQ
from tests.servers.test_process import eventually

PATIENCE = 60.0
TEXT = "钱塘"


def produce(hosts: str, topic: str, *values: str, timeout: float = PATIENCE) -> list[KafkaError | None]:
    """Send messages and give what the server said to each: nothing, or an error."""
    said: list[KafkaError | None] = []

    def on_delivery(error: KafkaError | None, _: Message) -> None:
        said.append(error)

    settings = {"bootstrap.servers": hosts, "acks": "all", "message.timeout.ms": round(timeout * 1000)}
    quick = {"reconnect.backoff.max.ms": 500, "topic.metadata.propagation.max.ms": 1000, "log_level": 0}
    producer = Producer({**settings, **quick})
    for value in values:
        producer.produce(topic, value, on_delivery=on_delivery)
    assert producer.flush(PATIENCE) == 0
    return said


@contextmanager
def kafka_consumer(hosts: str, group: str, **settings: Any) -> Iterator[Consumer]:
    common = {"bootstrap.servers": hosts, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer({**common, "group.id": group, "log_level": 0, **settings})
    try:
        yield consumer
    finally:
        consumer.close()


def consume(consumer: Consumer, count: int) -> list[str]:
    """Take messages and commit them."""
    values: list[str] = []
    while len(values) < count:
        message = consumer.poll(PATIENCE)
        assert message is not None, f"only {len(values)} of {count} messages came"
        if message.error() is None:
            values.append((message.value() or b"").decode())
    consumer.commit(asynchronous=False)
    return values


def declare(server: RabbitMQ, vhost: str, queue: str, kind: str = "classic") -> None:
    server.call("PUT", f"/queues/{vhost}/{queue}", {"durable": True, "arguments": {"x-queue-type": kind}})


def publish(server: RabbitMQ, vhost: str, queue: str, text: str) -> bool:
    """Publish a persistent message, as a client that waits for the confirmation, and say whether it got to a queue."""
    message = {"routing_key": queue, "payload": text, "payload_encoding": "string", "properties": {"delivery_mode": 2}}
    return bool(server.call("POST", f"/exchanges/{vhost}/amq.default/publish", message)["routed"])


def peek(server: RabbitMQ, vhost: str, queue: str) -> list[str]:
    """Take messages from a queue and put them back."""
    how = {"count": 100, "ackmode": "ack_requeue_true", "encoding": "auto"}
    return [message["payload"] for message in server.call("POST", f"/queues/{vhost}/{queue}/get", how)]


class Stomp:
    """A STOMP client with no more than these tests need."""

    def __init__(self, server: ActiveMQ, password: str = activemq.PASSWORD, timeout: float = PATIENCE) -> None:
        self._socket = socket.create_connection((HOST, server.port), timeout)
        self._file = self._socket.makefile("rb")
        login = {"login": activemq.USER, "passcode": password}
        self.write("CONNECT", {"accept-version": "1.2", "host": HOST, "heart-beat": "0,0", **login})
        command, _, body = self.read()
        if command != "CONNECTED":
            self.close()
            raise PermissionError(body)

    def write(self, command: str, headers: dict[str, str], body: str = "") -> None:
        lines = [command, *(f"{name}:{value}" for name, value in headers.items()), "", body]
        self._socket.sendall("\n".join(lines).encode() + b"\0")

    def read(self) -> tuple[str, dict[str, str], str]:
        """Give command, headers and body of the next frame."""
        frame = b""
        while not frame.endswith(b"\0"):
            byte = self._file.read(1)
            if not byte:
                raise ConnectionError("the server closed the connection")
            frame += byte
        head, _, body = frame[:-1].decode().lstrip("\n").partition("\n\n")
        command, *lines = head.split("\n")
        return command, dict(line.split(":", 1) for line in lines), body

    def send(self, destination: str, body: str, **headers: str) -> None:
        """Send a message and wait until the server has it."""
        self.write("SEND", {"destination": destination, "receipt": body.encode().hex(), **headers}, body)
        command, answer, _ = self.read()
        assert (command, answer["receipt-id"]) == ("RECEIPT", body.encode().hex())

    def subscribe(self, destination: str) -> None:
        self.write("SUBSCRIBE", {"id": "1", "destination": destination, "ack": "auto"})

    def take(self, count: int) -> list[str]:
        """Take messages of the subscription."""
        frames = [self.read() for _ in range(count)]
        assert [command for command, _, _ in frames] == ["MESSAGE"] * count
        return [body for _, _, body in frames]

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def consumers(server: ActiveMQ, queue: str) -> int:
    with contextlib.suppress(LookupError):
        return server.queue(queue, "ConsumerCount")
    return 0


def send(server: RocketMQ, topic: str, *texts: str) -> None:
    """Send messages to the first queue of a topic, past the proxy."""
    message = {
        "producerGroup": "test",
        "topic": topic,
        "defaultTopic": "TBW102",
        "defaultTopicQueueNums": 4,
        "queueId": 0,
        "sysFlag": 0,
        "bornTimestamp": round(time.time() * 1000),
        "flag": 0,
        "properties": "",
        "reconsumeTimes": 0,
        "unitMode": "false",
        "batch": "false",
    }
    for text in texts:
        remoting(server.broker.port, SEND, message, text.encode())


def pull(server: RocketMQ, topic: str, group: str) -> list[str]:
    """Give what the first queue of a topic holds, up to 32 messages."""
    question = {
        "consumerGroup": group,
        "topic": topic,
        "queueId": 0,
        "queueOffset": 0,
        "maxMsgNums": 32,
        "sysFlag": 4,  # with a subscription
        "commitOffset": 0,
        "suspendTimeoutMillis": 0,
        "subscription": "*",
        "subVersion": 0,
        "expressionType": "TAG",
    }
    _, content = remoting(server.broker.port, PULL, question)
    texts: list[str] = []
    while content:
        (size,) = struct.unpack_from(">i", content)
        (length,) = struct.unpack_from(">i", content, 84)
        texts.append(content[88 : 88 + length].decode())
        content = content[size:]
    return texts


@pytest.mark.kafka
def test_kafka_is_shared_and_topics_are_fresh_and_apart(kafka_server: Kafka) -> None:
    first, second = kafka_server.create_topic("orders"), kafka_server.create_topic("orders", partitions=4)
    assert first != second
    assert len(kafka_server.admin().list_topics(timeout=PATIENCE).topics[second].partitions) == 4
    assert produce(kafka_server.hosts, first, TEXT) == [None]
    with kafka_consumer(kafka_server.hosts, first) as consumer:
        consumer.subscribe([first, second])
        assert consume(consumer, 1) == [TEXT]
        assert consumer.poll(0.5) is None
    kafka_server.delete_topic(first)
    kafka_server.delete_topic(second)


@pytest.mark.kafka
def test_kafka_makes_no_topic_by_itself(kafka_server: Kafka) -> None:
    (error,) = produce(kafka_server.hosts, "nowhere", TEXT)
    assert error is not None
    assert error.code() in {KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART}
    assert "nowhere" not in kafka_server.admin().list_topics(timeout=PATIENCE).topics


@pytest.mark.kafka
@pytest.mark.parametrize(
    "settings",
    [{"session.timeout.ms": 2000, "heartbeat.interval.ms": 300}, {"group.protocol": "consumer"}],
    ids=["classic", "consumer"],
)
def test_kafka_lets_a_second_member_in_soon(kafka_server: Kafka, settings: dict[str, Any]) -> None:
    topic = kafka_server.create_topic("orders", partitions=2)
    with kafka_consumer(kafka_server.hosts, topic, **settings) as first:
        first.subscribe([topic])
        eventually(lambda: first.poll(0.05) is None and len(first.assignment()) == 2)
        with kafka_consumer(kafka_server.hosts, topic, **settings) as second:
            second.subscribe([topic])
            eventually(lambda: first.poll(0.05) is second.poll(0.05) is None and len(second.assignment()) == 1, 8.0)
    kafka_server.delete_topic(topic)


@pytest.mark.kafka
def test_kafka_keeps_messages_and_offsets_over_a_kill_and_a_stop(kafka_factory: Factory[Kafka]) -> None:
    server = kafka_factory()
    hosts, topic = server.hosts, server.create_topic("orders")
    assert produce(hosts, topic, *(f"{TEXT}{number}" for number in range(50))) == [None] * 50
    with kafka_consumer(hosts, "group") as consumer:
        consumer.subscribe([topic])
        consume(consumer, 20)
    server.kill()
    (error,) = produce(hosts, topic, "lost", timeout=0.5)
    assert error is not None
    server.restart()
    assert server.hosts == hosts
    with kafka_consumer(hosts, "group") as consumer:
        consumer.subscribe([topic])
        assert consume(consumer, 20) == [f"{TEXT}{number}" for number in range(20, 40)]
    assert server.stop() == 143
    server.start()
    with kafka_consumer(hosts, "group") as consumer:
        consumer.subscribe([topic])
        assert consume(consumer, 10) == [f"{TEXT}{number}" for number in range(40, 50)]


@pytest.mark.kafka
def test_kafka_paused_acknowledges_nothing_and_resumed_goes_on(kafka_factory: Factory[Kafka]) -> None:
    server = kafka_factory()
    topic = server.create_topic("orders")
    server.pause()
    (error,) = produce(server.hosts, topic, "lost", timeout=1.0)
    assert error is not None
    assert error.code() == KafkaError._MSG_TIMED_OUT
    server.resume()
    assert produce(server.hosts, topic, TEXT) == [None]


@pytest.mark.rabbitmq
def test_rabbitmq_is_shared_and_virtual_hosts_are_fresh_and_apart(rabbitmq_server: RabbitMQ) -> None:
    urls = [rabbitmq_server.create_vhost("orders") for _ in range(2)]
    first, second = (url.rpartition("/")[2] for url in urls)
    for vhost in (first, second):
        assert rabbitmq_server.call("GET", f"/queues/{vhost}") == []
        declare(rabbitmq_server, vhost, "work")
    assert publish(rabbitmq_server, first, "work", TEXT)
    assert not publish(rabbitmq_server, first, "nowhere", TEXT)
    assert peek(rabbitmq_server, first, "work") == [TEXT]
    assert peek(rabbitmq_server, second, "work") == []
    for url in urls:
        rabbitmq_server.drop_vhost(url)
    assert not {first, second} & {vhost["name"] for vhost in rabbitmq_server.call("GET", "/vhosts")}


@pytest.mark.rabbitmq
@pytest.mark.parametrize("attempt", [1, 2])
def test_rabbitmq_url_is_an_empty_virtual_host_for_each_test(
    rabbitmq_server: RabbitMQ, rabbitmq_url: str, attempt: int
) -> None:
    vhost = rabbitmq_url.rpartition("/")[2]
    assert rabbitmq_server.call("GET", f"/queues/{vhost}") == []
    declare(rabbitmq_server, vhost, "work")


@pytest.mark.rabbitmq
def test_rabbitmq_keeps_persistent_messages_over_a_kill_and_a_stop(rabbitmq_factory: Factory[RabbitMQ]) -> None:
    server = rabbitmq_factory()
    url, vhost = server.url, server.create_vhost().rpartition("/")[2]
    for kind in ("classic", "quorum"):
        declare(server, vhost, kind, kind)
    time.sleep(2)  # the server writes down a moment later that there is such a quorum queue
    for queue in ("classic", "quorum"):
        assert publish(server, vhost, queue, TEXT)
    server.kill()
    with pytest.raises(httpx.ConnectError):
        server.call("GET", "/overview")
    server.restart()
    assert server.url == url
    assert peek(server, vhost, "classic") == peek(server, vhost, "quorum") == [TEXT]
    assert server.stop() == 0
    server.start()
    assert peek(server, vhost, "classic") == peek(server, vhost, "quorum") == [TEXT]


@pytest.mark.rabbitmq
def test_rabbitmq_paused_is_silent_and_resumed_answers(rabbitmq_factory: Factory[RabbitMQ]) -> None:
    server = rabbitmq_factory()
    server.pause()
    with pytest.raises(httpx.ReadTimeout):
        server.call("GET", "/overview", timeout=0.5)
    with pytest.raises(TimeoutError):
        ask(server.port, b"AMQP\x00\x00\x09\x01", timeout=0.5)
    server.resume()
    server.wait_ready()


@pytest.mark.activemq
def test_activemq_is_shared_and_counts_what_a_queue_holds(activemq_server: ActiveMQ) -> None:
    first, second = activemq_server.new_name("orders"), activemq_server.new_name("orders")
    assert first != second
    with Stomp(activemq_server) as client:
        for number in range(3):
            client.send(f"/queue/{first}", f"{TEXT}{number}")
    with pytest.raises(LookupError):
        activemq_server.queue(second)
    eventually(lambda: activemq_server.queue(first) == 3)
    with Stomp(activemq_server) as client:
        client.subscribe(f"/queue/{first}")
        assert client.take(3) == [f"{TEXT}{number}" for number in range(3)]
        eventually(lambda: activemq_server.queue(first) == 0)
        client.send(f"/queue/{second}", TEXT)
    eventually(lambda: activemq_server.queue(second) == 1)
    activemq_server.purge(second)
    assert activemq_server.queue(second) == 0


@pytest.mark.activemq
def test_activemq_copies_a_virtual_topic_to_each_group_and_delays(activemq_server: ActiveMQ) -> None:
    topic = f"VirtualTopic.{activemq_server.new_name('orders')}"
    with Stomp(activemq_server) as one, Stomp(activemq_server) as two, Stomp(activemq_server) as sender:
        one.subscribe(f"/queue/Consumer.one.{topic}")
        two.subscribe(f"/queue/Consumer.two.{topic}")
        for group in ("one", "two"):
            eventually(lambda queue=f"Consumer.{group}.{topic}": consumers(activemq_server, queue) == 1)
        began = time.monotonic()
        sender.send(f"/topic/{topic}", TEXT, AMQ_SCHEDULED_DELAY="1000")
        assert one.take(1) == two.take(1) == [TEXT]
        assert time.monotonic() - began > 0.9


@pytest.mark.activemq
def test_activemq_lets_nobody_in_without_the_password(activemq_server: ActiveMQ) -> None:
    with pytest.raises(PermissionError):
        Stomp(activemq_server, password="wrong")
    assert httpx.get(activemq_server.http_url, trust_env=False).status_code == 401


@pytest.mark.activemq
def test_activemq_keeps_persistent_messages_over_a_kill_and_a_stop(activemq_factory: Factory[ActiveMQ]) -> None:
    server = activemq_factory()
    url = server.url
    with Stomp(server) as client:
        for number in range(50):
            client.send("/queue/kept", f"{TEXT}{number}", persistent="true")
    server.kill()
    with pytest.raises(ConnectionRefusedError):
        Stomp(server)
    server.restart()
    assert server.url == url
    assert server.queue("kept") == 50
    assert server.stop() == 143
    server.start()
    with Stomp(server) as client:
        client.subscribe("/queue/kept")
        assert client.take(50) == [f"{TEXT}{number}" for number in range(50)]


@pytest.mark.activemq
def test_activemq_paused_is_silent_and_resumed_goes_on(activemq_factory: Factory[ActiveMQ]) -> None:
    server = activemq_factory()
    with Stomp(server) as client:
        server.pause()
        with pytest.raises(httpx.ReadTimeout):
            server.queue("any", "QueueSize", timeout=0.5)
        with pytest.raises(TimeoutError):
            Stomp(server, timeout=0.5)
        server.resume()
        server.wait_ready()
        client.send("/queue/any", TEXT)


@pytest.mark.rocketmq
def test_rocketmq_is_shared_and_topics_are_fresh_and_apart(rocketmq_server: RocketMQ) -> None:
    first, second = rocketmq_server.create_topic("orders"), rocketmq_server.create_topic("orders", kind="FIFO")
    group, other = rocketmq_server.create_group("billing"), rocketmq_server.create_group("billing", orderly=True)
    assert len({first, second, group, other}) == 4
    send(rocketmq_server, first, TEXT, "2")
    assert pull(rocketmq_server, first, group) == [TEXT, "2"]
    with pytest.raises(RemotingError, match="19: "):  # PULL_NOT_FOUND
        pull(rocketmq_server, second, other)
    for topic in (first, second):
        _, route = remoting(rocketmq_server.names.port, ROUTE, {"topic": topic})
        assert str(rocketmq_server.broker.port).encode() in route


@pytest.mark.rocketmq
def test_rocketmq_makes_no_topic_and_no_group_by_itself(rocketmq_server: RocketMQ) -> None:
    topic = rocketmq_server.create_topic("orders")
    with pytest.raises(RemotingError, match="nowhere"):
        send(rocketmq_server, "nowhere", TEXT)
    with pytest.raises(RemotingError, match="nobody"):
        pull(rocketmq_server, topic, "nobody")


@pytest.mark.rocketmq
@pytest.mark.timeout(300)  # it starts seven servers
def test_rocketmq_keeps_messages_over_a_kill_of_the_broker_and_of_all(rocketmq_factory: Factory[RocketMQ]) -> None:
    server = rocketmq_factory()
    hosts, topic, group = server.hosts, server.create_topic("orders"), server.create_group()
    texts = [f"{TEXT}{number}" for number in range(20)]
    send(server, topic, *texts)
    server.broker.kill()
    with pytest.raises(ConnectionRefusedError):
        send(server, topic, TEXT)
    assert server.names.running
    assert server.proxy.running
    server.broker.start()
    assert pull(server, topic, group) == texts
    server.kill()
    server.start()
    assert server.hosts == hosts
    assert pull(server, topic, group) == texts


@pytest.mark.rocketmq
def test_rocketmq_paused_is_silent_and_resumed_answers(rocketmq_factory: Factory[RocketMQ]) -> None:
    server = rocketmq_factory()
    topic = server.create_topic("orders")
    server.pause()
    with pytest.raises(TimeoutError):
        remoting(server.broker.port, LAST_OFFSET, {"topic": topic, "queueId": 0}, timeout=0.5)
    with pytest.raises(TimeoutError):
        server.proxy.probe()
    server.resume()
    server.wait_ready()
    send(server, topic, TEXT)
