"""Whether certificates verify now, by OpenSSL: PKI-16."""

from __future__ import annotations

from harness.decode.exported_certificates import Held
from harness.pki.signatures import chain_problem, issuer_key_id, key_id, may_sign, self_signed
from harness.products.apic.rules.certificates import CA
from harness.products.apic.rules.rfc5280 import profile
from harness.products.apic.rules.trust import held_place, renew
from harness.products.apic.rules.view import View
from harness.products.rules import Log, Place


def pki_16(view: View, log: Log) -> None:
    """General chain rules, by OpenSSL; the profile of RFC 5280, by pkilint."""
    table = {id(each.held): each for each in view.held}
    judged = []
    referenced = _referenced(view)
    for held in view.question.certificates.presented():
        known = table.get(id(held))
        if held.resource is not None and known is None and held.name not in referenced:
            continue  # not issued here
        judged.append(held)
        problem = _chain(view, held)
        if problem is None:
            issuer = held.certificate.issuer.rfc4514_string()
            log.undecided(held_place(held), f"no certificate in the files has signed it; its issuer is {issuer}")
            continue
        log.checked()
        if problem:
            fix = renew(known) if known else "reissue it"
            why = f"OpenSSL refuses {held.name}: {problem}{_taken_for_root(held, problem)}."
            log.error(held_place(held), f"{why} A peer that verifies it breaks the connection.", fix)
    profile(judged, log)
    for resource in view.empty:
        log.undecided(Place.of(resource, "data"), "it holds no certificate (tls.crt); export it with its data")
    for known in view.held:
        if known.row.use == CA and known.held is not None and not may_sign(known.held.certificate):
            log.error(
                held_place(known.held),
                f"{known.row.name} is not a CA's certificate (basicConstraints), so nothing under it verifies.",
                "isCA: true in its Certificate",
            )


def _taken_for_root(held: Held, problem: str) -> str:
    """Why OpenSSL calls one self-signed that another key has signed."""
    certificate = held.certificate
    if "signed certificate" not in problem or certificate.subject != certificate.issuer or self_signed(certificate):
        return ""
    named = issuer_key_id(certificate)
    if named is None or named == key_id(certificate):
        return ", for its subject is the name of its issuer, and no authority key identifier tells the two apart"
    return ", for its subject is the name of its issuer; before 4.0 it went by the authority key identifier"


def _chain(view: View, held: Held) -> str | None:
    """What is wrong of the chain of *held*, '' for nothing; None where its CA is not in the files."""
    certificate = held.certificate
    beside = [other for other in view.beside(held) if other is not held]
    trusted = [other.certificate for other in beside if other.entry == "ca.crt"]
    sent = [other.certificate for other in beside if other.entry == held.entry]
    if self_signed(certificate):
        trusted.append(certificate)
    trusted = trusted or view.signers(certificate)
    if trusted:
        return chain_problem(certificate, trusted, sent, view.now)
    if certificate.not_valid_after_utc < view.now:
        return "certificate has expired"
    return "certificate is not yet valid" if certificate.not_valid_before_utc > view.now else None


def _referenced(view: View) -> frozenset[str]:
    found: set[str] = set()
    for each in view.stated:
        for name, setting in each.spec.fields().items():
            if name.endswith("Endpoint"):
                found |= {host.text("secretName") for host in setting.items("hosts")}
        found |= {host.text("secretName") for host in each.spec.items("ingestion", "endpoint", "hosts")}
    return frozenset(found - {""})
