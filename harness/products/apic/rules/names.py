"""Subjects and host names of certificates: PKI-5, 6, 9, 10.

API Connect's comparison of a subject with the one in the custom resource is not public beyond "the common name must
match"; that the whole distinguished name counts is an assumption, so a mere difference beside the common name that the
documents' own examples have is a warning.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from cryptography import x509
from cryptography.x509.oid import NameOID

from harness.model.patch import Patch, append
from harness.model.resource import Resource
from harness.pki.signatures import signed_by
from harness.products.apic.rules.remedies import requested, setting
from harness.products.apic.rules.trust import held_place, place
from harness.products.apic.rules.view import ANALYTICS, MANAGEMENT, PORTAL, Known, Subsystem, View, placeholder
from harness.products.rules import Log, Place

_LONGEST_INSTANCE = 15
_SPACED = re.compile(r"(?<!\\),\s+")
_ATTRIBUTES = {
    "organizations": NameOID.ORGANIZATION_NAME,
    "organizationalUnits": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "countries": NameOID.COUNTRY_NAME,
    "localities": NameOID.LOCALITY_NAME,
    "provinces": NameOID.STATE_OR_PROVINCE_NAME,
}


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
    """The portal takes the client that its resource names."""
    for each in view.of(PORTAL):
        if each.spec.text("adminClientSubjectDN"):
            _subjects(view, log, each, ("adminClientSubjectDN",), "portal-admin-client")
    _one_authority(view, log, PORTAL, "portal-admin-client", "portal-admin")


def _subjects(view: View, log: Log, each: Subsystem, path: tuple[str, ...], name: str) -> None:
    """Compare the subject in the resource with that of every certificate called *name* in the deployment."""
    written = each.spec.text(*path)
    candidates = list(_candidates(view, each, name))
    if not candidates:
        return
    wanted = parse(written)
    if placeholder(written) or not wanted:
        what = "a placeholder" if placeholder(written) else "no distinguished name (RFC 4514)"
        log.undecided(each.at(*path), f"{path[-1]} is {what}: {written}")
        if placeholder(written):
            return
    # Two files that ask for one certificate are alternatives: only one of them is applied.
    asked = all(known.held is None for known, _ in candidates)
    chosen = asked and any(not difference(wanted, subject)[0] for _, subject in candidates)
    for known, subject in candidates:
        log.checked()
        if not each.validates:
            continue  # it is not compared
        problem, certain = difference(wanted, subject)
        certain = certain and not chosen
        if problem:
            certificate = f"{known.resource.label if known.resource else known.name}: {written_out(subject)}"
            report = log.error if certain else log.warning
            report(
                each.at(*path),
                f"{path[-1]} is not the subject of {name} ({certificate}): {problem}. The {each.kind} subsystem"
                " refuses a client"
                " whose subject differs.",
                f"{path[-1]}: '{written_out(subject)}'",
                setting(view, each, written_out(subject), *path) if _alone(candidates) else None,
            )


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


def pki_9(view: View, log: Log) -> None:
    """Replication servers carry this data centre's host."""
    for each in view.of(MANAGEMENT, PORTAL):
        for number, host in enumerate(each.spec.items("multiSiteHA", "replicationEndpoint", "hosts")):
            name, secret = host.text("name"), host.text("secretName")
            if placeholder(name) and any(True for _ in _certified(view, each, secret)):
                log.undecided(_endpoint(each, number), f"the host name is a placeholder, {name}")
            if not name or placeholder(name):
                continue
            for at, names, request in _certified(view, each, secret):
                log.checked()
                if not any(covers(pattern, name) for pattern in names):
                    log.error(
                        at,
                        f"{secret} is not valid for {name}, the replication endpoint of this data centre"
                        f" ({_endpoint(each, number).path} of"
                        f" {each.resource.label}): the other data centre refuses it.",
                        f"dnsNames: [{name}]",
                        requested(request, *append(request, [name], "spec", "dnsNames")) if request else None,
                    )


def _endpoint(each: Subsystem, number: int) -> Place:
    return each.at("multiSiteHA", "replicationEndpoint", "hosts", number, "name")


def _certified(view: View, each: Subsystem, secret: str) -> Iterator[tuple[Place, list[str], Resource | None]]:
    """The host names of the certificate in *secret*: of the certificate itself, else of the object that asks for it."""
    held = view.secrets_called(secret, each)
    for one in held:
        yield held_place(one), host_names(one.certificate), None
    if held:
        return
    for resource in view.question.files.of("Certificate"):
        mine = resource.root.text("spec", "secretName") == secret
        if mine and (resource.namespace, view.cluster(resource)) == (each.namespace, each.cluster):
            yield (
                Place.of(resource, "spec", "dnsNames"),
                [item.text() for item in resource.root.items("spec", "dnsNames")],
                resource,
            )


def host_names(certificate: x509.Certificate) -> list[str]:
    """The DNS names of *certificate*."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return names.get_values_for_type(x509.DNSName)


def covers(pattern: str, host: str) -> bool:
    """Whether a DNS name of a certificate, a wildcard perhaps, stands for *host*."""
    pattern, host = pattern.lower().rstrip("."), host.lower().rstrip(".")
    if pattern.startswith("*."):
        return host.partition(".")[2] == pattern[2:] and not host.startswith("*")
    return pattern == host


def pki_10(view: View, log: Log) -> None:
    """The DNS names that certificates inside a subsystem have."""
    for known in (*view.held, *view.requests):
        if not known.row.dns:
            continue
        names = _dns_names(known)
        if not required(view, known):
            continue  # neither its namespace nor its subsystem is in the files
        log.checked()
        missing = _lacking(view, known, names)
        if missing:
            others = (each for each in view.by_row.get(known.row.name, []) if known.held is None and each is not known)
            chosen = any(_same_place(each, known) and not _lacking(view, each, _dns_names(each)) for each in others)
            report = log.warning if chosen else log.error
            report(
                place(known, "dnsNames"),
                f"{known.row.name} lacks the DNS names {', '.join(missing)}: pods of the subsystem refuse each"
                " other under those"
                " names.",
                f"dnsNames: add {', '.join(missing)}",
                _with_names(known, missing),
            )


def _with_names(known: Known, names: Sequence[str]) -> Patch | None:
    """*names* in what asks for the certificate; one that is issued has to be issued again."""
    request = known.resource if known.held is None else None
    return requested(request, *append(request, names, "spec", "dnsNames")) if request is not None else None


def _lacking(view: View, known: Known, names: Collection[str]) -> list[str]:
    return [options[0] for options in required(view, known) if not set(options) & set(names)]


def _same_place(one: Known, other: Known) -> bool:
    return (one.namespace, one.cluster) == (other.namespace, other.cluster)


def _dns_names(known: Known) -> list[str]:
    if known.held is not None:
        return host_names(known.held.certificate)
    assert known.resource is not None
    return [item.text() for item in known.resource.root.items("spec", "dnsNames")]


def required(view: View, known: Known) -> list[list[str]]:
    """Each required name, with the forms it may have; what the files cannot fill in is left out."""
    here = [each for each in view.of(known.row.subsystem) if _beside(known.namespace, known.cluster, each)]
    instance = here[0] if len(here) == 1 else None
    site = instance.spec.text("siteName") if instance else ""
    found = []
    for pattern in known.row.dns:
        if "{namespace}" in pattern and not known.namespace:
            continue
        if ("{instance}" in pattern and instance is None) or ("{site}" in pattern and not site):
            continue
        full = instance.instance if instance else ""
        short = full[:_LONGEST_INSTANCE]
        # The documents shorten the portal's names; the form that they name first is the one that is asked for.
        forms = dict.fromkeys(
            (short, short.rstrip("-"), full) if known.row.subsystem == PORTAL else (full, short, short.rstrip("-"))
        )
        found.append([pattern.format(namespace=known.namespace, instance=form, site=site) for form in forms])
    return found
