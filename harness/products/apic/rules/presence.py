"""Whether the files have what a rule is about at all: where they do not, the rule is not asked.

Wider than the rules themselves: what is there, and what a rule could not decide on, must not pass for absent.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.pki.signatures import may_sign
from harness.products.apic.rules.certificates import CA, INGRESS_CA, OF_ISSUER, ROWS, USER
from harness.products.apic.rules.fronts import fronts, needing_passthrough
from harness.products.apic.rules.keys import to_service
from harness.products.apic.rules.subjects import ADMIN_CLIENTS
from harness.products.apic.rules.view import ANALYTICS, EVENTS, GATEWAY, KEYS, MANAGEMENT, PORTAL, Known, View

Presence = Callable[[View], bool]
_SERVERS = (PORTAL, ANALYTICS, GATEWAY)


def servers(view: View) -> bool:
    """A resource that configures portal, analytics or gateway."""
    return any(True for _ in view.of(*_SERVERS))


def verifiers(view: View) -> bool:
    """A subsystem with a jwksUrl."""
    return any(each.sets(KEYS) for each in view.of(*_SERVERS))


def services(view: View) -> bool:
    """A subsystem with a jwksUrl, or a registration that says how it is reached."""
    return verifiers(view) or _registered(view, "communication_kind")


def in_front(view: View) -> bool:
    """A Route or an Ingress in front of an endpoint between subsystems."""
    return any(True for _ in fronts(view))


def in_front_of_mtls(view: View) -> bool:
    """The same in front of one that verifies certificates."""
    return any(True for _ in needing_passthrough(view))


def v5c(view: View) -> bool:
    """A v5 compatible gateway, or one whose mode cannot be read, beside analytics."""
    gateways = any(each.v5c or each.unread_mode for each in view.of(GATEWAY))
    return (gateways and _any(view, ANALYTICS)) or _registered(view, "gateway_service_type", "datapower-gateway")


def events(view: View) -> bool:
    """An event gateway beside analytics."""
    return _any(view, EVENTS) and _any(view, ANALYTICS)


def overrides(view: View) -> bool:
    """A gateway with an image of its own."""
    return any(each.kind == GATEWAY and "image" in each.spec.fields("dataPowerOverride") for each in view.stated)


def external_keys(view: View) -> bool:
    """A jwksUrl to an external address."""
    return any(each.sets(KEYS) and not to_service(each) for each in view.of(*_SERVERS))


def service_keys(view: View) -> bool:
    """A jwksUrl to a service."""
    return any(to_service(each) for each in view.of(*_SERVERS))


def gateways_below(view: View) -> bool:
    """A gateway under a top-level resource."""
    gateways = [each for each in view.stated if each.kind == GATEWAY]
    return any(each.top_level or each.owner or view.platform == "cp4i" for each in gateways)


def generated(view: View) -> bool:
    """A resource that was generated from a top-level one in the files."""
    return any(each.owner == top.name for each in view.stated for top in view.tops)


def owned(view: View) -> bool:
    """A resource that was generated from a top-level one."""
    return any(each.owner and each.kind in _SERVERS for each in view.stated)


def empty_keys(view: View) -> bool:
    """A jwksUrl that says nothing."""
    return any(each.spec.at(KEYS) is not None and not each.jwks for each in view.of(PORTAL, ANALYTICS))


def senders(view: View) -> bool:
    """The registration of an API gateway beside analytics that verifies tokens only."""
    waiting = any(each.sets(KEYS) and not each.validates for each in view.of(ANALYTICS))
    return waiting and _registered(view, "gateway_service_type", "datapower-api-gateway")


def certificates(view: View) -> bool:
    """A certificate of the tables, or an object that asks for one."""
    return bool(view.requests or view.held)


def documented(view: View) -> bool:
    """A certificate whose issuer the tables name, or an object that asks for one."""
    return bool(view.requests) or any(known.row.issuer in OF_ISSUER for known in view.held)


def for_users(view: View) -> bool:
    """A certificate that users see, or an object that asks for any."""
    return bool(view.requests) or any(known.row.scope == USER and not known.row.legacy for known in view.held)


def by_itself(_view: View) -> bool:
    """Nothing more than the rule finds: it says itself what it cannot decide."""
    return False


def requests_below(view: View) -> bool:
    """A Certificate object beside a top-level resource."""
    places = {(top.namespace, view.cluster(top)) for top in view.tops}
    return any((known.namespace, known.cluster) in places for known in view.requests)


def ingestion_client(view: View) -> bool:
    """The ingestion client, and analytics that names it or presents a certificate."""
    named = any(
        each.spec.at(*path) is not None
        for each in view.of(ANALYTICS)
        for path in (("ingestion", "clientSubjectDN"), ("clientSubjectDN",))
    )
    return _pair(view, ANALYTICS, "analytics-ingestion-client", "analytics-ai-endpoint", named)


def admin_client(view: View) -> bool:
    """The admin client, and a portal that names it or presents a certificate."""
    for kind, client, server in ADMIN_CLIENTS:
        named = any(each.spec.at("adminClientSubjectDN") is not None for each in view.of(kind))
        if _pair(view, kind, client, server, named):
            return True
    return False


def _pair(view: View, kind: str, client: str, server: str, named: bool) -> bool:
    clients = view.by_row.get(client, [])
    presented = any(each.validates for each in view.of(kind)) and _held(view, server)
    return bool(clients) and (named or (presented and _held(view, client)))


def gateway_client(view: View) -> bool:
    """The gateway's client, and the certificate or the issuer of a manager endpoint that verifies it."""
    if "gateway-client-client" not in view.by_row:
        return False
    secrets = {held.name for held in view.question.certificates.presented()}
    for each in (gateway for gateway in view.of(GATEWAY) if gateway.validates):
        hosts = each.spec.items("gatewayManagerEndpoint", "hosts")
        requested = any(known.held is None for known in view.by_row["gateway-client-client"])
        issued = requested and each.spec.text("gatewayManagerEndpoint", "annotations", "cert-manager.io/issuer")
        if issued or any(host.text("secretName") in secrets for host in hosts):
            return True
    return False


def client_subjects(view: View) -> bool:
    """Two client subjects of a two-data-centre deployment."""
    if not any(each.two_data_centres for each in view.of(MANAGEMENT, PORTAL)):
        return False
    portals = sum(each.spec.at("adminClientSubjectDN") is not None for each in view.of(PORTAL))
    analytics = sum(each.spec.at("ingestion", "clientSubjectDN") is not None for each in view.of(ANALYTICS))
    names = ("portal-admin-client", "analytics-ingestion-client")
    return max(portals, analytics, *(len(_places(view.by_row.get(name, []))) for name in names)) > 1


def replication(view: View) -> bool:
    """A replication endpoint, and its certificate."""
    known = {held.name for held in view.question.certificates.presented()}
    known |= {each.root.text("spec", "secretName") for each in view.question.files.of("Certificate")}
    return any(
        host.text("secretName") in known
        for each in view.of(MANAGEMENT, PORTAL)
        for host in each.spec.items("multiSiteHA", "replicationEndpoint", "hosts")
    )


def inner_servers(view: View) -> bool:
    """A server certificate inside a subsystem, of a namespace or beside its resource."""
    return any(
        known.namespace or _any(view, known.row.subsystem)
        for row in ROWS
        if row.dns
        for known in view.by_row.get(row.name, [])
    )


def signed(view: View) -> bool:
    """A certificate together with a CA of its issuer's name."""
    names = {
        (known.row.name, known.held.certificate.subject)
        for known in view.held
        if known.row.use == CA and known.held is not None
    }
    return any(
        known.held is not None and (OF_ISSUER.get(known.row.issuer, ""), known.held.certificate.issuer) in names
        for known in view.held
    )


def ingress_ca(view: View) -> bool:
    """The certificate of ingress-ca."""
    return _held(view, INGRESS_CA)


def annotated(view: View) -> bool:
    """A Secret with a certificate of ingress-ca's name, and ingress-ca."""
    names = {known.held.certificate.subject for known in view.by_row.get(INGRESS_CA, []) if known.held is not None}
    secrets = (held for held in view.question.certificates.presented() if held.resource is not None)
    return any(held.certificate.issuer in names and not may_sign(held.certificate) for held in secrets)


def copies(view: View) -> bool:
    """ingress-ca in two places."""
    return len(_places(view.by_row.get(INGRESS_CA, []))) > 1


def chains(view: View) -> bool:
    """A certificate that a subsystem presents, or a Secret that ought to hold one."""
    return bool(view.held or view.empty) or any(held.resource is None for held in view.question.certificates.held)


def pods(view: View) -> bool:
    """A pod, and a certificate that it reads."""
    return any(True for _ in view.question.files.of("Pod")) and any(known.row.restart for known in view.held)


def _places(found: list[Known]) -> set[tuple[str, str, str]]:
    return {(known.namespace, known.cluster, known.name if not known.resource else "") for known in found}


def _held(view: View, name: str) -> bool:
    return any(known.held is not None for known in view.by_row.get(name, []))


def _any(view: View, kind: str) -> bool:
    return any(True for _ in view.of(kind))


def _registered(view: View, field: str, value: str = "") -> bool:
    documents = (each for each in view.question.files.resources if not each.kind)
    return any((text := each.root.text(field)) and value in ("", text) for each in documents)
