"""Storage: one database under every room. SQLite by default, PostgreSQL and MySQL/MariaDB for real."""

from qiantang_server.kernel.storage.engine import Database as Database
from qiantang_server.kernel.storage.engine import Session as Session
from qiantang_server.kernel.storage.schema import Millis as Millis
from qiantang_server.kernel.storage.schema import Text as Text
from qiantang_server.kernel.storage.schema import metadata as metadata
from qiantang_server.kernel.storage.schema import name_column as name_column
from qiantang_server.kernel.storage.schema import now as now
from qiantang_server.kernel.storage.settings import StorageSettings as StorageSettings
