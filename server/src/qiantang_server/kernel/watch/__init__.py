"""Watch: the one way out of the control plane. Outbox, relay, streams of notices, deliveries, and who received what."""

from qiantang_server.kernel.watch.settings import WatchSettings as WatchSettings
from qiantang_server.kernel.watch.watch import Watch as Watch
