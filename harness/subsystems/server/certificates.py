"""Key material of a deployment folder: reads a secret's three files once, picks the CA a server trusts, words OpenSSL's
verdicts.  Decides about no connection."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import crypto

from harness.errors import UsageError
from harness.model.vocabulary import Reason

_REASONS = {
    Reason.CERTIFICATE_REVOKED: {23},
    Reason.CERTIFICATE_VALIDITY: {9, 10, 13, 14},
    Reason.CERTIFICATE_PURPOSE: {26, 39},
    Reason.CERTIFICATE_CHAIN: {22, 24, 25, 32, 34, 37, 38, 40, 41, 42, 43, *range(45, 56), *range(79, 93)},
    Reason.CERTIFICATE_UNTRUSTED: {2, 4, 6, 7, 18, 19, 20, 21, 27, 28, 29, 30, 31, 76, 77, 78},
    Reason.CERTIFICATE_KEY: {66, 67, 68, 94},
}
_BY_ERRNO = {errno: reason for reason, numbers in _REASONS.items() for errno in numbers}

UNTRUSTED_ISSUER = frozenset({2, 18, 19, 20, 21})
BAD_SIGNATURE = 7
OUT_OF_VALIDITY = frozenset({9, 10})
WRONG_PURPOSE = 26
NOT_A_CA = frozenset({32, 37, 79})
REVOKED = 23
# An issuer of which there is no CRL (another has signed that of its name, whose signature was verified when it was
# read), or whose key usage does not name CRLs, as cert-manager's do not.
NO_CRL = frozenset({3, 8, 33, 35})


def reason_of(errno: int) -> Reason:
    """The reason behind an X509_V_ERR number (x509_vfy.h of OpenSSL 3); what is not in the table counts as chain."""
    return _BY_ERRNO.get(errno, Reason.CERTIFICATE_CHAIN)


def words_of(errno: int) -> str:
    """OpenSSL's own words for an X509_V_ERR number."""
    library: Any = Binding.lib
    text: bytes = Binding.ffi.string(library.X509_verify_cert_error_string(errno))
    return text.decode("ascii", "replace")


@dataclass(frozen=True)
class Secret:
    """The three files of a TLS secret, as bytes, and what its CA has revoked: equal contents are the same secret."""

    certificate: bytes
    key: bytes
    authority: bytes
    revocations: bytes = b""


@dataclass(frozen=True)
class Material:
    """A parsed secret: ``chain`` leaf first, ``authorities`` the CAs in ca.crt that issued it, ``revocations`` their
    CRL."""

    chain: tuple[x509.Certificate, ...]
    key: crypto.PKey
    authorities: tuple[x509.Certificate, ...]
    revocations: x509.CertificateRevocationList | None = None


def read_secret(folder: Path, name: str) -> Secret:
    """The files of the secret *name* in the deployment *folder*; raises UsageError."""
    home = folder / "secrets" / name
    crl = home / "ca.crl"
    revocations = read_file(crl) if crl.exists() else b""
    return Secret(read_file(home / "tls.crt"), read_file(home / "tls.key"), read_file(home / "ca.crt"), revocations)


def read_file(path: Path) -> bytes:
    """The content of *path*; raises UsageError that names it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"the file {path} cannot be read ({error.strerror})") from error


@lru_cache(maxsize=256)
def material(secret: Secret) -> Material:
    """Parse *secret*; raises UsageError that says which of its files is wrong."""
    chain = certificates(secret.certificate, "tls.crt")
    try:
        key = crypto.load_privatekey(crypto.FILETYPE_PEM, secret.key)
    except (crypto.Error, ValueError, TypeError) as error:
        raise UsageError("tls.key is not a readable private key in PEM") from error
    private: Any = key.to_cryptography_key()
    if private.public_key() != chain[0].public_key():
        raise UsageError("tls.key is not the key of the certificate in tls.crt")
    bundle = certificates(secret.authority, "ca.crt")
    return Material(chain, key, _same_authority(chain, bundle), _revocations(secret.revocations, bundle))


def _revocations(pem: bytes, bundle: tuple[x509.Certificate, ...]) -> x509.CertificateRevocationList | None:
    if not pem:
        return None
    try:
        found = x509.load_pem_x509_crl(pem)
        signed = any(found.is_signature_valid(ca.public_key()) for ca in bundle)  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise UsageError("ca.crl holds no readable CRL in PEM") from error
    if not signed:
        raise UsageError("ca.crl is signed by no CA in ca.crt")
    return found


@lru_cache(maxsize=256)
def certificates(pem: bytes, what: str) -> tuple[x509.Certificate, ...]:
    """The certificates in *pem*, at least one; raises UsageError that names *what*."""
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise UsageError(f"{what} holds no readable PEM certificate") from error


def _same_authority(
    chain: tuple[x509.Certificate, ...], bundle: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...]:
    """The CAs of *bundle* that issued a certificate of *chain*; all of it if none did (the CA was renewed)."""
    return tuple(ca for ca in bundle if any(_issued(ca, certificate) for certificate in chain)) or bundle


def _issued(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
