"""The rules on configured certificates: that there are some, that references lead to them, that they parse."""

from __future__ import annotations

import re

from cryptography import x509

from harness.decode.exported_certificates import in_words
from harness.products.apk.rules.view import CERTIFICATES, SOURCES, Reference, View
from harness.products.rules import Log

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_PLACEHOLDER = re.compile(r"\{\{|^\s*<[^>]*>\s*$|\$\{")


def named(view: View, log: Log) -> None:
    """APK-1-CERTIFICATES: mTLS names at least one certificate."""
    for part in view.mtls():
        log.checked()
        if any(True for _ in view.references(part)):
            continue
        if part.is_conf:
            others = any(part.root.at(name) is not None for name in SOURCES)
            if not others:
                message = "mTLS without certificates: APK answers 909029 and deploys nothing"
                log.error(part.place(CERTIFICATES), message, "certificates: [{name: <ConfigMap>, key: tls.crt}]")
        else:
            message = "mTLS without certificates: APK refuses the resource"
            log.error(part.place(), message, "configMapRefs: [{name: <ConfigMap>, key: tls.crt}]")


def references(view: View, log: Log) -> None:
    """APK-1-REFERENCE: each reference leads to a key of an object."""
    for part in view.mtls():
        for reference in view.references(part):
            if reference.kind and not reference.written.is_text:
                _reference(view, reference, log)


def _reference(view: View, reference: Reference, log: Log) -> None:
    at = reference.part.place(*reference.path)
    written = reference.written
    missing = [field for field in ("name", "key") if not written.text(field)]
    if missing:
        log.checked()
        log.error(at, f"the reference has no {' and no '.join(missing)}", "{name: <object>, key: tls.crt}")
        return
    found, key = view.found(reference), written.text("key")
    if found:
        log.checked()
        keys = sorted({name for each in found for part in ("data", "stringData") for name in each.root.fields(part)})
        if key not in keys:
            message = f"{reference.named}: it has no such key, only {', '.join(keys) or 'none at all'}"
            if len(keys) == 1:
                right = reference.part.put(keys[0], *reference.path, "key")
                log.error(at, message, f"key: {keys[0]}", right)
            else:
                log.error(at, message, "one of its keys")
        return
    other = "Secret" if reference.kind == "ConfigMap" else "ConfigMap"
    if view.found(reference, other):
        log.checked()
        message = f"{written.text('name')} is a {other}, and a {reference.kind} is read here"
        fix = "secretRefs of an Authentication resource" if other == "Secret" else "configMapRefs"
        log.error(at, message, fix)
        return
    log.undecided(at, f"{reference.named} is not in these files")
    if any(True for _ in view.question.files.of(reference.kind)):
        log.warning(at, f"{reference.named} is not in these files", "add it to the files, or correct the name")


def pem(view: View, log: Log) -> None:
    """APK-1-PEM: each configured certificate is PEM that can be parsed."""
    for part in view.mtls():
        for reference in view.references(part):
            text = view.text(reference)
            if text is None:
                continue  # APK-1-REFERENCE
            if _BEGIN not in text and _PLACEHOLDER.search(text):
                log.undecided(part.place(*reference.path), f"{reference.named} is a placeholder")
                continue
            log.checked()
            _pem(reference, text, view, log)


def _pem(reference: Reference, text: str, view: View, log: Log) -> None:
    at = reference.part.place(*reference.path)
    first, found, rest = text.partition(_END)
    whole = "the whole PEM block, from BEGIN CERTIFICATE to END CERTIFICATE"
    if _BEGIN not in first or not found:
        log.error(at, f"{reference.named}: no PEM certificate in it", whole)
        return
    try:
        certificate = x509.load_pem_x509_certificate(f"{first}{_END}\n".encode())
        subject, ends = certificate.subject.rfc4514_string(), certificate.not_valid_after_utc
        constraints = certificate.extensions
    except (ValueError, KeyError, TypeError) as error:
        log.error(at, f"{reference.named}: the certificate cannot be read: {in_words(error)}", whole)
        return
    if _BEGIN in rest:
        log.warning(at, f"{reference.named}: APK reads the first of its certificates only", "an entry for each")
    if any(isinstance(one.value, x509.BasicConstraints) and one.value.ca for one in constraints):
        message = f"{reference.named}: {subject} is a CA; APK trusts the certificate itself, so it matches no client"
        log.warning(at, message, "the clients' own certificates")
    elif ends < view.question.now:
        message = f"{reference.named}: {subject} expired on {ends:%Y-%m-%d}; APK ignores the date and still trusts it"
        log.note(at, message, "the client's current certificate")
