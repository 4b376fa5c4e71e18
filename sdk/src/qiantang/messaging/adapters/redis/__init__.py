"""Redis as the memory of what was handled."""

from qiantang.messaging.adapters.redis.seen import RedisSeen as RedisSeen
from qiantang.messaging.adapters.redis.seen import make as make
