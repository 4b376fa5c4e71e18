"""Use cases of identity: each checks, writes in one transaction with its audit row, and tells what came of it."""

from qiantang_server.identity.service.identity import Identity as Identity
from qiantang_server.identity.service.sign_in import Caller as Caller
from qiantang_server.identity.service.sign_in import SignedIn as SignedIn
