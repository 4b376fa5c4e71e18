"""Addresses as operators write them."""

import pytest

from qiantang.kernel import errors
from qiantang.kernel.uplink.address import Address


@pytest.mark.parametrize(
    ("text", "shown", "authority"),
    [
        ("http://127.0.0.1:8600", "http://127.0.0.1:8600", "127.0.0.1:8600"),
        ("https://center.example/", "https://center.example", "center.example"),
        ("HTTP://Center.Example:80", "http://center.example", "center.example"),
        ("http://[::1]:8600", "http://[::1]:8600", "[::1]:8600"),
    ],
)
def test_reads(text: str, shown: str, authority: str) -> None:
    address = Address.parse(text)
    assert str(address) == shown
    assert address.authority == authority
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "center:8600", "ftp://center", "http://", "http://center:99999", "http://center:x", "http://u:p@center",
     "http://center/path", "http://center?x=1", "http://center#x", "http://[::1", "http://" + "a" * 400],
)  # fmt: skip
def test_refuses(text: str) -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        Address.parse(text)
    assert "p@" not in caught.value.detail
