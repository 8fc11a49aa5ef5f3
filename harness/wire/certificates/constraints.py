"""Certificate classes on what a CA may issue: basic constraints, path length, name constraints."""

from __future__ import annotations

from cryptography import x509

from harness.wire.certificates.table import Classes, below, ca, intermediate, leaf
from harness.wire.issue import Extra, Identity, issue
from harness.wire.pki import ORGANIZATION, Pki

CLASSES = Classes()

_ZONE = "clients.apic.test"


@CLASSES.add("ca-false", twin="via-intermediate")
def _ca_false(pki: Pki, secret: str) -> Identity:
    """issued by an intermediate whose basic constraints say it is no CA"""
    return below(pki, secret, intermediate(pki, secret, constraints=x509.BasicConstraints(ca=False, path_length=None)))


@CLASSES.add("ca-no-bc", twin="via-intermediate")
def _ca_no_bc(pki: Pki, secret: str) -> Identity:
    """issued by an intermediate without basic constraints"""
    return below(pki, secret, intermediate(pki, secret, constraints=None))


@CLASSES.add("ca-leaf-issues-leaf", twin="via-intermediate")
def _leaf_issues_leaf(pki: Pki, secret: str) -> Identity:
    """issued with another client's ordinary certificate, which is sent along"""
    return below(pki, secret, pki.other_client(secret))


@CLASSES.add("pathlen-1", twin="pathlen-1")
def _pathlen_1(pki: Pki, secret: str) -> Identity:
    """two intermediate CAs, the upper one with path length 1: just as deep as it allows"""
    return _two_deep(pki, secret, 1)


@CLASSES.add("pathlen-0", twin="pathlen-1")
def _pathlen_0(pki: Pki, secret: str) -> Identity:
    """two intermediate CAs, the upper one with path length 0: one deeper than it allows"""
    return _two_deep(pki, secret, 0)


def _two_deep(pki: Pki, secret: str, path_length: int) -> Identity:
    upper = intermediate(pki, secret, constraints=ca(path_length))
    lower = issue(pki.ca_profile("hopproof-lower-ca"), upper)
    return leaf(pki, secret, issuer=lower).sending(lower, upper)


@CLASSES.add("nc-dns-inside", twin="nc-dns-inside")
def _nc_dns_inside(pki: Pki, secret: str) -> Identity:
    """issued by an intermediate CA for clients.apic.test, with a DNS name of that domain"""
    return below(pki, secret, _for_domain(pki, secret), hosts=(f"{secret}.{_ZONE}",))


@CLASSES.add("nc-dns", twin="nc-dns-inside")
def _nc_dns(pki: Pki, secret: str) -> Identity:
    """issued by an intermediate CA for clients.apic.test, with a DNS name of another domain"""
    return below(pki, secret, _for_domain(pki, secret), hosts=(f"{secret}.elsewhere.test",))


@CLASSES.add("nc-dn-inside", twin="nc-dn-inside")
def _nc_dn_inside(pki: Pki, secret: str) -> Identity:
    """issued by an intermediate CA that may only name subjects of O=cert-manager, as this one is"""
    return _with_a_name(pki, secret, _for_organization(pki, secret, ORGANIZATION))


@CLASSES.add("nc-dn", twin="nc-dn-inside")
def _nc_dn(pki: Pki, secret: str) -> Identity:
    """issued by an intermediate CA that may only name subjects of another organization"""
    return _with_a_name(pki, secret, _for_organization(pki, secret, "another"))


def _with_a_name(pki: Pki, secret: str, issuer: Identity) -> Identity:
    """Below *issuer*, with a subject alternative name of a kind that it does not constrain.

    RFC 5280 section 6.2 lets a verifier be stricter than the algorithm: BoringSSL refuses a leaf without any such name
    below a constrained CA if its common name looks like a host's, whatever the constraint is about.
    """
    if pki.profile(secret).hosts:
        return below(pki, secret, issuer)
    name = x509.SubjectAlternativeName([x509.RFC822Name(f"client@{_ZONE}")]), False
    return below(pki, secret, issuer, extra=(name,))


def _for_domain(pki: Pki, secret: str) -> Identity:
    return intermediate(pki, secret, extra=(_permitting(x509.DNSName(_ZONE)),))


def _for_organization(pki: Pki, secret: str, name: str) -> Identity:
    base = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, name)])
    return intermediate(pki, secret, extra=(_permitting(x509.DirectoryName(base)),))


def _permitting(base: x509.GeneralName) -> Extra:
    return x509.NameConstraints(permitted_subtrees=[base], excluded_subtrees=None), True
