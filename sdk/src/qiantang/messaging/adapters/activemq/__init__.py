"""ActiveMQ Classic as a broker, over STOMP 1.2."""

from qiantang.messaging.adapters.activemq.broker import ActiveMQBroker as ActiveMQBroker
from qiantang.messaging.adapters.activemq.broker import make as make
