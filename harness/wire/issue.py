"""Issues X.509 certificates, good ones and deliberately bad ones.  Knows nothing of deployments and classes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extra = tuple[x509.ExtensionType, bool]

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True)
class Identity:
    """What a TLS peer presents: its certificate first, then what it sends along, and the private key."""

    chain: tuple[x509.Certificate, ...]
    key: Key

    @property
    def certificate(self) -> x509.Certificate:
        """The first certificate of the chain."""
        return self.chain[0]

    def sending(self, *others: Identity) -> Identity:
        """The same identity with the certificates of *others* appended to what it sends."""
        return Identity(self.chain + tuple(other.certificate for other in others), self.key)

    def pem(self) -> bytes:
        """The chain as PEM, leaf first."""
        return b"".join(cert.public_bytes(serialization.Encoding.PEM) for cert in self.chain)

    def key_pem(self) -> bytes:
        """The private key as PKCS#8 PEM, not encrypted."""
        return key_pem(self.key)


@dataclass(frozen=True)
class Profile:
    """What a certificate says.  None leaves an extension out; ``extra`` adds (extension, critical) pairs.

    ``key_usage`` holds the parameter names of ``cryptography.x509.KeyUsage``.
    """

    subject: x509.Name
    not_before: datetime
    not_after: datetime
    key_usage: frozenset[str] | None = None
    extended: tuple[x509.ObjectIdentifier, ...] | None = None
    constraints: x509.BasicConstraints | None = None
    hosts: tuple[str, ...] = ()
    extra: tuple[Extra, ...] = ()


def issue(
    profile: Profile,
    issuer: Identity | None = None,
    *,
    key: Key | None = None,
    signer: Key | None = None,
) -> Identity:
    """A certificate that says what *profile* says, alone in its chain.

    *issuer* gives issuer name, authority key identifier and signature (None: self-signed); *signer* signs in its place
    while the names stay.  *key* is the subject's key, a fresh P-256 one without it.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    by = issuer.certificate.subject if issuer else profile.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(profile.subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(profile.not_before)
        .not_valid_after(profile.not_after)
    )
    for extension, critical in (*_extensions(profile), *_identifiers(key, issuer), *profile.extra):
        builder = builder.add_extension(extension, critical)
    return Identity((builder.sign(signer or (issuer.key if issuer else key), hashes.SHA256()),), key)


def with_broken_signature(identity: Identity) -> Identity:
    """*identity* with one bit of its certificate's signature flipped; everything signed stays as it was."""
    der = bytearray(identity.certificate.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1  # the signature is the last member of Certificate (RFC 5280 section 4.1)
    return Identity((x509.load_der_x509_certificate(bytes(der)), *identity.chain[1:]), identity.key)


def key_pem(key: Key) -> bytes:
    """*key* as PKCS#8 PEM, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _extensions(profile: Profile) -> list[Extra]:
    found: list[Extra] = []
    if profile.constraints is not None:
        found.append((profile.constraints, True))
    if profile.key_usage is not None:
        found.append((x509.KeyUsage(**{usage: usage in profile.key_usage for usage in _USAGES}), True))
    if profile.extended is not None:
        found.append((x509.ExtendedKeyUsage(profile.extended), False))
    if profile.hosts:
        found.append((x509.SubjectAlternativeName([x509.DNSName(host) for host in profile.hosts]), False))
    return found


def _identifiers(key: Key, issuer: Identity | None) -> list[Extra]:
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    if issuer is None:
        return [(own, False)]
    theirs = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return [(own, False), (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(theirs), False)]
