"""Formats assert what their standards say."""

from __future__ import annotations

import pytest

from qiantang_server.config.rules.formats import FORMATS, conforms

GOOD = {
    "date": ["2026-08-01", "2024-02-29"],
    "time": ["10:00:00Z", "23:59:60Z", "10:00:00.123+08:00"],
    "date-time": ["2026-08-01T10:00:00Z", "2026-08-01t10:00:00.5-01:30"],
    "duration": ["P1Y2M3DT4H5M6S", "PT36H", "P2W", "PT0.5S"],
    "email": ["a.b+c@example.com"],
    "hostname": ["localhost", "a-b.example.com."],
    "ipv4": ["127.0.0.1"],
    "ipv6": ["::1", "fe80::1"],
    "uri": ["https://example.com/a?b=c#d", "urn:x:y", "redis://h:1/0"],
    "uuid": ["01890a5d-ac96-774b-bcce-b302099a8057"],
    "json-pointer": ["", "/a/b~1c", "/"],
    "regex": ["^a+$"],
}
BAD = {
    "date": ["2026-8-1", "2026-02-30", "20260801", "2026-08-01\n"],
    "time": ["10:00:00", "25:00:00Z", "10:00Z"],
    "date-time": ["2026-08-01", "2026-08-01T10:00:00"],
    "duration": ["P", "PT", "1D", "P1S", "P1W2D"],
    "email": ["a", "a@", "a b@c.de", "@c"],
    "hostname": ["-a", "a..b", "a_b", "a" * 64, "a b"],
    "ipv4": ["1.2.3", "256.1.1.1", "01.2.3.4"],
    "ipv6": ["::1%eth0", "1.2.3.4", ":::"],
    "uri": ["example.com", "/a", "http://a b"],
    "uuid": ["01890a5dac96774bbcceb302099a8057", "x" * 36],
    "json-pointer": ["a", "/~2"],
    "regex": ["(", r"\1"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in GOOD.items() for value in values])
def test_what_conforms(name, value):
    assert conforms(name, value)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_what_does_not(name, value):
    assert not conforms(name, value)


def test_all_are_tried_and_others_assert_nothing():
    assert set(GOOD) == set(BAD) == set(FORMATS)
    assert conforms("idn-email", "anything")
    assert conforms("date", 5)
