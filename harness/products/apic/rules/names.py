"""Host names of certificates: PKI-9 and 10."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from cryptography import x509

from harness.model.patch import Patch, append
from harness.model.resource import Resource
from harness.products.apic.rules.remedies import requested
from harness.products.apic.rules.trust import held_place, place
from harness.products.apic.rules.view import MANAGEMENT, PORTAL, Known, Subsystem, View, placeholder
from harness.products.rules import Log, Place

_LONGEST_INSTANCE = 15


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
    here = [
        each
        for each in view.of(known.row.subsystem)
        if (known.namespace, known.cluster) == (each.namespace, each.cluster)
    ]
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
