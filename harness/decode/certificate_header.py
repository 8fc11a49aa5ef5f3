"""The certificate that a proxy handed on in a header, read as its encoding says.  Verifies nothing."""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote

from cryptography import x509

from harness.model.vocabulary import CertificateEncoding

_MARKED = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_FORWARDED = re.compile(r'(?:^|;)Cert="([^"]*)"')
_BARE = re.compile(r"([A-Za-z0-9+/=]+)")
_BYTES = re.compile(r":([A-Za-z0-9+/=]*):")
_ESCAPED = frozenset(
    {CertificateEncoding.URL_ENCODED_PEM, CertificateEncoding.URL_ENCODED_DER, CertificateEncoding.XFCC}
)
_CONTENT = {
    CertificateEncoding.BASE64_DER: _BARE.fullmatch,
    CertificateEncoding.URL_ENCODED_DER: _BARE.fullmatch,
    CertificateEncoding.RFC_9440: _BYTES.fullmatch,
}


def certificate_in(value: str, encoding: CertificateEncoding) -> x509.Certificate | None:
    """The certificate that *value* holds in *encoding*, None where it holds none."""
    text = value.strip()
    if encoding is CertificateEncoding.XFCC:
        forwarded = _FORWARDED.search(text)
        text = forwarded[1] if forwarded else ""
    if encoding in _ESCAPED:
        text = unquote(text)
    found = _CONTENT.get(encoding, _MARKED.search)(text)
    try:
        der = base64.b64decode("".join(found[1].split()), validate=True) if found else b""
        return x509.load_der_x509_certificate(der)
    except ValueError:
        return None
