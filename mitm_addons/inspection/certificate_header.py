"""What a header that hands the client's certificate on really holds: whose certificate, or none.

A certificate is public and is described by subject, issuer and digest; the header's text goes nowhere from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from harness.decode.certificate_header import certificate_in
from harness.model.case import GOOD
from harness.model.vocabulary import CertificateEncoding

MISSING, UNTRUSTED, MALFORMED = "tls-no-cert", "ta-unknown-ca", "header-malformed"
_WHO = {GOOD: "the client's own", "id-second-registered": "the second that the gateway is configured with"}


@dataclass(frozen=True)
class Presented:
    """``stimulus`` is the class of what was presented, ``why`` how that is known; the rest is the certificate's."""

    stimulus: str
    why: str
    subject: str = ""
    issuer: str = ""
    sha256: str = ""
    until: str = ""


def presented(values: Sequence[str], encoding: CertificateEncoding, known: Mapping[str, str]) -> Presented:
    """What the header with the lines *values* holds; *known* says by digest which class a certificate is of."""
    shown = [value for value in values if value.strip()]
    if not shown:
        return Presented(MISSING, "blank certificate header" if values else "no certificate header")
    if len(shown) > 1:
        return Presented(MALFORMED, f"{len(shown)} certificate headers")
    certificate = certificate_in(shown[0], encoding)
    if certificate is None:
        return Presented(MALFORMED, f"the certificate header holds no certificate as {encoding}")
    return _described(certificate, known)


def _described(certificate: x509.Certificate, known: Mapping[str, str]) -> Presented:
    digest = certificate.fingerprint(SHA256()).hex()
    name = known.get(digest, UNTRUSTED)
    return Presented(
        name,
        f"the certificate header holds {_WHO.get(name, 'a certificate that is not configured')}",
        certificate.subject.rfc4514_string(),
        certificate.issuer.rfc4514_string(),
        digest,
        f"{certificate.not_valid_after_utc:%Y-%m-%d}",
    )
