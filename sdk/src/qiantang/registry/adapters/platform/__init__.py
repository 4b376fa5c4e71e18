"""The platform's own registry: leases and streams of the control plane, over the line that a process has to it anyway."""

from qiantang.registry.adapters.platform.registry import PlatformRegistry as PlatformRegistry
from qiantang.registry.adapters.platform.registry import make as make
