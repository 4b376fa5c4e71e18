"""What every client asks of a server: its certificate, by an authority that is trusted, and TLS 1.2 at least."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from qiantang.kernel.tls import client_context
from tests.servers import certificates


def test_servers_are_known_by_their_certificates() -> None:
    context = client_context()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_an_authority_and_ones_own_certificate_are_read(tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    context = client_context(authority=made.authority, certificate=made.certificate, key=made.key)
    assert any("an authority of tests" in str(one["subject"]) for one in context.get_ca_certs())


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    with pytest.raises(FileNotFoundError):
        client_context(authority=tmp_path / "none.pem")
    with pytest.raises(ssl.SSLError):
        client_context(certificate=made.authority, key=made.key)
