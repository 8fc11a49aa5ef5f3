"""Issues X.509 certificates, good ones and deliberately bad ones.  Knows nothing of deployments and classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, padding, rsa
from cryptography.x509.oid import ExtensionOID

from harness.pki.keys import Key, key_pem, new_key

_LARGEST_SERIAL = 1 << 159  # twenty octets, the first bit of which is the sign
Extra = tuple[x509.ExtensionType, bool]
Extension = TypeVar("Extension", bound=x509.ExtensionType)

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
class Signing:
    """How an issuer signs: the digest, and RSASSA-PSS in place of PKCS #1 v1.5.  An Edwards key has one way only."""

    digest: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 = field(default_factory=hashes.SHA256)
    pss: bool = False


class Issuer(Protocol):
    """A CA, as far as issuing goes; ``key`` may raise where only the certificate is at hand.

    ``signing`` is how it signs, ``written`` its key in PEM where that says more than ``key`` can.
    """

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """Its certificate first, then those above it that are known."""

    @property
    def certificate(self) -> x509.Certificate:
        """The first certificate of the chain."""

    @property
    def key(self) -> Key:
        """Its private key."""

    @property
    def signing(self) -> Signing:
        """How it signs certificates."""

    @property
    def written(self) -> bytes:
        """Its key in PEM, where that says more than ``key`` can; else empty."""


@dataclass(frozen=True)
class Identity:
    """What a TLS peer presents: its certificate first, then what it sends along, and the private key.

    ``signing`` is how it signs certificates, where it is a CA; ``written`` the key in PEM where that says more than
    ``key`` can, such as that it is for RSASSA-PSS alone.
    """

    chain: tuple[x509.Certificate, ...]
    key: Key
    signing: Signing = Signing()
    written: bytes = field(default=b"", repr=False)

    @property
    def certificate(self) -> x509.Certificate:
        """The first certificate of the chain."""
        return self.chain[0]

    def sending(self, *others: Issuer) -> Identity:
        """The same identity with the certificates of *others* appended to what it sends."""
        return self.along(tuple(other.certificate for other in others))

    def along(self, certificates: tuple[x509.Certificate, ...]) -> Identity:
        """The same identity with those of *certificates* appended to what it sends that it does not send yet."""
        return Identity(tuple(dict.fromkeys(self.chain + certificates)), self.key, self.signing, self.written)

    def pem(self) -> bytes:
        """The chain as PEM, leaf first."""
        return b"".join(cert.public_bytes(serialization.Encoding.PEM) for cert in self.chain)

    def key_pem(self) -> bytes:
        """The private key as PKCS#8 PEM, not encrypted."""
        return self.written or key_pem(self.key)


@dataclass(frozen=True)
class Identifiers:
    """Which key identifiers a certificate has: its own key's, its issuer's key's, its issuer's name and serial."""

    own: bool = True
    issuer_key: bool = True
    issuer_name: bool = False


_USUALLY_CRITICAL = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE})


@dataclass(frozen=True)
class Profile:
    """What a certificate says.  None leaves an extension out; ``extra`` adds (extension, critical) pairs.

    ``key_usage`` holds the parameter names of ``cryptography.x509.KeyUsage``, ``names`` the subject alternative names,
    ``carried`` what a copy has of its original's other extensions, ``critical`` which of the former are marked so.
    """

    subject: x509.Name
    not_before: datetime
    not_after: datetime
    key_usage: frozenset[str] | None = None
    extended: tuple[x509.ObjectIdentifier, ...] | None = None
    constraints: x509.BasicConstraints | None = None
    names: tuple[x509.GeneralName, ...] = ()
    extra: tuple[Extra, ...] = ()
    carried: tuple[Extra, ...] = ()
    critical: frozenset[x509.ObjectIdentifier] = _USUALLY_CRITICAL
    identifiers: Identifiers = Identifiers()


def dns_names(hosts: Iterable[str]) -> tuple[x509.GeneralName, ...]:
    """*hosts* as subject alternative names."""
    return tuple(x509.DNSName(host) for host in hosts)


def issue(
    profile: Profile,
    issuer: Issuer | None = None,
    *,
    key: Key | None = None,
    signer: Key | None = None,
    serial: int | None = None,
) -> Identity:
    """A certificate that says what *profile* says, alone in its chain.

    *issuer* gives issuer name, authority key identifier and signature (None: self-signed); *signer* signs in its place
    while the names stay.  *key* is the subject's key, a fresh P-256 one without it; *serial* is random without it, and
    where RFC 5280 section 4.1.2.2 has no such number.
    """
    key = key or new_key()
    by = issuer.certificate.subject if issuer else profile.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(profile.subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(serial if serial and 0 < serial < _LARGEST_SERIAL else x509.random_serial_number())
        .not_valid_before(profile.not_before)
        .not_valid_after(profile.not_after)
    )
    for extension, critical in _all_extensions(profile, key, issuer):
        builder = builder.add_extension(extension, critical)
    signed = _signed(builder, signer or (issuer.key if issuer else key), issuer.signing if issuer else Signing())
    return Identity((signed,), key)


def revocation_list(issuer: Identity, revoked: Iterable[Identity], start: datetime, end: datetime) -> bytes:
    """The CRL (PEM) of *issuer*, good from *start* to *end*, with the certificates of *revoked* on it."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(start).next_update(end)
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number).revocation_date(start)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, issuer.signing.digest).public_bytes(serialization.Encoding.PEM)


def extension_of(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    """The extension of that *kind*, None where *certificate* has none that can be read."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _signed(builder: x509.CertificateBuilder, key: Key, how: Signing) -> x509.Certificate:
    if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return builder.sign(key, None)
    if how.pss and isinstance(key, rsa.RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(how.digest), padding.PSS.DIGEST_LENGTH)
        return builder.sign(key, how.digest, rsa_padding=pss)
    return builder.sign(key, how.digest)


def with_broken_signature(identity: Identity) -> Identity:
    """*identity* with one bit of its certificate's signature flipped; everything signed stays as it was."""
    der = bytearray(identity.certificate.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1  # the signature is the last member of Certificate (RFC 5280 section 4.1)
    return replace(identity, chain=(x509.load_der_x509_certificate(bytes(der)), *identity.chain[1:]))


def _all_extensions(profile: Profile, key: Key, issuer: Issuer | None) -> list[Extra]:
    """What *profile* says, once each: what a class adds takes the place of what a copy carries."""
    said = [*_extensions(profile), *_identifiers(profile.identifiers, key, issuer), *profile.extra]
    there = {extension.oid for extension, _ in said}
    return said + [extra for extra in profile.carried if extra[0].oid not in there]


def _extensions(profile: Profile) -> list[Extra]:
    found: list[x509.ExtensionType] = []
    if profile.constraints is not None:
        found.append(profile.constraints)
    if profile.key_usage is not None:
        found.append(x509.KeyUsage(**{usage: usage in profile.key_usage for usage in _USAGES}))
    if profile.extended is not None:
        found.append(x509.ExtendedKeyUsage(profile.extended))
    if profile.names:
        found.append(x509.SubjectAlternativeName(profile.names))
    return [(extension, extension.oid in profile.critical) for extension in found]


def _identifiers(wanted: Identifiers, key: Key, issuer: Issuer | None) -> list[Extra]:
    found: list[Extra] = []
    if wanted.own:
        found.append((x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False))
    if issuer is not None and (wanted.issuer_key or wanted.issuer_name):
        found.append((_authority_identifier(wanted, issuer.certificate), False))
    return found


def _authority_identifier(wanted: Identifiers, issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    name = [x509.DirectoryName(issuer.issuer)] if wanted.issuer_name else None
    serial = issuer.serial_number if wanted.issuer_name else None
    return x509.AuthorityKeyIdentifier(_key_identifier(issuer) if wanted.issuer_key else None, name, serial)


def _key_identifier(issuer: x509.Certificate) -> bytes:
    """What the issuer calls its key; one that has no such extension is called as RFC 5280 section 4.2.1.2 advises."""
    own = extension_of(issuer, x509.SubjectKeyIdentifier)
    return (own or x509.SubjectKeyIdentifier.from_public_key(issuer.public_key())).digest
