"""Addresses: what they say, what is wrong with them, and that no password is shown."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from qiantang.kernel import errors
from qiantang.messaging.adapters.activemq.address import Address


def test_all_of_an_address() -> None:
    jolokia = quote("https://ad%40min:p%3Aw@other/hawtio/jolokia/", safe="")
    one = Address(
        "stomp://us%40er:p%2Fw%3F@host:1234?prefetch=7&heartbeat=5&max_message_size=99&priorities=true&scheduler=true"
        f"&jolokia={jolokia}"
    )
    assert (one.host, one.port, one.user, one.password) == ("host", 1234, "us@er", "p/w?")
    assert (one.prefetch, one.heartbeat, one.max_message_size, one.priorities, one.scheduler) == (7, 5, 99, True, True)
    assert one.tls is None
    assert one.jolokia is not None
    assert f"{one.jolokia.address}" == "https://other"
    assert (one.jolokia.path, one.jolokia.user, one.jolokia.password) == ("/hawtio/jolokia", "ad@min", "p:w")


def test_what_is_left_out() -> None:
    one = Address("stomp://host")
    assert (one.port, one.user, one.password, one.priorities, one.scheduler) == (61613, "", "", False, False)
    assert one.jolokia is None
    safe = Address("stomp+ssl://host?no_verify_ssl=true")
    assert safe.port == 61614
    assert safe.tls is not None
    assert not safe.tls.check_hostname


@pytest.mark.parametrize(
    "url",
    [
        "amqp://user:secret@host",
        "stomp://",
        "stomp://user:secret@host:x",
        "stomp://user:secret@host/queue",
        "stomp://user:secret@host?prefetch=0",
        "stomp://user:secret@host?prefetch=many",
        "stomp://user:secret@host?priorities=yes",
        "stomp://user:secret@host?cafile=/etc/ca.pem",
        "stomp+ssl://user:secret@host?cafile=/not/there.pem",
        "stomp://user:secret@host?jolokia=ftp%3A%2F%2Fadmin%3Asecret%40host",
        "stomp://user:secret@host?jolokia=http%3A%2F%2Fadmin%3Asecret%40host%3Ax",
    ],
)
def test_a_wrong_address_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(errors.MisconfiguredError) as caught:
        Address(url)
    assert "secret" not in f"{caught.value!r} {caught.value}"


def test_an_unknown_parameter_is_refused_with_the_nearest_that_is_known() -> None:
    with pytest.raises(
        errors.MisconfiguredError, match="'prefech' is no parameter of ActiveMQ's address: 'prefetch' is"
    ):
        Address("stomp://host?prefech=7")


def test_an_address_shows_no_password() -> None:
    assert repr(Address("stomp://user:secret@host:1")) == "stomp://…@host:1"
