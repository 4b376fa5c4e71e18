"""Service: dead letters of applications, reached from the console."""

from qiantang_server.messaging.service.buses import Buses as Buses
from qiantang_server.messaging.service.dead_letters import DeadLetters as DeadLetters
