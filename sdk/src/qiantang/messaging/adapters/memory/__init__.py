"""The broker in memory."""

from qiantang.messaging.adapters.memory.broker import MemoryBroker as MemoryBroker
from qiantang.messaging.adapters.memory.broker import MemoryReceiver as MemoryReceiver
from qiantang.messaging.adapters.memory.broker import Space as Space
from qiantang.messaging.adapters.memory.broker import make as make
from qiantang.messaging.adapters.memory.broker import space_of as space_of
