"""mTLS servers of others that let a chain pass, or refuse one, where a right server would not."""

from __future__ import annotations

import itertools
from typing import ClassVar, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness.tests.faulty import certificates as openssl
from harness.tests.faulty.certificates import ISSUER, LEAF, Fault, Sent, Server

Kind = TypeVar("Kind", bound=x509.ExtensionType)


def extension(certificate: x509.Certificate, kind: type[Kind]) -> Kind | None:
    """The extension of this kind, if there is one."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def is_for(certificate: x509.Certificate, purpose: x509.ObjectIdentifier) -> bool:
    """Whether the extended key usage names *purpose*."""
    named = extension(certificate, x509.ExtendedKeyUsage)
    return named is not None and purpose in named


class Optional(Server):
    """Asks for a certificate and needs none."""

    def anonymous(self) -> bool:
        return True


class Overlooking(Server):
    """Does not mind these faults."""

    overlooked: ClassVar[frozenset[Fault]]

    def overlooks(self, fault: Fault, sent: Sent) -> bool:
        return fault in self.overlooked and self.where(sent)

    def where(self, sent: Sent) -> bool:
        """Whether it overlooks them in this chain."""
        return True


class UnknownIssuer(Overlooking):
    """Reads the subject of whatever certificate it is shown: nginx's ``optional_no_ca``."""

    overlooked = frozenset({Fault(openssl.NO_ISSUER, LEAF), Fault(openssl.UNVERIFIED, LEAF)})


class SelfSigned(Overlooking):
    """A certificate that signed itself vouches for its subject."""

    overlooked = frozenset({Fault(openssl.SELF_SIGNED, LEAF)})

    def where(self, sent: Sent) -> bool:
        return len(sent) == 1


class AnyOfTheChain(Overlooking):
    """Finds a certificate that the CA signed somewhere in what was sent, and takes the first one's key for it."""

    overlooked = SelfSigned.overlooked

    def where(self, sent: Sent) -> bool:
        return any(one.issuer != one.subject for one in sent)


class RootSent(Overlooking):
    """Trusts the root that the client sends along."""

    overlooked = frozenset({Fault(openssl.ROOT_SENT, ISSUER)})


class IssuerByName(Overlooking):
    """Finds the issuer by its name and never verifies a signature."""

    overlooked = frozenset({Fault(openssl.SIGNATURE, LEAF)})


class Expired(Overlooking):
    """Serves an expired client."""

    overlooked = frozenset({Fault(openssl.EXPIRED, LEAF)})


class NotYet(Overlooking):
    """Serves a client before its certificate is valid."""

    overlooked = frozenset({Fault(openssl.NOT_YET, LEAF)})


class ExpiredIssuer(Overlooking):
    """Looks at the client's own lifetime alone."""

    overlooked = frozenset({Fault(openssl.EXPIRED, ISSUER)})


class ForAnything(Overlooking):
    """Does not read the client's extended key usage."""

    overlooked = frozenset({Fault(openssl.PURPOSE, LEAF)})

    def where(self, sent: Sent) -> bool:
        usage = extension(sent[0], x509.KeyUsage)
        return usage is None or (usage.digital_signature and not usage.key_cert_sign)


class ServersToo(ForAnything):
    """A server's certificate will do for a client."""

    def where(self, sent: Sent) -> bool:
        return super().where(sent) and is_for(sent[0], ExtendedKeyUsageOID.SERVER_AUTH)


class KeyUsageUnread(Overlooking):
    """Does not read the client's key usage."""

    overlooked = ForAnything.overlooked

    def where(self, sent: Sent) -> bool:
        return is_for(sent[0], ExtendedKeyUsageOID.CLIENT_AUTH)


class WeakKey(Overlooking):
    """OpenSSL's security level 0."""

    overlooked = frozenset({Fault(openssl.WEAK_KEY, LEAF)})


class AnyIssuer(Overlooking):
    """Whoever has a certificate from the CA is a CA, whatever it is for."""

    overlooked = frozenset(Fault(code, ISSUER) for code in (openssl.NO_CA, openssl.PURPOSE, openssl.CERTSIGN))


class NoConstraintsNeeded(AnyIssuer):
    """A certificate without basic constraints is a CA: version 1's rule."""

    def where(self, sent: Sent) -> bool:
        return extension(sent[1], x509.BasicConstraints) is None


class CaFalse(AnyIssuer):
    """Is content that an issuer may sign certificates, whatever its basic constraints say."""

    def where(self, sent: Sent) -> bool:
        constraints, usage = extension(sent[1], x509.BasicConstraints), extension(sent[1], x509.KeyUsage)
        return bool(constraints and not constraints.ca and usage and usage.key_cert_sign)


class IssuingLeaf(AnyIssuer):
    """Verifies signatures and dates of a chain, and nothing else in it: CVE-2002-0862."""

    def where(self, sent: Sent) -> bool:
        return is_for(sent[1], ExtendedKeyUsageOID.CLIENT_AUTH)


class IssuerMayNotSign(AnyIssuer):
    """Reads an issuer's basic constraints, but not its key usage."""

    def where(self, sent: Sent) -> bool:
        constraints, usage = extension(sent[1], x509.BasicConstraints), extension(sent[1], x509.KeyUsage)
        return bool(constraints and constraints.ca and usage and not usage.key_cert_sign)


class IssuerForServers(AnyIssuer):
    """Does not read the extended key usage of an issuer."""

    def where(self, sent: Sent) -> bool:
        constraints = extension(sent[1], x509.BasicConstraints)
        return bool(constraints and constraints.ca) and extension(sent[1], x509.ExtendedKeyUsage) is not None


class AnyDepth(Overlooking):
    """Does not read path lengths."""

    overlooked = frozenset({Fault(openssl.PATH_LENGTH, 2)})


class AnyName(Overlooking):
    """Does not read name constraints."""

    overlooked = frozenset({Fault(openssl.NAME_OUTSIDE, LEAF)})


class AnyDirectoryName(AnyName):
    """Reads those for DNS names alone."""

    def where(self, sent: Sent) -> bool:
        constraints = extension(sent[1], x509.NameConstraints)
        permitted = constraints.permitted_subtrees if constraints else None
        return not any(isinstance(name, x509.DNSName) for name in permitted or [])


class CriticalUnknown(Overlooking):
    """Passes over a critical extension that it does not know."""

    overlooked = frozenset({Fault(openssl.CRITICAL, LEAF)})


class CriticalUnknownInIssuer(Overlooking):
    """Reads critical extensions of the client's own certificate alone."""

    overlooked = frozenset({Fault(openssl.CRITICAL, ISSUER)})


class Forgiving(Server):
    """Never asks whether a certificate was revoked."""

    def revoked(self, certificate: x509.Certificate) -> bool:
        return False


class DirectOnly(Server):
    """Takes clients of the issuing CA itself, none of a CA below."""

    def likes(self, sent: Sent) -> bool:
        return len(sent) <= 2


class InOrder(Server):
    """Each certificate must be followed by its issuer."""

    def likes(self, sent: Sent) -> bool:
        return all(_issued(lower, upper) for lower, upper in itertools.pairwise(sent))


class OneLess(Server):
    """Counts the CA itself among those that may be below it."""

    def likes(self, sent: Sent) -> bool:
        limits = ((at, extension(one, x509.BasicConstraints)) for at, one in enumerate(sent[1:], 1))
        return all(limit is None or limit.path_length is None or limit.path_length >= at for at, limit in limits)


class NoNameConstraints(Server):
    """Refuses a CA that has name constraints."""

    def likes(self, sent: Sent) -> bool:
        return not any(extension(one, x509.NameConstraints) for one in sent)


class PurposeNeeded(Server):
    """A certificate that does not say what it is for is for nothing."""

    def likes(self, sent: Sent) -> bool:
        return extension(sent[0], x509.ExtendedKeyUsage) is not None


class ClientsOnly(Server):
    """A certificate that is for servers as well is refused."""

    def likes(self, sent: Sent) -> bool:
        return not is_for(sent[0], ExtendedKeyUsageOID.SERVER_AUTH)


class KnownExtensionsOnly(Server):
    """Refuses an extension that it does not know, critical or not."""

    def likes(self, sent: Sent) -> bool:
        return not any(isinstance(found.value, x509.UnrecognizedExtension) for one in sent for found in one.extensions)


def _issued(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    try:
        lower.verify_directly_issued_by(upper)
    except (ValueError, InvalidSignature):
        return False
    return True
