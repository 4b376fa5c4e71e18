"""Access: who asks, what he may do and where. Pure decisions, compiled once and checked in under a
microsecond.
"""

from qiantang_server.kernel.access.authenticator import Authenticator as Authenticator
from qiantang_server.kernel.access.authenticator import Presented as Presented
from qiantang_server.kernel.access.authenticator import Sealer as Sealer
from qiantang_server.kernel.access.explanation import Explanation as Explanation
from qiantang_server.kernel.access.explanation import Miss as Miss
from qiantang_server.kernel.access.explanation import explain as explain
from qiantang_server.kernel.access.grants import CompiledGrants as CompiledGrants
from qiantang_server.kernel.access.grants import Grant as Grant
from qiantang_server.kernel.access.guard import NotPermittedError as NotPermittedError
from qiantang_server.kernel.access.guard import NotVisibleError as NotVisibleError
from qiantang_server.kernel.access.guard import require as require
from qiantang_server.kernel.access.guard import require_known as require_known
from qiantang_server.kernel.access.permissions import VERBS as VERBS
from qiantang_server.kernel.access.permissions import Permissions as Permissions
from qiantang_server.kernel.access.predicate import Columns as Columns
from qiantang_server.kernel.access.predicate import visible as visible
from qiantang_server.kernel.access.principal import Principal as Principal
from qiantang_server.kernel.access.principal import system as system
from qiantang_server.kernel.access.target import PLATFORM as PLATFORM
from qiantang_server.kernel.access.target import Target as Target
