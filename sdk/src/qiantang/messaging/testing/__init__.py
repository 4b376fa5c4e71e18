"""Testing: the conformance suite that every adapter must pass, and what tests of applications use.

A broker in memory needs nothing here: an estate whose cluster has the adapter `memory` is one.
"""

from qiantang.messaging.testing.conformance import BrokerConformance as BrokerConformance
from qiantang.messaging.testing.rig import PLACE as PLACE
from qiantang.messaging.testing.rig import Rig as Rig
from qiantang.messaging.testing.rig import Taker as Taker
from qiantang.messaging.testing.rig import until as until
