"""Resources: the one life of every governed thing. Draft, check, diff, approve, publish, gray, roll back, history."""

from qiantang_server.kernel.resources.directory import ApplicationDirectory as ApplicationDirectory
from qiantang_server.kernel.resources.directory import EveryApplication as EveryApplication
from qiantang_server.kernel.resources.kinds import Kinds as Kinds
from qiantang_server.kernel.resources.kinds import Limits as Limits
from qiantang_server.kernel.resources.kinds import ResourceKind as ResourceKind
from qiantang_server.kernel.resources.service import Ground as Ground
from qiantang_server.kernel.resources.service import Resources as Resources
