"""Kafka as a broker, on librdkafka."""

from qiantang.messaging.adapters.kafka.broker import KafkaBroker as KafkaBroker
from qiantang.messaging.adapters.kafka.broker import make as make
