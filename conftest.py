"""What all tests share: the fixtures of the real servers and of the product."""

pytest_plugins = ["tests.servers.fixtures", "tests.servers.product"]
