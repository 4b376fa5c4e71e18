"""Audit: who did what, where and with what outcome, in one hash chain per tenant that shows any tampering."""

from qiantang_server.kernel.audit.addresses import network as network
from qiantang_server.kernel.audit.chain import PLATFORM_CHAIN as PLATFORM_CHAIN
from qiantang_server.kernel.audit.chain import Record as Record
from qiantang_server.kernel.audit.coalescer import Coalescer as Coalescer
from qiantang_server.kernel.audit.deeds import Deed as Deed
from qiantang_server.kernel.audit.deeds import done_since as done_since
from qiantang_server.kernel.audit.denials import Denials as Denials
from qiantang_server.kernel.audit.event import CORRELATION as CORRELATION
from qiantang_server.kernel.audit.event import AuditEvent as AuditEvent
from qiantang_server.kernel.audit.event import Correlation as Correlation
from qiantang_server.kernel.audit.pruning import prune as prune
from qiantang_server.kernel.audit.timeline import Timeline as Timeline
from qiantang_server.kernel.audit.timeline import timeline as timeline
from qiantang_server.kernel.audit.trail import record as record
from qiantang_server.kernel.audit.verification import Verification as Verification
from qiantang_server.kernel.audit.verification import verify as verify
