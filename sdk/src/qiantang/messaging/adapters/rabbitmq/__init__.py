"""RabbitMQ as a broker, on plain connections of aiormq, which aio-pika stands on."""

from qiantang.messaging.adapters.rabbitmq.broker import RabbitBroker as RabbitBroker
from qiantang.messaging.adapters.rabbitmq.broker import make as make
