"""Service: the lists of services, and the requests to call them."""

from qiantang_server.catalog.service.listing import Listing as Listing
from qiantang_server.catalog.service.listing import Wanted as Wanted
from qiantang_server.catalog.service.requests import AccessRequests as AccessRequests
