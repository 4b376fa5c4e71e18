"""The client of configuration: what an application calls."""

from qiantang.config.client.binding import MismatchError as MismatchError
from qiantang.config.client.binding import NotOpenError as NotOpenError
from qiantang.config.client.callbacks import Failure as Failure
from qiantang.config.client.client import DEFAULT_LIMIT as DEFAULT_LIMIT
from qiantang.config.client.client import MAX_LIMIT as MAX_LIMIT
from qiantang.config.client.client import ConfigClient as ConfigClient
from qiantang.config.client.client import Subscription as Subscription
from qiantang.config.client.event import Change as Change
from qiantang.config.client.event import Event as Event
from qiantang.config.client.event import Listener as Listener
from qiantang.config.client.live import LiveResource as LiveResource
from qiantang.config.client.live import NotBuiltError as NotBuiltError
from qiantang.config.client.state import Pinned as Pinned
