"""Resources: the one life of governed things, as one object with a part for each side of it."""

from __future__ import annotations

from qiantang_server.kernel.resources.service.drafts import Drafts
from qiantang_server.kernel.resources.service.gray import GrayReleases
from qiantang_server.kernel.resources.service.ground import Ground
from qiantang_server.kernel.resources.service.history import History
from qiantang_server.kernel.resources.service.publishing import Publishing
from qiantang_server.kernel.resources.service.requests import Requests
from qiantang_server.kernel.resources.service.retention import Retention


class Resources:
    """Draft → check → diff → (approve) → publish → roll back, for every kind alike."""

    def __init__(self, parts: Ground) -> None:
        self.parts = parts
        self.drafts = Drafts(parts)
        self.publishing = Publishing(parts)
        self.gray = GrayReleases(parts, self.publishing)
        self.requests = Requests(parts, self.publishing, self.gray)
        self.history = History(parts)
        self.retention = Retention(parts)
