"""The uplink: one line from a process to the control plane."""

from qiantang.kernel.uplink.address import Address as Address
from qiantang.kernel.uplink.addresses import AddressSource as AddressSource
from qiantang.kernel.uplink.answers import UnexpectedAnswerError as UnexpectedAnswerError
from qiantang.kernel.uplink.events import Event as Event
from qiantang.kernel.uplink.events import EventStream as EventStream
from qiantang.kernel.uplink.line import BrokenError as BrokenError
from qiantang.kernel.uplink.line import Tls as Tls
from qiantang.kernel.uplink.line import UnreachableError as UnreachableError
from qiantang.kernel.uplink.standing import Standing as Standing
from qiantang.kernel.uplink.uplink import Limits as Limits
from qiantang.kernel.uplink.uplink import Uplink as Uplink
