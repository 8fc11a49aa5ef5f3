"""Certificate classes on what a certificate may be used for, and on unknown extensions."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from harness.pki.deployment import CA_USAGE, SERVER
from harness.pki.issue import Identity
from harness.stimuli.certificates.table import Classes, below, intermediate, leaf
from harness.stimuli.credentials import Credentials

_WHATEVER_USE = "certificate (whatever its purpose)"
CLASSES = Classes()

# An arc for private use (RFC 3061 names 1.3.6.1.4.1 enterprises; 99999 is not assigned to anything a server reads).
_UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")


@CLASSES.add("eku-absent", twin="eku-absent")
def _eku_absent(pki: Credentials, secret: str) -> Identity:
    """no extended key usage at all, which means any use"""
    return leaf(pki, secret, extended=None)


@CLASSES.add("eku-both", twin="eku-both")
def _eku_both(pki: Credentials, secret: str) -> Identity:
    """extended key usage server and client authentication"""
    return leaf(pki, secret, extended=(SERVER, ExtendedKeyUsageOID.CLIENT_AUTH))


@CLASSES.add("eku-server-only", lets_in=_WHATEVER_USE)
def _eku_server(pki: Credentials, secret: str) -> Identity:
    """extended key usage server authentication only"""
    return leaf(pki, secret, extended=(SERVER,))


@CLASSES.add("eku-other", lets_in=_WHATEVER_USE)
def _eku_other(pki: Credentials, secret: str) -> Identity:
    """extended key usage code signing only"""
    return leaf(pki, secret, extended=(ExtendedKeyUsageOID.CODE_SIGNING,))


@CLASSES.add("eku-any")
def _eku_any(pki: Credentials, secret: str) -> Identity:
    """extended key usage anyExtendedKeyUsage only, which a server may refuse"""
    return leaf(pki, secret, extended=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,))


@CLASSES.add("eku-on-ica", twin="via-intermediate")
def _eku_on_ica(pki: Credentials, secret: str) -> Identity:
    """issued by an intermediate CA that may only issue server certificates"""
    return below(pki, secret, intermediate(pki, secret, extended=(SERVER,)))


@CLASSES.add("ku-no-digsig")
def _ku_no_digsig(pki: Credentials, secret: str) -> Identity:
    """key usage without digital signature"""
    return leaf(pki, secret, key_usage=frozenset({"key_encipherment"}))


@CLASSES.add("ku-certsign-leaf")
def _ku_certsign(pki: Credentials, secret: str) -> Identity:
    """key usage certificate signing only"""
    return leaf(pki, secret, key_usage=frozenset({"key_cert_sign"}))


@CLASSES.add("ku-no-certsign", twin="via-intermediate")
def _ku_no_certsign(pki: Credentials, secret: str) -> Identity:
    """issued by an intermediate CA whose key usage lacks certificate signing"""
    return below(pki, secret, intermediate(pki, secret, key_usage=CA_USAGE - {"key_cert_sign"}))


@CLASSES.add("ext-unknown-noncritical", twin="ext-unknown-noncritical")
def _unknown_noncritical(pki: Credentials, secret: str) -> Identity:
    """an unknown extension that is not critical"""
    return leaf(pki, secret, extra=((_UNKNOWN, False),))


@CLASSES.add("ext-unknown-critical", twin="ext-unknown-noncritical")
def _unknown_critical(pki: Credentials, secret: str) -> Identity:
    """an unknown extension marked critical"""
    return leaf(pki, secret, extra=((_UNKNOWN, True),))


@CLASSES.add("ext-unknown-critical-ica", twin="via-intermediate")
def _unknown_critical_ica(pki: Credentials, secret: str) -> Identity:
    """issued by an intermediate CA with an unknown extension marked critical"""
    return below(pki, secret, intermediate(pki, secret, extra=((_UNKNOWN, True),)))
