"""Who signed what: PKI-11, 14, 19.  Signatures decide; names and key ids only explain."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509

from harness.decode.exported_certificates import Held, public_key
from harness.model.patch import patch, put
from harness.pki.signatures import issuer_key_id, key_id, may_sign, signed_by, unchecked
from harness.products.apic.rules.certificates import (
    INGRESS,
    INGRESS_CA,
    OF_ISSUER,
    issuer_matches,
)
from harness.products.apic.rules.remedies import issuer
from harness.products.apic.rules.view import MANAGEMENT, Known, View
from harness.products.rules import Log, Place

_ANNOTATION = "cert-manager.io/issuer-name"


def place(known: Known, field: str = "") -> Place:
    """Where a certificate stands; of one that is asked for, where its *field* does."""
    if known.held is not None:
        return held_place(known.held)
    assert known.resource is not None
    return Place.of(known.resource, "spec", *filter(None, (field,)))


def held_place(held: Held) -> Place:
    """Where a certificate stands in its Secret or file."""
    where = held.resource.label if held.resource else held.file
    path = f"data.{held.entry}" if held.entry else f"certificate {held.place + 1}"
    return Place(held.file, held.line, where, path)


def renew(known: Known) -> str:
    """How to have a certificate reissued."""
    namespace = f" -n {known.namespace}" if known.namespace else ""
    return f"kubectl delete secret {known.name}{namespace}  # cert-manager reissues it"


def issued_by_name(known: Known) -> str:
    """The issuer that a request or a Secret's annotation names."""
    if known.resource is None:
        return ""
    return known.resource.root.text("spec", "issuerRef", "name") or known.resource.root.text(
        "metadata", "annotations", _ANNOTATION
    )


def authorities(view: View, name: str, namespace: str, cluster: str) -> list[Known]:
    """The CA called *name* that is current in *namespace*; the deployment's only one where there is none."""
    near = view.authorities.get((name, namespace, cluster), [])
    return near or (
        [known for known in view.by_row.get(name, []) if known.held] if view.alone() and not cluster else []
    )


def pki_11(view: View, log: Log) -> None:
    """A renewed CA means every certificate under it is renewed."""
    for known in view.held:
        held, name = known.held, OF_ISSUER.get(known.row.issuer, "")
        if held is None or not name:
            continue
        current = [
            each.held.certificate for each in authorities(view, name, known.namespace, known.cluster) if each.held
        ]
        named = [each for each in current if each.subject == held.certificate.issuer]
        if not named:
            continue
        signed = any(signed_by(held.certificate, each) for each in named)
        if not signed and (reason := next(filter(None, (unchecked(held.certificate, each) for each in named)), "")):
            log.undecided(held_place(held), f"whether {name} signed it cannot be checked: {reason.rstrip('.')}")
            continue
        log.checked()
        if not signed:
            log.error(
                held_place(held),
                f"{known.row.name} carries the name of {name} as its issuer and is not signed with its present key"
                f"{_explained(held.certificate, named)}. A peer that trusts only the renewed CA refuses it.",
                f"{renew(known)}{_restart(known)}",
            )


def _explained(leaf: x509.Certificate, authorities: Iterable[x509.Certificate]) -> str:
    wanted, there = issuer_key_id(leaf), {key_id(each) for each in authorities}
    if wanted is not None and wanted in there:
        return f" (it names the key {wanted.hex()[:8]}, which the CA has: the certificate is damaged)"
    if wanted is None or None in there:
        return ""
    present = ", ".join(sorted(each.hex()[:8] for each in there if each))
    return f" (it names the key {wanted.hex()[:8]}, the CA now has {present})"


def _restart(known: Known) -> str:
    return f"; then restart {', '.join(known.row.restart)}" if known.row.restart else ""


def pki_14(view: View, log: Log) -> None:
    """One ingress-ca everywhere."""
    managed = {(each.namespace, each.cluster) for each in view.of(MANAGEMENT)}
    managed = managed or {(top.namespace, view.cluster(top)) for top in view.tops}
    double = [each for each in view.of(MANAGEMENT) if each.two_data_centres]
    one_deployment = len(managed) == 1 or (len(managed) > 1 and len(double) == len(managed))
    known = view.by_row.get(INGRESS_CA, [])
    if not one_deployment:
        if len(known) > 1:
            log.not_checked("the files do not show one deployment in several namespaces or data centres")
        return
    origin = [each for each in known if (each.namespace, each.cluster) in managed]
    # What names no namespace may be applied to management's.
    copies = [each for each in known if each.namespace and (each.namespace, each.cluster) not in managed]
    kept = [each for each in origin if each.held]
    for each in (*copies, *kept[1:]):
        if each.held and kept and each is not kept[0]:
            log.checked()
            _same(log, each, each.held, kept[0].held)
    if not kept:
        _alike(log, [each for each in copies if each.held])
    requests = [each for each in copies if each.held is None and each.resource is not None]
    for each in requests:
        log.checked()
        if kept or any(one.held is None for one in origin):
            _overwrites(log, each)
    if double and not view.tops and len(named := [each for each in origin if each.held is None]) > 1:
        log.checked()
        _overwrites(log, named[-1])


def _alike(log: Log, copies: list[Known]) -> None:
    """Copies without the original: where two differ, one of them is stale."""
    for each in copies[1:]:
        log.checked()
        if each.held and copies[0].held and each.held.fingerprint != copies[0].held.fingerprint:
            log.error(
                held_place(each.held),
                f"{INGRESS_CA} differs from the copy in {copies[0].held.label}: one of the two is stale, and the"
                " subsystems beside it refuse the others.",
                "copy management's secret to both again, then delete the secrets that the stale one issued",
            )


def _same(log: Log, copy: Known, held: Held, original: Held | None) -> None:
    if original is None or held.fingerprint == original.fingerprint:
        return
    at, fix = held_place(held), f"copy {original.label.removesuffix(' tls.crt')} there again"
    if public_key(held.certificate) == public_key(original.certificate):
        log.warning(at, f"This copy of {INGRESS_CA} is an earlier certificate of the same key; it ends sooner.", fix)
        return
    log.error(
        at,
        f"{INGRESS_CA} differs from the one in {original.label}: the subsystems here trust another CA than"
        " management's, and"
        " refuse each other.",
        f"{fix}, then delete the secrets that {INGRESS} issued here",
    )


def _overwrites(log: Log, known: Known) -> None:
    assert known.resource is not None
    log.error(
        Place.of(known.resource, "metadata", "name"),
        f"A Certificate object for {INGRESS_CA} stands where the secret is a copy: cert-manager would overwrite"
        " the copy with a"
        " new CA, which the other subsystems do not trust.",
        f"remove this Certificate (kubectl delete certificate {known.name}"
        f"{f' -n {known.namespace}' if known.namespace else ''}); keep the copied secret and the Issuers",
    )


def pki_19(view: View, log: Log) -> None:
    """The annotation finds what ingress-ca signed."""
    for held in view.question.certificates.presented():
        resource = held.resource
        if resource is None or resource.kind != "Secret" or may_sign(held.certificate):
            continue
        current = authorities(view, INGRESS_CA, held.namespace, view.cluster(resource))
        if not any(each.held and signed_by(held.certificate, each.held.certificate) for each in current):
            continue
        log.checked()
        named = resource.root.text("metadata", "annotations", _ANNOTATION)
        if not issuer_matches(named, INGRESS, view.instances):
            right = issuer(view, INGRESS)
            log.warning(
                Place.of(resource, "metadata", "annotations", _ANNOTATION),
                f"{INGRESS_CA} signed this certificate, and the secret's annotation {_ANNOTATION} "
                f"{'names ' + named if named else 'is missing'}: the documented command that renews everything under"
                f" {INGRESS_CA} would leave it out.",
                f"{_ANNOTATION}: {right}",
                patch(resource, put(resource, right, "metadata", "annotations", _ANNOTATION)),
            )
