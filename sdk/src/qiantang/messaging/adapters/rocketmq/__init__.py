"""RocketMQ as a broker, by its own remoting protocol."""

from qiantang.messaging.adapters.rocketmq.broker import RocketBroker as RocketBroker
from qiantang.messaging.adapters.rocketmq.broker import make as make
