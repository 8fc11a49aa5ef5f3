"""Certificate classes on the subject: genuine certificates of the right CA that name nearly the client, or another.

Each is accepted by TLS; only a server that compares the whole distinguished name turns it away.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.x509 import NameAttribute, NameOID

from harness.wire.certificates.table import Classes, leaf
from harness.wire.issue import Identity
from harness.wire.pki import ORGANIZATION, Pki, subject

CLASSES = Classes()

_O = (NameOID.ORGANIZATION_NAME, ORGANIZATION)
_HOMOGLYPHS = str.maketrans({"a": "\u0430", "e": "\u0435", "o": "\u043e"})  # Latin to Cyrillic, alike to the eye

Part = tuple[x509.ObjectIdentifier, str]


def _name(*parts: Part) -> x509.Name:
    """A name of single-valued RDNs in the order of the RDNSequence."""
    return x509.Name([NameAttribute(oid, value) for oid, value in parts])


def _cn(value: str) -> Part:
    return NameOID.COMMON_NAME, value


@CLASSES.add("id-unregistered-dn")
def _unregistered(pki: Pki, secret: str) -> Identity:
    """a subject nobody registered: CN=unregistered-client,O=cert-manager"""
    return leaf(pki, secret, subject=subject("unregistered-client"))


@CLASSES.add("id-other-client")
def _other_client(pki: Pki, secret: str) -> Identity:
    """a name that begins with the registered one: CN=<client>-2,O=cert-manager"""
    return leaf(pki, secret, subject=subject(f"{secret}-2"))


@CLASSES.add("id-cn-only-match")
def _cn_only(pki: Pki, secret: str) -> Identity:
    """the registered CN with another organization"""
    return leaf(pki, secret, subject=_name((NameOID.ORGANIZATION_NAME, "another"), _cn(secret)))


@CLASSES.add("id-missing-rdn")
def _missing_rdn(pki: Pki, secret: str) -> Identity:
    """the registered CN alone, without O=cert-manager"""
    return leaf(pki, secret, subject=_name(_cn(secret)))


@CLASSES.add("id-extra-rdn")
def _extra_rdn(pki: Pki, secret: str) -> Identity:
    """the registered subject plus OU=another"""
    unit = (NameOID.ORGANIZATIONAL_UNIT_NAME, "another")
    return leaf(pki, secret, subject=_name(_O, unit, _cn(secret)))


@CLASSES.add("id-rdn-order")
def _rdn_order(pki: Pki, secret: str) -> Identity:
    """the registered subject's parts in the other order"""
    return leaf(pki, secret, subject=_name(_cn(secret), _O))


@CLASSES.add("id-multivalued")
def _multivalued(pki: Pki, secret: str) -> Identity:
    """CN and O in one multi-valued part: CN=<client>+O=cert-manager"""
    return leaf(pki, secret, subject=x509.Name([x509.RelativeDistinguishedName(_name(_cn(secret), _O))]))


@CLASSES.add("id-case")
def _case(pki: Pki, secret: str) -> Identity:
    """the registered CN in capitals: equal by RFC 5280 section 7.1, different as a string"""
    return leaf(pki, secret, subject=subject(secret.upper()))


@CLASSES.add("id-multiple-cn")
def _multiple_cn(pki: Pki, secret: str) -> Identity:
    """two CNs, one of them the registered one"""
    return leaf(pki, secret, subject=_name(_O, _cn("unregistered-client"), _cn(secret)))


@CLASSES.add("id-cn-injection")
def _cn_injection(pki: Pki, secret: str) -> Identity:
    """one CN with the value <client>,O=cert-manager, which reads like the registered subject if it is not escaped"""
    return leaf(pki, secret, subject=_name(_cn(f"{secret},O={ORGANIZATION}")))


@CLASSES.add("id-oid-in-value")
def _oid_in_value(pki: Pki, secret: str) -> Identity:
    """the registered name in UID in place of CN"""
    return leaf(pki, secret, subject=_name(_O, (NameOID.USER_ID, secret)))


@CLASSES.add("id-san-only")
def _san_only(pki: Pki, secret: str) -> Identity:
    """another subject; the registered name is only a DNS name in the subject alternative names"""
    return leaf(pki, secret, subject=subject("unregistered-client"), hosts=(secret,))


@CLASSES.add("id-unicode")
def _unicode(pki: Pki, secret: str) -> Identity:
    """the registered CN spelt with Cyrillic letters that look the same"""
    return leaf(pki, secret, subject=subject(secret.translate(_HOMOGLYPHS)))


@CLASSES.add("id-empty-subject")
def _empty_subject(pki: Pki, secret: str) -> Identity:
    """an empty subject"""
    return leaf(pki, secret, subject=x509.Name([]))
