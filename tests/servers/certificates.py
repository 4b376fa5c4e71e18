"""Certificates for test servers: an authority of their own, and a server's for localhost, 127.0.0.1 and one more name."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

NAME: Final = "broker.test"
"""What servers are called in their certificate, beside localhost and 127.0.0.1."""
PASSWORD: Final = "of-tests"
"""Of the PKCS 12 store."""
_DAYS: Final = datetime.timedelta(days=30)


class Certificates(NamedTuple):
    """Files: the `authority`'s certificate, a server's `certificate` and `key`, both in `chain`, and in `store` (PKCS 12)."""

    authority: Path
    certificate: Path
    key: Path
    chain: Path
    store: Path


def of(folder: Path) -> Certificates:
    """Give where those of a server with this folder are."""
    return Certificates(*(folder / name for name in ("ca.pem", "cert.pem", "key.pem", "chain.pem", "server.p12")))


def make(folder: Path) -> Certificates:
    """Make an authority, and a server's certificate by it."""
    found = of(folder)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = _named("an authority of tests")
    authority = (
        _begun(authority_name, authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    names = [x509.DNSName("localhost"), x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        _begun(_named("localhost"), authority_name, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    written = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    found.authority.write_bytes(authority.public_bytes(pem))
    found.certificate.write_bytes(certificate.public_bytes(pem))
    found.key.write_bytes(written)
    found.chain.write_bytes(written + certificate.public_bytes(pem) + authority.public_bytes(pem))
    locked = serialization.BestAvailableEncryption(PASSWORD.encode())
    found.store.write_bytes(pkcs12.serialize_key_and_certificates(b"server", key, certificate, [authority], locked))
    return found


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAYS)
        .not_valid_after(now + _DAYS)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
