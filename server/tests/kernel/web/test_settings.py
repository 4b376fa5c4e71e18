"""Settings of the HTTP server: what they mean together."""

from __future__ import annotations

import pytest

from qiantang_server.kernel.web import WebSettings


@pytest.mark.parametrize(
    ("settings", "over_tls"),
    [
        (WebSettings(), False),
        (WebSettings(tls_certificate="c.pem", tls_key="k.pem"), True),
        (WebSettings(insecure=True, address="https://qiantang.example"), True),
        (WebSettings(insecure=True, address="http://10.0.0.1:8900"), False),
    ],
)
def test_cookies_are_bound_to_tls_wherever_browsers_come_over_it(settings: WebSettings, over_tls: bool) -> None:
    assert settings.over_tls is over_tls
