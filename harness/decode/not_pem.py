"""Recognises the forms in which certificates and keys come where PEM is expected, and says how to convert each."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

_DER = b"\x30"
_PKCS12 = b"\x02\x01\x03"
"""Version 3, which stands in the first bytes of every PKCS#12 file."""
_PKCS7 = bytes.fromhex("06092a864886f70d010702")
_KEYSTORES = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")
_ARMOUR = (
    (b"BEGIN TRUSTED CERTIFICATE", "it is OpenSSL's trusted form; convert it: openssl x509 -in FILE -out FILE.pem"),
    (b"BEGIN CERTIFICATE REQUEST", "it is a certificate request; give the certificate that was issued for it"),
    (b"BEGIN NEW CERTIFICATE REQUEST", "it is a certificate request; give the certificate that was issued for it"),
    (b"BEGIN PKCS7", "it is PKCS#7; convert it: openssl pkcs7 -print_certs -in FILE -out FILE.pem"),
    (b"BEGIN OPENSSH PRIVATE KEY", "it is an OpenSSH key; convert it: ssh-keygen -p -m pem -f FILE"),
    (b"PRIVATE KEY-----", "it is a private key, where a certificate is expected"),
    (b"BEGIN PUBLIC KEY", "it is a public key"),
    (b"BEGIN CERTIFICATE-----", "it is a certificate, where a private key is expected"),
)


def hint(content: bytes, *, certificate: bool) -> str:
    """What *content* is and how to make PEM of it; empty where it is nothing known.

    *certificate* says what was expected: a certificate, or a private key.
    """
    return next(_hints(content, certificate), "")


def _hints(content: bytes, certificate: bool) -> Iterator[str]:
    if content.startswith(_KEYSTORES):
        yield "it is a Java keystore; convert it: keytool -importkeystore -srckeystore FILE -destkeystore FILE.p12"
    if content.startswith(_DER):
        yield _binary(content, certificate)
    expected = b"BEGIN CERTIFICATE-----" if certificate else b"PRIVATE KEY-----"
    if expected in content:
        return
    yield from (text for mark, text in _ARMOUR if mark in content)
    if _in_base64(content):
        yield "it is base64 (as in a Secret); decode it: base64 -d FILE > FILE.pem"


def _binary(content: bytes, certificate: bool) -> str:
    if _PKCS12 in content[:8]:
        what = "-nokeys" if certificate else "-nocerts -noenc"
        return f"it may be PKCS#12; convert it: openssl pkcs12 -in FILE {what} -out FILE.pem"
    if _PKCS7 in content[:24]:
        return "it may be PKCS#7; convert it: openssl pkcs7 -inform DER -print_certs -in FILE -out FILE.pem"
    return f"it may be DER; convert it: openssl {'x509' if certificate else 'pkey'} -inform DER -in FILE -out FILE.pem"


def _in_base64(content: bytes) -> bool:
    try:
        return base64.b64decode(b"".join(content.split()), validate=True).startswith(
            (b"-----BEGIN ", b"LS0tLS1CRUdJTi")
        )
    except binascii.Error:
        return False
