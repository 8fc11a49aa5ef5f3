"""Subjects of client certificates against those that the resources name: PKI-5 and 6.

API Connect's comparison of a subject with the one in the custom resource is not public beyond "the common name must
match"; that the whole distinguished name counts is an assumption, so a mere difference beside the common name that the
documents' own examples have is a warning.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from cryptography import x509
from cryptography.x509.oid import NameOID

from harness.model.resource import Resource
from harness.pki.signatures import signed_by
from harness.products.apic.rules.remedies import setting
from harness.products.apic.rules.trust import place
from harness.products.apic.rules.view import (
    ANALYTICS,
    DEVPORTAL,
    PORTAL,
    Known,
    Subsystem,
    View,
    placeholder,
)
from harness.products.rules import Log

_SPACED = re.compile(r"(?<!\\),\s+")
_ATTRIBUTES = {
    "organizations": NameOID.ORGANIZATION_NAME,
    "organizationalUnits": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "countries": NameOID.COUNTRY_NAME,
    "localities": NameOID.LOCALITY_NAME,
    "provinces": NameOID.STATE_OR_PROVINCE_NAME,
}


ADMIN_CLIENTS = (
    (PORTAL, "portal-admin-client", "portal-admin"),
    (DEVPORTAL, "devportal-admin-client", "devportal-admin"),
)
"""The portals by their kinds: what management presents, and what the admin endpoint does."""


def pki_5(view: View, log: Log) -> None:
    """Analytics takes the client that its resource names."""
    for each in view.of(ANALYTICS):
        for path in (("ingestion", "clientSubjectDN"), ("clientSubjectDN",)):
            if each.spec.text(*path):
                _subjects(view, log, each, path, "analytics-ingestion-client")
                break
        if not each.spec.text("ingestion", "clientSubjectDN") and each.spec.text("clientSubjectDN"):
            log.note(
                each.at("clientSubjectDN"),
                "clientSubjectDN stands where only the certificates' page shows it; published resources have it"
                " under ingestion.",
                f"ingestion: {{clientSubjectDN: '{each.spec.text('clientSubjectDN')}'}}",
            )
    _one_authority(view, log, ANALYTICS, "analytics-ingestion-client", "analytics-ai-endpoint")


def pki_6(view: View, log: Log) -> None:
    """A portal takes the clients that its resource names: one, or on a developer portal one a line."""
    for kind, client, server in ADMIN_CLIENTS:
        for each in view.of(kind):
            if each.spec.text("adminClientSubjectDN"):
                _subjects(view, log, each, ("adminClientSubjectDN",), client)
        _one_authority(view, log, kind, client, server)


def _subjects(view: View, log: Log, each: Subsystem, path: tuple[str, ...], name: str) -> None:
    """Compare the subject in the resource with that of every certificate called *name* in the deployment."""
    written = each.spec.text(*path)
    candidates = list(_candidates(view, each, name))
    if not candidates:
        return
    wanted = _named(each, written)
    if placeholder(written) or not all(wanted):
        what = "a placeholder" if placeholder(written) else "no distinguished name (RFC 4514)"
        log.undecided(each.at(*path), f"{path[-1]} is {what}: {written}")
        if placeholder(written):
            return
    # Two files that ask for one certificate are alternatives: only one of them is applied.
    asked = all(known.held is None for known, _ in candidates)
    chosen = asked and any(not nearest(wanted, subject)[0] for _, subject in candidates)
    for known, subject in candidates:
        log.checked()
        if not each.validates:
            continue  # it is not compared
        problem, certain = nearest(wanted, subject)
        certain = certain and not chosen
        fix = _with_subject(wanted, subject)
        if problem:
            certificate = f"{known.resource.label if known.resource else known.name}: {written_out(subject)}"
            report = log.error if certain else log.warning
            report(
                each.at(*path),
                f"{path[-1]} {_is_not(wanted)} the subject of {name} ({certificate}): {problem}. The"
                f" {each.kind} subsystem refuses a client whose subject differs.",
                f"{path[-1]}: {_quoted(fix)}",
                setting(view, each, fix, *path) if _alone(candidates) else None,
            )


def _named(each: Subsystem, written: str) -> list[list[tuple[str, str]]]:
    """The subjects in a setting: [] in place of one that cannot be read."""
    lines = written.splitlines() if each.kind == DEVPORTAL else [written]
    return [parse(line) for line in lines if line.strip()] or [[]]


def _is_not(wanted: Sequence[object]) -> str:
    return "is not" if len(wanted) == 1 else "does not contain"


def _quoted(text: str) -> str:
    return f"'{text}'" if "\n" not in text else f"|  # a line each: {'; '.join(text.splitlines())}"


def nearest(wanted: Sequence[Sequence[tuple[str, str]]], subject: Sequence[tuple[str, str]]) -> tuple[str, bool]:
    """How the nearest of the *wanted* subjects differs, as :func:`difference` says it."""
    found = [difference(each, subject) for each in wanted]
    return next((each for each in found if not each[0]), None) or next(
        (each for each in found if not each[1]), found[0] if len(found) == 1 else (_no_line(subject), True)
    )


def _no_line(subject: Sequence[tuple[str, str]]) -> str:
    return f"no line has the common name {dict(subject).get('CN', '') or '(none)'}"


def _with_subject(wanted: Sequence[Sequence[tuple[str, str]]], subject: Sequence[tuple[str, str]]) -> str:
    """What to write so that *subject* is among the *wanted* ones, which stay as they are where they name others."""
    if len(wanted) == 1:
        return written_out(subject)
    common = dict(subject).get("CN", "")
    others = [written_out(each) for each in wanted if each and dict(each).get("CN", "") != common]
    return "".join(f"{line}\n" for line in (*others, written_out(subject)))


def _alone(candidates: Sequence[tuple[Known, list[tuple[str, str]]]]) -> bool:
    """Whether all of them have one subject."""
    return len({written_out(subject) for _, subject in candidates}) == 1


def _candidates(view: View, each: Subsystem, name: str) -> Iterator[tuple[Known, list[tuple[str, str]]]]:
    found = view.by_row.get(name, [])
    near = [known for known in found if _beside(known.namespace, known.cluster, each)]
    ours = near or ([known for known in found if not known.cluster] if view.alone() else [])
    held = [known for known in ours if known.held]
    for known in held or ours:
        if known.held is not None:
            yield known, of_certificate(known.held.certificate)
        elif known.resource is not None and known.resource.root.text("spec", "commonName"):
            yield known, of_request(known.resource)


def _beside(namespace: str, cluster: str, each: Subsystem) -> bool:
    return (namespace, cluster) == (each.namespace, each.cluster)


def parse(text: str) -> list[tuple[str, str]]:
    """A distinguished name as (attribute, value) pairs in the order of the certificate's text form; [] for none."""
    try:
        name = x509.Name.from_rfc4514_string(_SPACED.sub(",", text.strip()))
    except ValueError:
        return []
    return [(item.rfc4514_attribute_name, str(item.value)) for item in reversed(list(name))]


def of_certificate(certificate: x509.Certificate) -> list[tuple[str, str]]:
    """The subject of *certificate*, as :func:`parse` gives it."""
    return [(item.rfc4514_attribute_name, str(item.value)) for item in reversed(list(certificate.subject))]


def of_request(resource: Resource) -> list[tuple[str, str]]:
    """The subject that cert-manager writes for a ``Certificate`` object."""
    found = [("CN", resource.root.text("spec", "commonName"))]
    for field in ("organizations", "organizationalUnits", "localities", "provinces", "countries"):
        attribute = x509.NameAttribute(_ATTRIBUTES[field], "XX").rfc4514_attribute_name
        found += [(attribute, item.text()) for item in resource.root.items("spec", "subject", field)]
    return found


def written_out(pairs: Sequence[tuple[str, str]]) -> str:
    """A distinguished name as a custom resource has it."""
    return ",".join(f"{name}={value}" for name, value in pairs)


def difference(wanted: Sequence[tuple[str, str]], subject: Sequence[tuple[str, str]]) -> tuple[str, bool]:
    """What differs, and whether it certainly breaks the flow; ('', False) where nothing does."""
    if not wanted:
        return "it cannot be read as a distinguished name (RFC 4514)", False
    if list(wanted) == list(subject):
        return "", False
    common, present = dict(wanted).get("CN", ""), dict(subject).get("CN", "")
    if common != present:
        return f"the common name is {present or 'missing'}, not {common or 'missing'}", True
    missing = [f"{name}={value}" for name, value in subject if (name, value) not in wanted]
    extra = [f"{name}={value}" for name, value in wanted if (name, value) not in subject]
    if extra:
        return f"the certificate has no {', '.join(extra)}", True
    if missing:
        return f"{', '.join(missing)} is missing here; the common name is the same", False
    return "the order is another, which makes it another name", True


def _one_authority(view: View, log: Log, kind: str, client: str, server: str) -> None:
    """Client and server certificate of a flow are signed by one CA, as far as the files show."""
    if not any(each.validates for each in view.of(kind)):
        return
    servers = [known for known in view.by_row.get(server, []) if known.held]
    near: defaultdict[tuple[str, str], list[Known]] = defaultdict(list)
    for other in servers:
        near[other.namespace, other.cluster].append(other)
    for one in (known for known in view.by_row.get(client, []) if known.held):
        for other in near[one.namespace, one.cluster] or (servers if view.alone() and not one.cluster else []):
            log.checked()
            same_authority(view, log, kind, one, other)


def same_authority(view: View, log: Log, kind: str, one: Known, other: Known) -> None:
    """Report a client's certificate (*one*) and a server's (*other*) that two CAs signed."""
    assert one.held is not None and other.held is not None
    first, second = view.signers(one.held.certificate), view.signers(other.held.certificate)
    if not first or not second or set(first) & set(second):
        return
    if any(signed_by(other.held.certificate, each) for each in first):
        return
    shared = ", which share a name" if first[0].subject == second[0].subject else ""
    log.error(
        place(one),
        f"{one.row.name} and {other.row.name} are signed by two CAs ({_called(first[0])} and {_called(second[0])}"
        f"{shared}): the {kind} subsystem refuses management's certificate.",
        "issue both from one CA; after a renewal of the CA, delete both secrets",
    )


def _called(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()
