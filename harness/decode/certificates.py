"""Reads X.509 certificates into what a report shows.  Does not verify and does not compare names."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from harness.errors import UsageError
from harness.model.exchange import CertificateView


def view(cert: x509.Certificate) -> CertificateView:
    """Subject and issuer of *cert* as RFC 4514 strings, and the SHA-256 of its DER."""
    return CertificateView(_name(cert, "subject"), _name(cert, "issuer"), cert.fingerprint(SHA256()).hex())


def parse_chain(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM bundle in their order, at least one.

    Raises UsageError where *pem* holds no certificate or one that cannot be parsed.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise UsageError(
            f"no readable PEM certificates: {error}",
            hint="check the file with: openssl x509 -noout -text -in FILE",
        ) from error


def _name(cert: x509.Certificate, field: str) -> str:
    """The name, or a placeholder: a hostile peer can present a name that only fails when it is first looked at."""
    try:
        name: x509.Name = getattr(cert, field)
        return name.rfc4514_string()
    except (ValueError, TypeError):
        return f"<unreadable {field}>"
