"""Overview: the views over many bundles as one object with a part for each."""

from __future__ import annotations

from qiantang_server.kernel.resources import Ground
from qiantang_server.kernel.watch.overview.bundles import Bundles
from qiantang_server.kernel.watch.overview.convergence import Progress
from qiantang_server.kernel.watch.overview.work import Desk


class Overview:
    """Reads only; the permission is part of every query, so that rows and counts never tell of what may not be seen."""

    def __init__(self, parts: Ground) -> None:
        self.bundles = Bundles(parts)
        self.desk = Desk(parts)
        self.progress = Progress(parts)
