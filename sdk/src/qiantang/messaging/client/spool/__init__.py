"""The offline store: what is to be sent while a broker is away is kept on disk, and sent in its order once it is back."""

from qiantang.messaging.client.spool.folders import Folder as Folder
from qiantang.messaging.client.spool.folders import adopt as adopt
from qiantang.messaging.client.spool.folders import claim as claim
from qiantang.messaging.client.spool.records import Record as Record
from qiantang.messaging.client.spool.slots import Slots as Slots
from qiantang.messaging.client.spool.slots import State as State
from qiantang.messaging.client.spool.slots import slot_of as slot_of
from qiantang.messaging.client.spool.spool import Spool as Spool
