"""A client's certificate in a header, as a balancer that ended TLS hands it on, and what may be wrong with that."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from cryptography.hazmat.primitives.serialization import Encoding

from harness.pki.issue import Identity

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
Value = Callable[[str], str]
Name = Callable[[str, str], str]


@dataclass(frozen=True)
class HeaderForm:
    """A form of the header: ``value`` makes it of the certificate in Base64, ``name`` its name of the two that there
    are: the one that the server is configured with, and its product's usual one."""

    summary: str
    value: Value
    name: Name = lambda configured, usual: configured


def _pem(content: str) -> str:
    return f"{_BEGIN}{content}{_END}"


def _lines(content: str) -> list[str]:
    return [content[start : start + 64] for start in range(0, len(content), 64)]


HEADER_FORMS: Mapping[str, HeaderForm] = {
    "header-malformed": HeaderForm(
        "what stands between the markers is no certificate", lambda _: _pem("bm90IGEgY2VydGlmaWNhdGU=")
    ),
    "header-cut": HeaderForm(
        "the certificate is cut in half, as in the document's own sample",
        lambda content: _pem(content[: len(content) // 8 * 4]),
    ),
    "header-no-markers": HeaderForm("the certificate in Base64 without BEGIN and END markers", lambda content: content),
    "header-folded": HeaderForm(
        "PEM whose line breaks became blanks", lambda content: " ".join((_BEGIN, *_lines(content), _END))
    ),
    "header-url-encoded": HeaderForm(
        "URL-encoded PEM, as nginx sends it",
        lambda content: quote("\n".join((_BEGIN, *_lines(content), _END)), safe=""),
    ),
    "header-blank": HeaderForm("the header is there and blank", lambda _: " "),
    "header-text": HeaderForm("a text that is no PEM", lambda _: "not a certificate"),
    "header-default-name": HeaderForm(
        "the right certificate under the default name, where another one is configured",
        _pem,
        lambda configured, usual: usual,
    ),
    "header-other-name": HeaderForm(
        "the right certificate under a name that is not configured",
        _pem,
        lambda configured, usual: "X-Client-Cert-Chain",
    ),
    "header-lower-case": HeaderForm(
        "the header's name in lower case", _pem, lambda configured, usual: configured.lower()
    ),
}
_USUAL = HeaderForm("", _pem)


def header_field(name: str, usual: str, identity: Identity | None, form: str) -> tuple[tuple[str, bytes], ...]:
    """The field called *name*, or as *form* has it (*usual* is the product's name of it), with *identity*'s
    certificate; none where there is no identity."""
    if identity is None:
        return ()
    how = HEADER_FORMS.get(form, _USUAL)
    content = base64.b64encode(identity.certificate.public_bytes(Encoding.DER)).decode("ascii")
    return ((how.name(name, usual or name), how.value(content).encode("ascii")),)
