"""Databases as brokers: SQLite, PostgreSQL, MySQL and MariaDB."""

from qiantang.messaging.adapters.sql.broker import SqlBroker as SqlBroker
from qiantang.messaging.adapters.sql.broker import make as make
