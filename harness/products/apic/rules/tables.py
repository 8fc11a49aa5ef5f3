"""Certificates against the tables of the documents: lifetime, issuer, use, name, origin.  PKI-1 to 4 and 15."""

from __future__ import annotations

import re
from datetime import timedelta

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness.decode.exported_certificates import Held
from harness.model.patch import Patch, Value, patch, put, take_out
from harness.pki.signatures import self_signed, signed_by
from harness.products.apic.rules.certificates import (
    CA,
    CLIENT,
    INGRESS,
    INGRESS_CA,
    OF_ISSUER,
    SELF_SIGNING,
    SERVER,
    USER,
    issuer_matches,
)
from harness.products.apic.rules.fronts import ca_presented
from harness.products.apic.rules.profiles import CA_HOURS, LEAF_HOURS
from harness.products.apic.rules.remedies import issuer, requested
from harness.products.apic.rules.trust import authorities, held_place, issued_by_name, place, renew
from harness.products.apic.rules.view import Known, View, placeholder
from harness.products.rules import Log, Place

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)")
_UNITS = {"h": 1.0, "m": 1 / 60, "s": 1 / 3600}
_OID = {CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH, SERVER: ExtendedKeyUsageOID.SERVER_AUTH}
_TOLERANCE = 0.01
_MOST_HOURS = 2_562_047.0  # Go, whose durations these are, holds no more
_EXTENDED = frozenset(
    {"any", "server auth", "client auth", "code signing", "email protection", "s/mime", "timestamping", "ocsp signing"}
    | {"ipsec end system", "ipsec tunnel", "ipsec user", "microsoft sgc", "netscape sgc"}
)


def _asked(known: Known, value: Value, *path: str) -> Patch | None:
    """Have *known*, where it is asked for, ask for this *value*; one that is issued has to be issued again."""
    if known.held is not None or known.resource is None:
        return None
    return requested(known.resource, put(known.resource, value, "spec", *path))


def _issuer_place(known: Known) -> Place:
    assert known.resource is not None
    return Place.of(known.resource, "spec", "issuerRef", "name")


def pki_1(view: View, log: Log) -> None:
    """Ten years for CAs, two for the rest."""
    for known in (*view.requests, *view.held):
        hours = _hours(view, known)
        if hours is None:
            _unread_duration(view, log, known)
            continue
        log.checked()
        is_ca = known.row.use == CA
        expected = view.profile.ca_hours.get(view.platform, CA_HOURS) if is_ca else LEAF_HOURS
        if abs(hours - expected) > expected * _TOLERANCE:
            log.warning(
                place(known, "duration"),
                f"{known.row.name} is issued for {_span(hours)}; API Connect's default is {_span(expected)}. Another"
                " lifetime moves its renewal, and what has to be renewed with it, to another day than expected.",
                f"duration: {expected}h" if known.held is None else f"{renew(known)}, with duration {expected}h",
                _asked(known, f"{expected}h", "duration"),
            )


def _unread_duration(view: View, log: Log, known: Known) -> None:
    written = known.resource.root.text("spec", "duration") if known.held is None and known.resource else ""
    if written and hours_of(written) is None:
        log.undecided(place(known, "duration"), f"{written} is no duration such as 720h")


def _hours(view: View, known: Known) -> float | None:
    if known.held is not None:
        certificate = known.held.certificate
        ours = issuer_matches(issued_by_name(known), known.row.issuer, view.instances)
        if known.row.use == CA:
            ours = self_signed(certificate) or view.platform in view.profile.intermediate_ingress_ca
        span = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        return span / timedelta(hours=1) if ours else None
    assert known.resource is not None
    if not issuer_matches(issued_by_name(known), known.row.issuer, view.instances):
        return None  # an organization's own certificate has the lifetime of its own
    text = known.resource.root.text("spec", "duration")
    if not text:
        return 2160.0  # cert-manager's default
    return hours_of(text)


def hours_of(text: str) -> float | None:
    """A duration of Kubernetes (``720h``, ``1h30m``) in hours; None for what is none."""
    parts = _DURATION.findall(text)
    hours = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return hours if parts and hours <= _MOST_HOURS else None


def _span(hours: float) -> str:
    days = round(hours / 24)
    return f"{days // 365} years" if days and days % 365 == 0 else f"{days} days"


def pki_2(view: View, log: Log) -> None:
    """Every certificate is under the CA that the tables name."""
    for known in view.requests:
        named = issued_by_name(known)
        if placeholder(named):
            log.undecided(_issuer_place(known), f"the issuer is a placeholder, {named}")
            continue
        log.checked()
        if issuer_matches(named, known.row.issuer, view.instances):
            continue
        right = issuer(view, known.row.issuer)
        wrong = next((other for other in (INGRESS, *OF_ISSUER) if issuer_matches(named, other, view.instances)), "")
        if wrong == INGRESS and _customised(view, known):
            log.warning(
                _issuer_place(known),
                f"{known.row.name} is to be issued by {named} in place of {known.row.issuer}, as is all that is inside"
                " this subsystem: customised certificates, which trust each other.",
                f"issuerRef: {{name: {right}}}, unless this is meant",
            )
        elif wrong:
            log.error(
                _issuer_place(known),
                f"{known.row.name} is to be issued by {named}; it belongs under {known.row.issuer}. The other side"
                " trusts that"
                " CA only, and refuses what another one signed.",
                f"issuerRef: {{name: {right}}}",
                _asked(known, right, "issuerRef", "name"),
            )
    for known in view.held:
        if known.row.issuer in OF_ISSUER and known.held is not None:
            log.checked()
            _signed_elsewhere(view, log, known, known.held)
    _issuers(view, log)


def _customised(view: View, known: Known) -> bool:
    """Whether everything that is asked for inside the subsystem of *known* is under ingress-issuer, not this alone."""
    inside = [
        issued_by_name(each)
        for each in view.requests
        if each.row.issuer == known.row.issuer and (each.namespace, each.cluster) == (known.namespace, known.cluster)
    ]
    return len(inside) > 1 and all(issuer_matches(named, INGRESS, view.instances) for named in inside)


def _signed_elsewhere(view: View, log: Log, known: Known, held: Held) -> None:
    right = OF_ISSUER[known.row.issuer]
    for name in sorted(set(OF_ISSUER.values()) - {right}):
        for authority in authorities(view, name, known.namespace, known.cluster):
            assert authority.held is not None
            if signed_by(held.certificate, authority.held.certificate):
                log.error(
                    held_place(held),
                    f"{known.row.name} is signed by {name}; it belongs under {right}. The other side trusts that"
                    " CA only, and"
                    " refuses what another one signed.",
                    f"issuerRef: {{name: {known.row.issuer}}} in its Certificate, then {renew(known)}",
                )


def _issuers(view: View, log: Log) -> None:
    for resource in view.question.files.of("Issuer", "ClusterIssuer"):
        if "cert-manager" not in resource.group or not issuer_matches(resource.name, INGRESS, view.instances):
            continue
        log.checked()
        if resource.root.at("spec", "selfSigned") is not None:
            log.error(
                Place.of(resource, "spec", "selfSigned"),
                f"{resource.name} signs each certificate with its own key, so that no subsystem trusts another's;"
                " it signs with"
                f" {INGRESS_CA}.",
                f"ca: {{secretName: {INGRESS_CA}}}",
                patch(
                    resource, take_out("spec", "selfSigned"), put(resource, {"secretName": INGRESS_CA}, "spec", "ca")
                ),
            )


def pki_3(view: View, log: Log) -> None:
    """The catalogue of certificates: use, release, legacy."""
    ca_presented(view, log)
    for known in (*view.requests, *view.held):
        log.checked()
        if known.row.legacy:
            log.note(place(known), f"{known.name} is {known.row.legacy}.", "no action is needed")
        elif known.row.name in view.profile.not_in_force and view.release:
            why = view.profile.not_in_force[known.row.name]
            log.note(place(known), f"{known.name} exists {why}, according to the tables.", "no action is needed")
        if known.row.use in _OID and not _allows(known):
            log.error(
                place(known, "usages"),
                f"{known.row.name} is used as a {known.row.use}'s certificate, and its extended key usage does not"
                " allow that:"
                " the other side refuses it.",
                f"usages: [digital signature, key encipherment, {known.row.use} auth]",
                _asked(known, ["digital signature", "key encipherment", f"{known.row.use} auth"], "usages"),
            )


def _allows(known: Known) -> bool:
    """Whether the use is allowed; no extended usage at all restricts nothing."""
    if known.held is not None:
        try:
            usage = known.held.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (x509.ExtensionNotFound, ValueError):
            return True
        return _OID[known.row.use] in usage or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage
    assert known.resource is not None
    listed = {item.text().lower() for item in known.resource.root.items("spec", "usages")} & _EXTENDED
    return not listed or bool({f"{known.row.use} auth", "any"} & listed)


def pki_4(view: View, log: Log) -> None:
    """Short, prefixed names with a top-level resource."""
    for top in view.tops:
        for known in view.requests:
            if (known.namespace, known.cluster) != (top.namespace, view.cluster(top)):
                continue
            log.checked()
            if known.name == known.row.name != known.row.short:
                assert known.resource is not None
                log.warning(
                    Place.of(known.resource, "metadata", "name"),
                    f"{known.name} is the name of an installation without a top-level resource; beside {top.label}"
                    " the operator"
                    f" uses {top.name}-{known.row.short}, and nothing reads this one.",
                    f"name: {top.name}-{known.row.short}",
                )


def pki_15(view: View, log: Log) -> None:
    """Customised certificates."""
    for known in view.requests:
        named = issued_by_name(known)
        if placeholder(named):
            continue  # PKI-2 says so
        log.checked()
        ours = any(issuer_matches(named, each, view.instances) for each in (INGRESS, SELF_SIGNING, *OF_ISSUER))
        if not ours and known.row.scope != USER:
            log.note(
                _issuer_place(known),
                f"{known.row.name} comes from an issuer of your own ({named or 'none named'}). A self-signed CA is"
                " no risk"
                f" {known.row.scope}; only what users see is meant to be customised.",
                f"issuerRef: {{name: {known.row.issuer}}}",
            )
    for known in view.held:
        if known.held is not None and known.row.scope == USER and not known.row.legacy:
            log.checked()
            if any(self_signed(each) for each in view.signers(known.held.certificate)):
                log.note(
                    held_place(known.held),
                    f"{known.row.name} is under a self-signed root, so browsers warn the users of {known.row.purpose}.",
                    "a certificate of a CA that your users trust, if they should not see the warning",
                )
