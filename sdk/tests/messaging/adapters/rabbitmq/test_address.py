"""Addresses: what they say, what is wrong with them, and that no password is shown."""

from __future__ import annotations

import pytest

from qiantang.kernel import errors
from qiantang.messaging.adapters.rabbitmq.address import Address


def test_all_of_an_address() -> None:
    one = Address(
        "amqps://us%40er:p%2Fw%3F@host:1234/a%2Fb?queue_type=quorum&prefetch=7&heartbeat=5&cafile=/etc/ca.pem"
    )
    assert (one.queue_type, one.prefetch, one.heartbeat, one.max_message_size) == ("quorum", 7, 5, 0)
    assert one.vhost == "a/b"
    url = one.client_url("me")
    assert (url.scheme, url.user, url.password, url.host, url.port) == ("amqps", "us@er", "p/w?", "host", 1234)
    assert url.raw_path == "/a%2Fb"
    assert dict(url.query) == {"cafile": "/etc/ca.pem", "heartbeat": "5", "name": "me"}


def test_what_is_left_out() -> None:
    one = Address("amqp://host")
    assert (one.queue_type, one.vhost, one.host) == ("classic", "/", "host:5672")
    assert (one.client_url("x").user, one.client_url("x").password) == ("guest", "guest")


@pytest.mark.parametrize(
    "url",
    [
        "kafka://user:secret@host",
        "amqp://",
        "amqp://user:secret@host:x/",
        "amqp://user:secret@host/?queue_type=stream",
        "amqp://user:secret@host/?prefetch=0",
        "amqp://user:secret@host/?prefetch=many",
        "amqp://user:secret@host/?heartbeat=0",
        "amqp://user:secret@host/?acks=1",
    ],
)
def test_a_wrong_address_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(errors.MisconfiguredError) as caught:
        Address(url)
    assert "secret" not in f"{caught.value!r} {caught.value}"


def test_an_address_shows_no_password() -> None:
    assert repr(Address("amqp://user:secret@host:1/v")) == "amqp://…@host:1/v"
