"""The client of messaging: what an application calls."""

from qiantang.messaging.client.bus import MessageBus as MessageBus
from qiantang.messaging.client.handlers import Item as Item
from qiantang.messaging.client.interceptors import ConsumeInterceptor as ConsumeInterceptor
from qiantang.messaging.client.interceptors import SendInterceptor as SendInterceptor
from qiantang.messaging.client.routing import Route as Route
from qiantang.messaging.client.routing import Router as Router
