"""Nouns of messaging: messages, frames, envelopes, and the estate of clusters, topics and subscriptions."""

from qiantang.messaging.model import envelope as envelope
from qiantang.messaging.model.estate import Cluster as Cluster
from qiantang.messaging.model.estate import Estate as Estate
from qiantang.messaging.model.estate import Packing as Packing
from qiantang.messaging.model.estate import Resource as Resource
from qiantang.messaging.model.estate import RetryPolicy as RetryPolicy
from qiantang.messaging.model.estate import Subscription as Subscription
from qiantang.messaging.model.estate import Topic as Topic
from qiantang.messaging.model.frame import Frame as Frame
from qiantang.messaging.model.frame import Taken as Taken
from qiantang.messaging.model.message import Answer as Answer
from qiantang.messaging.model.message import Context as Context
from qiantang.messaging.model.message import Dead as Dead
from qiantang.messaging.model.message import Died as Died
from qiantang.messaging.model.message import Header as Header
from qiantang.messaging.model.message import Message as Message
from qiantang.messaging.model.message import Retry as Retry
from qiantang.messaging.model.message import Sent as Sent
