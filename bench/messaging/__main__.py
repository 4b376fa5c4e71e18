"""Benchmark of messaging: its goals (issue 5), and what measures them."""

from __future__ import annotations

import sys

from bench.figures import Goal
from bench.measurements import Measurement, main

GOALS = [
    Goal("send_cpu_us", "the framework's own CPU to send 1 KB with key, tag and header, many at once", at_most=15),
    Goal("consume_cpu_us", "the same to consume it: typed, with its context", at_most=15),
    Goal("consume_ordered_cpu_us", "the same in order of 100 keys"),
    Goal("send_one_cpu_us", "the same to send, one `await send` each, 500 at a time"),
    Goal("sql_per_s", "messages of 1 KB a second through PostgreSQL, first send to last settled, sent 500 at a time"),
    Goal("sql_send_per_s", "the sends of these, while they are consumed"),
    Goal("pgqueuer_per_s", "the same through pgqueuer"),
    Goal("procrastinate_per_s", "the same through procrastinate"),
    Goal("sql_vs_pgqueuer", "ours over pgqueuer's", at_least=3),
    Goal("sql_vs_procrastinate", "ours over procrastinate's", at_least=10),
    Goal("spool_per_s", "messages of 1 KB a second onto the disk while Kafka is away", at_least=20_000),
    Goal("drain_per_s", "messages a second sent back in order once it is there", at_least=10_000),
    Goal("outage_rss_mb", "growth of memory in a minute's outage at full sending rate", at_most=64),
    Goal("kafka_send_per_s", "messages of 1 KB sent to Kafka a second, 500 in a call, typed, with key and header"),
    Goal("kafka_raw_send_per_s", "the same by confluent-kafka used directly"),
    Goal("kafka_vs_raw_send", "ours over that", at_least=0.7),
    Goal("kafka_consume_per_s", "messages of 1 KB consumed from Kafka a second, typed, at least once"),
    Goal("kafka_raw_consume_per_s", "the same by confluent-kafka used directly, in batches"),
    Goal("kafka_vs_raw_consume", "ours over that", at_least=0.7),
    Goal("faststream_per_s", "the same through FastStream, each message acknowledged once it is handled"),
    Goal("kafka_vs_faststream", "ours over FastStream's", at_least=4),
    Goal("rabbit_per_s", "messages of 1 KB a second through RabbitMQ, first send to last settled, sent 500 at a time"),
    Goal("raw_rabbit_per_s", "the same by aio-pika used directly"),
    Goal("rabbit_vs_raw", "ours over that", at_least=0.8),
    Goal("activemq_per_s", "the same through ActiveMQ"),
    Goal("raw_activemq_per_s", "the same by stompman used directly"),
    Goal("activemq_vs_raw", "ours over that", at_least=0.8),
    Goal("rocketmq_per_s", "the same through RocketMQ"),
    Goal("official_rocketmq_per_s", "the same by its official Python client"),
    Goal("rocketmq_vs_official", "ours over that", at_least=2),
]
MEASUREMENTS = [
    Measurement(
        "cpu",
        "bench.messaging.cpu.measure",
        ("send_cpu_us", "consume_cpu_us", "consume_ordered_cpu_us", "send_one_cpu_us"),
        deadline=180,
    ),
    Measurement(
        "sql",
        "bench.messaging.sql.measure",
        (
            "sql_per_s",
            "sql_send_per_s",
            "pgqueuer_per_s",
            "procrastinate_per_s",
            "sql_vs_pgqueuer",
            "sql_vs_procrastinate",
        ),
        deadline=600,
    ),
    Measurement(
        "kafka",
        "bench.messaging.kafka.measure",
        (
            "kafka_send_per_s",
            "kafka_raw_send_per_s",
            "kafka_vs_raw_send",
            "kafka_consume_per_s",
            "kafka_raw_consume_per_s",
            "kafka_vs_raw_consume",
            "faststream_per_s",
            "kafka_vs_faststream",
        ),
        deadline=600,
    ),
    Measurement(
        "brokers",
        "bench.messaging.brokers.measure",
        (
            "rabbit_per_s",
            "raw_rabbit_per_s",
            "rabbit_vs_raw",
            "activemq_per_s",
            "raw_activemq_per_s",
            "activemq_vs_raw",
        ),
        deadline=600,
    ),
    Measurement(
        "rocketmq",
        "bench.messaging.rocketmq.measure",
        ("rocketmq_per_s", "official_rocketmq_per_s", "rocketmq_vs_official"),
        deadline=900,
    ),
    Measurement(
        "outage",
        "bench.messaging.outage.measure",
        ("spool_per_s", "drain_per_s", "outage_rss_mb"),
        deadline=400,
    ),
]

if __name__ == "__main__":
    sys.exit(main("bench.messaging", "messaging", GOALS, MEASUREMENTS))
