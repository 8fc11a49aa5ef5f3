"""Who signed whom among certificates, and whether OpenSSL finds a chain.

Signatures decide; names and key ids only explain.  No path validation of our own: OpenSSL's X509Store builds the chain
and judges it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1
from OpenSSL import crypto


def signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether *issuer* has the name of *certificate*'s issuer, and its key made the signature."""
    return certificate.issuer == issuer.subject and _verified(certificate, issuer)[0]


def unchecked(certificate: x509.Certificate, issuer: x509.Certificate) -> str:
    """Why it cannot be said whether the key of *issuer* made *certificate*'s signature; '' where it can."""
    return _verified(certificate, issuer)[1] if certificate.issuer == issuer.subject else ""


def _verified(certificate: x509.Certificate, issuer: x509.Certificate) -> tuple[bool, str]:
    """Whether the signature is good; where that is not known, False and why."""
    try:
        certificate.verify_directly_issued_by(issuer)
        return True, ""
    except InvalidSignature:
        return False, ""
    except (UnsupportedAlgorithm, ValueError, TypeError) as problem:
        return (_by_old_digest(certificate, issuer), "") if _old_digest(certificate) else (False, str(problem))


def _old_digest(certificate: x509.Certificate) -> bool:
    """Whether its signature is over SHA-1, which cryptography takes in no certificate, and OpenSSL by default does."""
    try:
        return isinstance(certificate.signature_hash_algorithm, SHA1)
    except UnsupportedAlgorithm:
        return False


def _by_old_digest(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        key, digest = issuer.public_key(), certificate.signature_hash_algorithm
        signature, signed = certificate.signature, certificate.tbs_certificate_bytes
        if isinstance(key, rsa.RSAPublicKey) and digest is not None:
            key.verify(signature, signed, PKCS1v15(), digest)
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
            key.verify(signature, signed, ec.ECDSA(digest))
            return True
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return False


def self_signed(certificate: x509.Certificate) -> bool:
    """Whether *certificate* is signed with its own key."""
    return signed_by(certificate, certificate)


def key_id(certificate: x509.Certificate) -> bytes | None:
    """What *certificate* calls its own key."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (x509.ExtensionNotFound, ValueError):
        return None


def issuer_key_id(certificate: x509.Certificate) -> bytes | None:
    """What *certificate* calls the key that signed it."""
    try:
        return certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except (x509.ExtensionNotFound, ValueError):
        return None


def may_sign(certificate: x509.Certificate) -> bool:
    """Whether *certificate* says that it is a CA's."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


class Issuers:
    """CA certificates, found by subject: with twenty thousand leaves each pair cannot be tried."""

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        self._given = list(dict.fromkeys(certificates))
        self._key_ids: dict[x509.Certificate, bytes | None] = {}

    @cached_property
    def _by_subject(self) -> dict[bytes, list[x509.Certificate]]:
        found: defaultdict[bytes, list[x509.Certificate]] = defaultdict(list)
        for certificate in self._given:
            found[certificate.subject.public_bytes()].append(certificate)
        return found

    def named(self, certificate: x509.Certificate) -> Sequence[x509.Certificate]:
        """The certificates that have the name of *certificate*'s issuer."""
        return self._by_subject.get(certificate.issuer.public_bytes(), [])

    def signers(self, certificate: x509.Certificate) -> list[x509.Certificate]:
        """Those whose key made *certificate*'s signature (several where a CA was renewed with its key).

        Those with the key id that *certificate* names are tried first: a thousand CAs may share one name.
        """
        wanted, named = issuer_key_id(certificate), self.named(certificate)
        likely = [each for each in named if wanted is not None and self._key_id(each) == wanted]
        found = [each for each in likely if signed_by(certificate, each)]
        return found or [each for each in named if each not in likely and signed_by(certificate, each)]

    def _key_id(self, certificate: x509.Certificate) -> bytes | None:
        if certificate not in self._key_ids:
            self._key_ids[certificate] = key_id(certificate)
        return self._key_ids[certificate]


def chain_problem(
    certificate: x509.Certificate,
    trusted: Iterable[x509.Certificate],
    sent: Iterable[x509.Certificate],
    now: datetime,
) -> str:
    """What OpenSSL says against *certificate* under *trusted* at the moment *now*; '' where it finds a chain.

    A CA that is itself an intermediate is trusted as it stands, as a TLS peer with a file of CAs would have it.
    """
    store = crypto.X509Store()
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    store.set_time(now)
    try:
        for each in dict.fromkeys(trusted):
            store.add_cert(crypto.X509.from_cryptography(each))
        middle = [crypto.X509.from_cryptography(each) for each in sent]
        crypto.X509StoreContext(store, crypto.X509.from_cryptography(certificate), middle).verify_certificate()
    except crypto.X509StoreContextError as problem:
        return str(problem)
    except crypto.Error as problem:
        return f"OpenSSL cannot read it ({problem})"
    return ""
