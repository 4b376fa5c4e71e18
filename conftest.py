"""What all tests share: the fixtures of the real servers and of the product, and how long properties are searched.

`QIANTANG_TEST_EXAMPLES` sets how many examples a property is tried with that does not say so itself: few in `make check`, many in
`make test`. No example is judged by its time: the machine may be busy.
"""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.servers.fixtures", "tests.servers.product"]

settings.register_profile(
    "house",
    max_examples=int(os.environ.get("QIANTANG_TEST_EXAMPLES", "20")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")
