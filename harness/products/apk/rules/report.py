"""Whom each API of a set of files trusts, in words."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from harness.products.apk.rules.view import View, label


def report(view: View) -> str:
    """A paragraph for each place with mTLS: its mode, and the certificates that it names."""
    return "\n".join(_lines(view)) or "No mTLS is on in these files."


def _lines(view: View) -> Iterator[str]:
    for part in view.mtls():
        where = f"{part.resource.file}:{part.root.line}"
        yield f"{label(part.resource)} ({where}): mTLS {_mode(part.root.text('required'))}"
        for reference in view.references(part):
            yield f"  {reference.named}: {_certificate(view.text(reference))}"
    yield "APK trusts these certificates themselves: it checks no issuer, date or revocation."


def _mode(written: str) -> str:
    return written or "without required"


def _certificate(text: str | None) -> str:
    if text is None:
        return "not in these files"
    try:
        found = x509.load_pem_x509_certificate(text.encode())
        subject, digest = found.subject.rfc4514_string(), found.fingerprint(SHA256()).hex()
    except (ValueError, KeyError, TypeError):
        return "no parsable certificate"
    return f"{subject}, until {found.not_valid_after_utc:%Y-%m-%d}, SHA-256 {digest}"
