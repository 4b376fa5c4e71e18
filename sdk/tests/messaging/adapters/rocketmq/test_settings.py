"""What brokers say of how they are set."""

from __future__ import annotations

from qiantang.messaging.adapters.rocketmq.settings import read_settings


def test_a_broker_holds_back_only_with_the_timer_and_recall() -> None:
    both = {"timerWheelEnable": "true", "recallMessageEnable": "true"}
    assert read_settings(both, "").holds_back
    for name in both:
        assert not read_settings({**both, name: "false"}, "").holds_back
    assert not read_settings({}, "").holds_back


def test_limits() -> None:
    found = read_settings({"timerPrecisionMs": "100", "timerMaxDelaySec": "60", "maxMessageSize": "1000"}, "5.5.0")
    assert (found.precision_ms, found.max_delay, found.max_message, found.version) == (100, 59.8, 1000, "5.5.0")
    odd = read_settings({"timerMaxDelaySec": "many", "maxMessageSize": "-1"}, "")
    assert (odd.precision_ms, odd.max_message) == (1000, 4 * 1024 * 1024)
