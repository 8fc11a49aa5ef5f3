"""A client's certificate in a header, as a balancer that ended TLS hands it on, and what may be wrong with that."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from cryptography.hazmat.primitives.serialization import Encoding

from harness.model.vocabulary import CertificateEncoding
from harness.pki.issue import Identity

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
Writer = Callable[[str], str]
Name = Callable[[str, str], str]


def _pem(content: str) -> str:
    return f"{_BEGIN}{content}{_END}"


def _lines(content: str, between: str) -> str:
    return between.join((_BEGIN, *(content[start : start + 64] for start in range(0, len(content), 64)), _END))


def _spaces(content: str) -> str:
    return _lines(content, " ")


def escaped(text: str) -> str:
    """*text* percent-encoded: every letter but the unreserved ones of RFC 3986."""
    return quote(text, safe="")


def _escaped_pem(content: str) -> str:
    return escaped(f"{_lines(content, chr(10))}\n")


def forwarded(content: str, subject: str = "") -> str:
    """Envoy's X-Forwarded-Client-Cert, with *subject* if it is told."""
    digest = hashlib.sha256(base64.b64decode(content)).hexdigest()
    return f'Hash={digest};Cert="{_escaped_pem(content)}"' + (f';Subject="{subject}"' if subject else "")


WRITERS: Mapping[CertificateEncoding, Writer] = {
    CertificateEncoding.PEM: _pem,
    CertificateEncoding.PEM_SPACES: _spaces,
    CertificateEncoding.URL_ENCODED_PEM: _escaped_pem,
    CertificateEncoding.BASE64_DER: str,
    CertificateEncoding.URL_ENCODED_DER: escaped,
    CertificateEncoding.RFC_9440: lambda content: f":{content}:",
    CertificateEncoding.XFCC: forwarded,
}
"""By encoding, what makes the header of a certificate in Base64."""


@dataclass(frozen=True)
class HeaderForm:
    """A form of the header.

    ``content`` makes what stands in it of the certificate in Base64, ``write`` the header of that (None: the server's
    own encoding does), ``name`` its name of the two that there are: the one that the server is configured with, and
    its product's usual one.
    """

    summary: str
    content: Callable[[str], str] = str
    write: Callable[[CertificateEncoding], Writer] | None = None
    name: Name = lambda configured, usual: configured


def _as(writer: Writer) -> Callable[[CertificateEncoding], Writer]:
    """*writer*, whatever the server expects."""
    return lambda _: writer


def _escaped_if(writer: Writer) -> Callable[[CertificateEncoding], Writer]:
    """*writer*, percent-encoded for a server that expects PEM so."""
    return lambda encoding: (
        (lambda content: escaped(writer(content))) if encoding is CertificateEncoding.URL_ENCODED_PEM else writer
    )


HEADER_FORMS: Mapping[str, HeaderForm] = {
    "header-malformed": HeaderForm("a value that is not a certificate", lambda _: "bm90IGEgY2VydGlmaWNhdGU="),
    "header-cut": HeaderForm(
        "the certificate is truncated to half, as in the document's own sample",
        lambda content: content[: len(content) // 8 * 4],
    ),
    "header-no-markers": HeaderForm(
        "the certificate in Base64 without BEGIN and END markers", write=_escaped_if(lambda content: content)
    ),
    "header-folded": HeaderForm("PEM with spaces in place of line breaks", write=_escaped_if(_spaces)),
    "header-url-encoded": HeaderForm("URL-encoded PEM, as nginx sends it", write=_as(_escaped_pem)),
    "header-blank": HeaderForm("the header is present and blank", write=_as(lambda _: " ")),
    "header-text": HeaderForm("a text that is not PEM", write=_as(lambda _: "not a certificate")),
    "header-default-name": HeaderForm(
        "the right certificate under the default name, where another one is configured",
        name=lambda configured, usual: usual,
    ),
    "header-other-name": HeaderForm(
        "the right certificate under a name that is not configured",
        name=lambda configured, usual: "X-Client-Cert-Chain",
    ),
    "header-lower-case": HeaderForm(
        "the header's name in lower case", name=lambda configured, usual: configured.lower()
    ),
}
_USUAL = HeaderForm("")


def header_field(
    name: str,
    usual: str,
    identity: Identity | None,
    form: str,
    encoding: CertificateEncoding = CertificateEncoding.PEM,
) -> tuple[tuple[str, bytes], ...]:
    """The field called *name*, or as *form* has it (*usual* is the product's name of it), with *identity*'s
    certificate in *encoding*; none where there is no identity."""
    if identity is None:
        return ()
    how = HEADER_FORMS.get(form, _USUAL)
    content = base64.b64encode(identity.certificate.public_bytes(Encoding.DER)).decode("ascii")
    write = how.write(encoding) if how.write else WRITERS[encoding]
    return ((how.name(name, usual or name), write(how.content(content)).encode("ascii")),)
