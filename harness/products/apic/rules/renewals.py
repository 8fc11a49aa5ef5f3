"""What a renewal leaves behind, and both ends of a flow afterwards: PKI-7, 8, 12, 13, 18.

Pods show whether they have been restarted since a certificate was issued; cert-manager starts a certificate's validity
at the moment of issue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from harness.model.resource import Resource
from harness.products.apic.rules.certificates import BY_NAME, CLIENT, INGRESS_CA, ROWS, issuer_matches
from harness.products.apic.rules.remedies import setting
from harness.products.apic.rules.subjects import of_certificate, of_request, parse, same_authority, written_out
from harness.products.apic.rules.tables import hours_of
from harness.products.apic.rules.trust import held_place, issued_by_name, place
from harness.products.apic.rules.view import ANALYTICS, GATEWAY, MANAGEMENT, PORTAL, Known, Subsystem, View, placeholder
from harness.products.rules import Log, Place

_ISSUER = "cert-manager.io/issuer"
_CLIENT, _SERVER = "gateway-client-client", "gwv6-manager-endpoint"
_SOON = timedelta(days=60)  # when apicops reports a certificate
_RENEW_BEFORE = 720.0
_DATABASE = "apim"
_IN_POD_NAMES = {"portal-www": "www"}
_SUBJECTS = {PORTAL: ("adminClientSubjectDN",), ANALYTICS: ("ingestion", "clientSubjectDN")}
_ENDED = ("Succeeded", "Failed")


def pki_7(view: View, log: Log) -> None:
    """The gateway's client is under the CA of its manager endpoint."""
    clients = view.by_row.get(_CLIENT, [])
    beside: defaultdict[tuple[str, str], list[Known]] = defaultdict(list)
    for known in clients:
        beside[known.namespace, known.cluster].append(known)
    for each in view.of(GATEWAY):
        if not each.validates:
            continue
        near = beside.get((each.namespace, each.cluster), [])
        ours = near or (clients if view.alone() else [])
        _issuers(view, log, each, [known for known in ours if known.held is None])
        for host in each.spec.items("gatewayManagerEndpoint", "hosts"):
            for held in view.secrets_called(host.text("secretName"), each) if host.text("secretName") else ():
                server = Known(BY_NAME[_SERVER], held.name, held.namespace, each.cluster, held.resource, held)
                for client in (known for known in ours if known.held):
                    log.checked()
                    same_authority(view, log, GATEWAY, client, server)


def _issuers(view: View, log: Log, each: Subsystem, clients: list[Known]) -> None:
    """Where both are only asked for: the issuers that sign them."""
    server = each.spec.text("gatewayManagerEndpoint", "annotations", _ISSUER)
    for client in clients if server and not placeholder(server) else ():
        log.checked()
        named = issued_by_name(client)
        if named and named != server and not issuer_matches(server, named, view.instances):
            log.warning(
                each.at("gatewayManagerEndpoint", "annotations", _ISSUER),
                f"The manager endpoint's certificate comes from {server} and {client.row.name} from {named}. Unless"
                f" both sign with one CA, {each.title}, which verifies its client, refuses management.",
                f"{_ISSUER}: {named}",
                setting(view, each, named, "gatewayManagerEndpoint", "annotations", _ISSUER),
            )


def pki_8(view: View, log: Log) -> None:
    """Both data centres have one client subject."""
    if not any(each.two_data_centres for each in view.of(MANAGEMENT, PORTAL)):
        return
    for kind, path in _SUBJECTS.items():
        named = [each for each in view.of(kind) if each.spec.text(*path) and not placeholder(each.spec.text(*path))]
        for one, other in pairwise(named):
            log.checked()
            if parse(one.spec.text(*path)) != parse(other.spec.text(*path)):
                first, second = one.spec.text(*path), other.spec.text(*path)
                _differ(log, other.at(*path), first, second, one.resource.label)
    for name in ("portal-admin-client", "analytics-ingestion-client"):
        subjects = [(known, subject) for known in view.by_row.get(name, []) if (subject := _subject(known))]
        for (known, first), (copy, second) in pairwise(subjects):
            if (known.namespace, known.cluster) == (copy.namespace, copy.cluster):
                continue
            log.checked()
            if first != second:
                _differ(log, place(copy, "commonName"), first, second, known.resource.label if known.resource else name)


def _subject(known: Known) -> str:
    if known.held is not None:
        return written_out(of_certificate(known.held.certificate))
    if known.resource is None or not known.resource.root.text("spec", "commonName"):
        return ""
    return written_out(of_request(known.resource))


def _differ(log: Log, at: Place, first: str, second: str, where: str) -> None:
    log.error(
        at,
        f"The client subject is {second} here and {first} in {where}. Both data centres need the identical subject, the"
        " whole of it: after a failover the other's client would be refused.",
        f"{first}  # or the other's in both; whichever the certificates of both data centres carry",
    )


def pki_12(view: View, log: Log) -> None:
    """ingress-ca is renewed with what it signed."""
    before = _renew_before(view)
    homes = {(each.namespace, each.cluster) for each in view.of(MANAGEMENT)}
    for known in view.by_row.get(INGRESS_CA, []):
        # A copy is not renewed by cert-manager; that it differs is PKI-14.
        if known.held is None or (homes and (known.namespace, known.cluster) not in homes):
            continue
        log.checked()
        end = known.held.certificate.not_valid_after_utc
        day = end - before
        if not (day - _SOON <= view.now < end) or _keeps_key(view):
            continue
        number = sum(known.held.certificate in view.signers(leaf.held.certificate) for leaf in view.held if leaf.held)
        signed = f"the {number - 1} certificates" if number > 2 else "what"
        if view.platform == "vmware":
            message = f"{INGRESS_CA} ends on {end:%Y-%m-%d}, and is renewed by hand on virtual appliances."
        else:
            when = f"was to renew {INGRESS_CA} on" if day <= view.now else f"renews {INGRESS_CA} on"
            message = (
                f"cert-manager {when} {day:%Y-%m-%d}, and not {signed} it signed. With management's next restart"
                " that is refused."
            )
        log.warning(
            held_place(known.held), message, f"renew all of them on a day of your own: hopproof renew {known.name}"
        )


def _keeps_key(view: View) -> bool:
    """Whether cert-manager renews it with its key, so that what it signed stays good."""
    requests = [known.resource for known in view.by_row.get(INGRESS_CA, []) if known.held is None and known.resource]
    return any(each.root.text("spec", "privateKey", "rotationPolicy") == "Never" for each in requests)


def _renew_before(view: View) -> timedelta:
    for known in view.by_row.get(INGRESS_CA, []):
        if known.held is None and known.resource is not None:
            hours = hours_of(known.resource.root.text("spec", "renewBefore"))
            if hours is not None:
                return timedelta(hours=hours)
    return timedelta(hours=_RENEW_BEFORE)


def pki_13(view: View, log: Log) -> None:
    """What does not restart by itself has been restarted since the renewal."""
    pods = _pods(view)
    for known in view.held:
        for workload in known.row.restart:
            if workload != _DATABASE:
                _restarted(log, known, workload, pods)


def pki_18(view: View, log: Log) -> None:
    """Management has read the renewed certificates into its database."""
    pods = _pods(view)
    management = {(each.namespace, each.cluster) for each in view.of(MANAGEMENT)}
    for known in view.held:
        home = not management or (known.namespace, known.cluster) in management
        stored = known.row.name == INGRESS_CA or (known.row.subsystem == MANAGEMENT and known.row.use == CLIENT)
        between = known.row.issuer == BY_NAME[_CLIENT].issuer or known.row.name == INGRESS_CA
        if home and stored and between and not known.row.legacy:
            _restarted(log, known, _DATABASE, pods)


Pods = Mapping[tuple[str, str, str], Mapping[str, tuple[Resource, datetime]]]
"""Pods by namespace, cluster and workload, each by its name, and since when it runs."""


def _pods(view: View) -> Pods:
    """The pods that run, of the workloads that do not restart by themselves."""
    workloads = sorted({workload for row in ROWS for workload in row.restart})
    found: defaultdict[tuple[str, str, str], dict[str, tuple[Resource, datetime]]] = defaultdict(dict)
    for pod in view.question.files.of("Pod"):
        began = _since(pod)
        if began is None or pod.root.text("status", "phase") in _ENDED:
            continue
        for workload in workloads:
            if f"-{_IN_POD_NAMES.get(workload, workload)}-" in pod.name:
                found[pod.namespace, view.cluster(pod), workload][pod.name] = pod, began
    return found


def _since(pod: Resource) -> datetime | None:
    text = pod.root.text("status", "startTime") or pod.root.text("metadata", "creationTimestamp")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _restarted(log: Log, known: Known, workload: str, pods: Pods) -> None:
    assert known.held is not None
    issued = known.held.certificate.not_valid_before_utc
    for pod, began in pods.get((known.namespace, known.cluster, workload), {}).values():
        log.checked()
        if began < issued:
            log.warning(
                Place.of(pod, "status", "startTime"),
                f"{pod.name} runs since {began:%Y-%m-%d %H:%M}; {known.name} was renewed on {issued:%Y-%m-%d %H:%M}."
                f" {workload} does not restart by itself, and works with the former certificate.",
                f"restart {workload}: kubectl delete pod/{pod.name} -n {pod.namespace or 'NAMESPACE'}",
            )
