"""The endpoints between subsystems as the files have them: where each is, who is verified, where it is configured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.products.apic.operations.flow_facts import FLOWS, Flow
from harness.products.apic.operations.inventory import flow_to
from harness.products.apic.rules.view import ANALYTICS, DEVPORTAL, EVENTS, GATEWAY, MANAGEMENT, PORTAL, Subsystem, View

_PATH = "/api/cloud/oauth2/certs"
_BLOCKS = {
    PORTAL: ("portalAdminEndpoint",),
    DEVPORTAL: ("devportalAdminEndpoint",),
    ANALYTICS: ("ingestion", "endpoint"),
    GATEWAY: ("gatewayManagerEndpoint",),
    MANAGEMENT: ("platformAPIEndpoint",),
}
PORT = 443  # of an ingress or a route


@dataclass(frozen=True)
class Met:
    """A flow of the documents that these files have: it ends at ``server``."""

    flow: Flow
    server: Subsystem


def flows_of(view: View) -> Iterator[Met]:
    """Every flow between management and the others, and from gateways to analytics."""
    analytics = list(view.of(ANALYTICS))
    for each in view.of(PORTAL, DEVPORTAL, ANALYTICS, GATEWAY, EVENTS):
        yield Met(FLOWS[flow_to(each)], each)
        if each.kind in (GATEWAY, EVENTS):
            sender = flow_to(each).removeprefix("management-to-")
            yield from (Met(FLOWS[f"{sender}-to-analytics"], server) for server in analytics)


def host_of(each: Subsystem) -> str:
    """The host name of its endpoint, '' where the files have none."""
    block = each.spec.at(*_BLOCKS.get(each.kind, ("endpoint",)))
    return next(filter(None, (host.text("name") for host in block.items("hosts"))), "") if block else ""


def jwks_url(view: View) -> str:
    """The JWKS URL: what management publishes, else its platform API's, else what a subsystem has; '' for none."""
    managements = list(view.of(MANAGEMENT))
    for each in managements:
        for endpoint in each.resource.root.items("status", "endpoints"):
            if endpoint.text("name") == "jwksUrl" and endpoint.text("uri"):
                return endpoint.text("uri")
    for each in managements:
        if host := host_of(each):
            return f"https://{host}{_PATH}"
    return next((each.jwks for each in view.of(PORTAL, ANALYTICS, GATEWAY) if each.jwks), "")


def configured_in(view: View, each: Subsystem) -> Subsystem:
    """Where its settings belong: its section of a top-level resource, which may have to be added, or its own."""
    for section in view.stated:
        if section.top_level and each in view.generated(section):
            return section
    for top in view.tops:
        if each.owner and top.name == each.owner and not each.top_level:
            return Subsystem(each.kind, top, ("spec", each.kind), each.cluster)
    return each


def protection(validates: bool, jwks: bool, kind: str) -> str:
    """Who a server in this configuration verifies its client by."""
    if validates and jwks:
        return "certificate; the JWT is ignored" if kind == ANALYTICS else "certificate and JWT"
    if validates:
        return "certificate (mTLS)"
    return "JWT, over TLS" if jwks else "no client authentication; TLS only"
