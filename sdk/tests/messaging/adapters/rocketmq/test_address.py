"""The address of a RocketMQ: read strictly, and shown without its keys."""

from __future__ import annotations

import pytest

from qiantang.kernel import errors
from qiantang.messaging.adapters.rocketmq.address import Address


def test_name_servers_with_and_without_ports_and_keys() -> None:
    address = Address("rocketmq://acc%40ess:sec%3Aret@one:9877,two/?cluster=east&namesrv=three:1;four")
    assert address.hosts == (("one", 9877), ("two", 9876))
    assert address.admin == (("three", 1), ("four", 9876))
    assert (address.access_key, address.secret_key, address.cluster) == ("acc@ess", "sec:ret", "east")
    assert "sec" not in repr(address)
    plain = Address("rocketmq://[::1]:9876,[::2]")
    assert plain.hosts == plain.admin == (("::1", 9876), ("::2", 9876))
    assert not plain.access_key


def test_tls_knows_the_servers_by_their_certificates() -> None:
    assert Address("rocketmq://one").tls is None
    safe = Address("rocketmq+ssl://one?tls_name=broker.shop")
    assert safe.tls is not None
    assert safe.tls.check_hostname
    assert (safe.tls_name, repr(safe)) == ("broker.shop", "rocketmq+ssl://one:9876")
    loose = Address("rocketmq+ssl://one?no_verify_ssl=true").tls
    assert loose is not None
    assert not loose.check_hostname


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("rocket://host", "write rocketmq://host:9876"),
        ("rocketmq://", "write rocketmq://host:9876"),
        ("rocketmq://host:port", "'host:port' is no address"),
        ("rocketmq://host:70000", "'host:70000' is no address"),
        ("rocketmq://one,,two", "'' is no address"),
        ("rocketmq://host?namesvr=a", "'namesrv' is"),
        ("rocketmq://host?zzz=1", "those are cluster, namesrv"),
        ("rocketmq://host?cafile=/etc/ca.pem", "'cafile' is no parameter"),
        ("rocketmq+ssl://host?cafile=/not/there.pem", "TLS to RocketMQ cannot be set up"),
        ("rocketmq+ssl://host?no_verify_ssl=maybe", "true or false"),
        ("rocketmq://key@host", "half of its keys"),
    ],
)
def test_what_makes_no_sense_is_refused(url: str, words: str) -> None:
    with pytest.raises(errors.MisconfiguredError, match=words):
        Address(url)


def test_a_secret_is_never_shown() -> None:
    for url in ("http://key:s3cret@host", "rocketmq://key:s3cret@host:x", "rocketmq://s3cret@host"):
        with pytest.raises(errors.MisconfiguredError) as caught:
            Address(url)
        assert "s3cret" not in str(caught.value)
