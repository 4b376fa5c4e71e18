"""The mirror: a local, atomic, frozen snapshot of the resources that an application watches."""

from qiantang.kernel.mirror.listeners import Subscription as Subscription
from qiantang.kernel.mirror.mirror import Mirror as Mirror
from qiantang.kernel.mirror.swap import ContentRejectedError as ContentRejectedError
from qiantang.kernel.mirror.view import APPLIED as APPLIED
from qiantang.kernel.mirror.view import BundleStatus as BundleStatus
from qiantang.kernel.mirror.view import Listener as Listener
from qiantang.kernel.mirror.view import MirrorStatus as MirrorStatus
from qiantang.kernel.mirror.view import MirrorView as MirrorView
from qiantang.kernel.mirror.view import Outcome as Outcome
from qiantang.kernel.mirror.view import Prepare as Prepare
