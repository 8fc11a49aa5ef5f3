"""Certificate classes on what a CA may issue: basic constraints, path length, name constraints."""

from __future__ import annotations

from cryptography import x509

from harness.pki.issue import Extra, Identity, issue
from harness.pki.keys import authority_key
from harness.stimuli.certificates.naming import other_branch, own_branch
from harness.stimuli.certificates.table import (
    Classes,
    below,
    below_nothing,
    ca,
    intermediate,
    known_as,
    leaf,
    needs_room,
)
from harness.stimuli.credentials import Credentials

CLASSES = Classes()

_ZONE = "clients.apic.test"


@CLASSES.add("ca-false", twin="via-intermediate")
def _ca_false(pki: Credentials, secret: str) -> Identity:
    """issued by an intermediate whose basic constraints say it is not a CA"""
    return below(pki, secret, intermediate(pki, secret, constraints=x509.BasicConstraints(ca=False, path_length=None)))


@CLASSES.add("ca-no-bc", twin="via-intermediate")
def _ca_no_bc(pki: Credentials, secret: str) -> Identity:
    """issued by an intermediate without basic constraints"""
    return below(pki, secret, intermediate(pki, secret, constraints=None))


# Wrong however many CAs there may be, and so is its twin there.
@CLASSES.add("ca-leaf-issues-leaf", twin="via-intermediate", authorities=0)
def _leaf_issues_leaf(pki: Credentials, secret: str) -> Identity:
    """issued with another client's end-entity certificate, which is sent in the chain"""
    return below(pki, secret, pki.other_client(secret))


@CLASSES.add("pathlen-1", twin="via-intermediate", authorities=2)
def _pathlen_1(pki: Credentials, secret: str) -> Identity:
    """two intermediate CAs, the upper one with pathLenConstraint 1: exactly what it allows"""
    needs_room(pki, secret, 2)
    return _two_deep(pki, secret, 1)


# Wrong however many CAs there may be, and so is its twin there.
@CLASSES.add("pathlen-0", twin="pathlen-1", authorities=0)
def _pathlen_0(pki: Credentials, secret: str) -> Identity:
    """two intermediate CAs, the upper one with pathLenConstraint 0: one more than it allows"""
    return _two_deep(pki, secret, 0)


def _two_deep(pki: Credentials, secret: str, path_length: int) -> Identity:
    upper = below_nothing(pki, secret, constraints=ca(path_length))
    key = authority_key(upper.certificate.public_key())
    lower = issue(pki.authority_profile(secret, "hopproof-lower-ca"), upper, key=key)
    return leaf(pki, secret, issuer=lower).sending(lower, upper).along(pki.along(secret))


@CLASSES.add("nc-dns-inside", twin="via-intermediate")
def _nc_dns_inside(pki: Credentials, secret: str) -> Identity:
    """issued by an intermediate CA constrained to clients.apic.test, with a DNS name in that domain"""
    return below(pki, secret, _for_domain(pki, secret), names=known_as(pki, secret, f"client.{_ZONE}"))


@CLASSES.add("nc-dns", twin="nc-dns-inside")
def _nc_dns(pki: Credentials, secret: str) -> Identity:
    """issued by an intermediate CA constrained to clients.apic.test, with a DNS name in another domain"""
    return below(pki, secret, _for_domain(pki, secret), names=known_as(pki, secret, "client.elsewhere.test"))


@CLASSES.add("nc-dn-inside", twin="via-intermediate")
def _nc_dn_inside(pki: Credentials, secret: str) -> Identity:
    """issued by an intermediate CA whose name constraints permit the client's subject (O=cert-manager)"""
    return _with_a_name(pki, secret, _for_subjects(pki, secret, own_branch(pki.profile(secret).subject)))


@CLASSES.add("nc-dn", twin="nc-dn-inside")
def _nc_dn(pki: Credentials, secret: str) -> Identity:
    """issued by an intermediate CA whose name constraints permit only another organization"""
    return _with_a_name(pki, secret, _for_subjects(pki, secret, other_branch(pki.profile(secret).subject)))


def _with_a_name(pki: Credentials, secret: str, issuer: Identity) -> Identity:
    """Below *issuer*, with a subject alternative name of a kind that it does not constrain.

    RFC 5280 section 6.2 lets a verifier be stricter than the algorithm: BoringSSL refuses a leaf without any such name
    below a constrained CA if its common name looks like a host's, whatever the constraint is about.
    """
    names = pki.profile(secret).names or (x509.RFC822Name(f"client@{_ZONE}"),)
    return below(pki, secret, issuer, names=names)


def _for_domain(pki: Credentials, secret: str) -> Identity:
    return intermediate(pki, secret, extra=(_permitting(x509.DNSName(_ZONE)),))


def _for_subjects(pki: Credentials, secret: str, base: x509.Name) -> Identity:
    return intermediate(pki, secret, extra=(_permitting(x509.DirectoryName(base)),))


def _permitting(base: x509.GeneralName) -> Extra:
    return x509.NameConstraints(permitted_subtrees=[base], excluded_subtrees=None), True
